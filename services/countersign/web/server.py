"""A web server inside the process's own event loop; signals are the process's, not the server's."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import uvicorn

from countersign.core.errors import Problem, SettingsError
from countersign.web.certificate import LOOKS_EVERY, Certificate
from countersign.web.protocol import WHOLE_WITHIN, SafeProtocol

_GRACE = timedelta(seconds=5)
_LONGEST_HEADERS = 32 * 1024
_BACKLOG = 2048
_PORT = "Give another port, or 0 for any that is free"
_CERTIFICATE = "Give a certificate and its private key, both as PEM files"


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers, which would take Ctrl-C away from the rest of the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class WebServer:
    """Serves an ASGI application.

    Args:
        app: the application.
        host: the address to listen on.
        port: the port to listen on; 0 chooses a free one.
        certificate: the certificate and its private key, as PEM files, which may be replaced at any time;
            None: plain HTTP.
        setting: the name of the setting that gave the port, for errors.
        protocol: speaks HTTP.
        whole_within: how long a request may take to come.
        grace: how long requests under way may still take once the server stops.
        looks_every: how soon a replaced certificate is noticed.
        proxies: addresses and networks, with commas between, of the proxies whose `X-Forwarded-For` and
            `X-Forwarded-Proto` count. No other header does, `Forwarded` included.
    """

    def __init__(  # noqa: PLR0913  # each is a setting, or an argument for tests
        self,
        app: Callable[..., Awaitable[None]],
        *,
        host: str,
        port: int,
        certificate: tuple[Path, Path] | None = None,
        setting: str,
        protocol: type[SafeProtocol] = SafeProtocol,
        whole_within: timedelta = WHOLE_WITHIN,
        grace: timedelta = _GRACE,
        looks_every: timedelta = LOOKS_EVERY,
        proxies: str = "",
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._setting = setting
        self._grace = grace
        self._looks_every = looks_every
        self._certificate = certificate
        self._protocol = partial(protocol, whole_within=whole_within)
        self._proxies = list(_networks(proxies))
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the address can't be listened on, or the certificate can't be used.
        """
        try:
            shown = None if self._certificate is None else Certificate(*self._certificate)
        except OSError as error:  # ssl.SSLError is one
            refused = self._problem("has a certificate that can't be used", _CERTIFICATE, error)
            raise refused from error
        # No access log: paths and queries hold challenges, codes and states (law 9).
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(self._proxies),
            forwarded_allow_ips=self._proxies,
            lifespan="off",
            ws="none",
            # The one whose limit on headers is set below; any function that makes one will do.
            http=self._protocol,  # type: ignore[arg-type]
            timeout_graceful_shutdown=int(self._grace.total_seconds()),
            h11_max_incomplete_event_size=_LONGEST_HEADERS,
            ssl_context_factory=None if shown is None else lambda *_: shown.context,
        )
        config.load()
        listening = self._listen()
        self._port = int(listening.getsockname()[1])
        if shown is not None:
            self._watching = asyncio.create_task(shown.watch(self._looks_every))
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Finish the requests under way, and stop listening."""
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self._host, self._port))
            # Here, and not by uvicorn, which would end without a word to us.
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            refused = self._problem("can't be listened on", _PORT, error)
            raise refused from error
        return listening

    def _problem(self, what: str, remedy: str, error: OSError) -> SettingsError:
        why = error.strerror or type(error).__name__
        problem = Problem(
            key=self._setting,
            problem=f"{self._host}:{self._port} {what} ({why})",
            remedy=remedy,
        )
        source = "process settings"
        return SettingsError(source, [problem])


def _networks(proxies: str) -> Iterator[str]:
    """Return the proxies' networks; those of IPv4 also as a socket for both families shows them."""
    for text in filter(None, proxies.split(",")):
        network = ipaddress.ip_network(text)
        yield str(network)
        if network.version == 4:  # noqa: PLR2004  # IPv4
            yield f"::ffff:{network.network_address}/{96 + network.prefixlen}"
