"""How Redis is reached: one client an event loop, with deadlines, and no retries that hide an outage."""

from __future__ import annotations

from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from redis.asyncio import Connection, Redis, RedisCluster, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.credentials import CredentialProvider

from countersign.settings import Settings
from countersign.settings.secret_files import secret_now

RedisClient: TypeAlias = Redis | RedisCluster

TIMEOUT: Final = 5.0
"""Seconds that connecting, and an answer, may take."""
HEALTH_CHECK_INTERVAL: Final = 30
"""Seconds after which an idle connection is tried with a PING before it is used."""


def connect_redis(settings: Settings) -> RedisClient:
    """Return a client for the settings' server or cluster; connects on first use.

    Close it with `await client.aclose()`.
    """
    arguments: dict[str, Any] = {
        "decode_responses": False,
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
        "health_check_interval": HEALTH_CHECK_INTERVAL,
        # One second try, at once: for a connection that the server closed while it was idle. A real
        # outage is shown to the caller, who knows how to wait.
        "retry": Retry(NoBackoff(), 1),
        # RESP2 has no push messages, so the client starts no handlers for them.
        "protocol": 2,
    }
    # redis-py takes a provider, or what stands in the address, and not both.
    if settings.redis_password is not None and not urlsplit(settings.redis_url).username:
        arguments["credential_provider"] = _Credentials(
            settings.redis_username, settings.redis_password.get_secret_value()
        )
    elif settings.redis_username is not None:
        arguments["username"] = settings.redis_username
    files = {
        "ssl_ca_certs": settings.redis_ca_file,
        "ssl_certfile": settings.redis_cert_file,
        "ssl_keyfile": settings.redis_key_file,
    }
    arguments.update({name: str(path) for name, path in files.items() if path is not None})
    if settings.redis_cluster:
        return RedisCluster.from_url(settings.redis_url, **arguments)
    client = Redis.from_url(settings.redis_url, **arguments)
    pool = client.connection_pool
    pool.connection_class = _PACKED.get(pool.connection_class, pool.connection_class)
    return client


class _Credentials(CredentialProvider):
    """User name and password for each new connection: the password as its file holds it now."""

    def __init__(self, name: str | None, password: str) -> None:
        self._name = name
        self._password = password

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        self._password = secret_now("redis_password", self._password) or self._password
        return (self._password,) if self._name is None else (self._name, self._password)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()


class _Packed:
    """Packs commands in C, as redis-py's synchronous connections do and its asynchronous ones don't.

    A wave's script call has thousands of arguments, and packing them in Python cost more than all of
    the deciding.
    """

    _packer = HiredisRespSerializer()

    def pack_command(self, *args: Any) -> list[bytes]:  # noqa: ANN401  # redis-py's own signature
        packed: list[bytes] = self._packer.pack(*args)
        return packed


class _PackedConnection(_Packed, Connection):
    """A connection that packs in C."""


class _PackedTlsConnection(_Packed, SSLConnection):
    """A connection over TLS that packs in C."""


_PACKED: Final[dict[type[Any], type[Any]]] = {
    Connection: _PackedConnection,
    SSLConnection: _PackedTlsConnection,
}
