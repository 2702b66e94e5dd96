"""Secrets replaced under a running process: Redis' password, and the certificate that browsers see."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from redis.asyncio import Redis

from countersign.adapters.redis.connection import connect_redis
from countersign.settings import load_settings
from countersign.web.certificate import Certificate, Pair, loaded
from countersign.web.server import WebServer

if TYPE_CHECKING:
    from countersign.local import Stack

HOST = "localhost"


async def test_a_replaced_redis_password_is_used_for_the_next_connection(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password changes at Redis and in its file, connections are cut, and the client goes on."""
    monkeypatch.setenv("COUNTERSIGN_SECRETS_DIR", str(tmp_path))
    file = tmp_path / "countersign_redis_password"
    file.write_text("the first")
    admin = Redis.from_url(stack.redis_url)
    name = "replaced-password"
    try:
        await admin.acl_setuser(
            name, enabled=True, passwords=["+the first"], keys="*", categories=["+@all"]
        )
        client = connect_redis(load_settings(redis_url=stack.redis_url, redis_username=name))
        assert await client.ping()
        await admin.acl_setuser(
            name,
            enabled=True,
            passwords=["-the first", "+the second"],
            keys="*",
            categories=["+@all"],
        )
        file.write_text("the second")
        await admin.client_kill_filter(user=name)
        assert await client.ping()
        await client.aclose()
    finally:
        await admin.acl_deluser(name)
        await admin.aclose()


class Files:
    """A certificate's files, written anew by a test."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.pair = (folder / "cert.pem", folder / "key.pem")
        self.trusting = ssl.create_default_context()
        self.authority.configure_trust(self.trusting)

    def write(self) -> bytes:
        """Write another certificate; return its serial number's text."""
        issued = self.authority.issue_cert(HOST)
        cert, key = self.pair
        cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


async def empty(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
    """Answer nothing in particular."""
    del scope, receive
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def shown(port: int, trusting: ssl.SSLContext) -> bytes:
    """Return the certificate that a new connection is shown, verified."""
    _, writer = await asyncio.open_connection(HOST, port, ssl=trusting)
    try:
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate
    finally:
        writer.close()


async def test_a_replaced_certificate_is_shown_to_new_connections(tmp_path: Path) -> None:
    """The server goes on, and whoever comes next sees the new certificate."""
    files = Files(tmp_path)
    first = files.write()
    server = WebServer(
        empty,
        host="127.0.0.1",
        port=0,
        certificate=files.pair,
        setting="COUNTERSIGN_CHALLENGER_PORT",
        looks_every=timedelta(milliseconds=20),
    )
    await server.start()
    try:
        assert await shown(server.port, files.trusting) == first
        second = files.write()
        async with asyncio.timeout(20):
            while await shown(server.port, files.trusting) != second:
                pass
    finally:
        await server.stop()


def shown_by(certificate: Certificate, trusting: ssl.SSLContext, name: str | None = HOST) -> bytes:
    """Return the certificate that a handshake in memory shows, verified; without a name none is asked for."""
    trusting.check_hostname = name is not None
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return found


def test_a_pair_that_does_not_fit_leaves_the_good_one(tmp_path: Path) -> None:
    """Between the two files' replacement, and with rubbish in one, the old certificate stands."""
    files = Files(tmp_path)
    first = files.write()
    certificate = Certificate(*files.pair)
    assert not certificate.renew()
    cert, key = files.pair
    old_key = key.read_bytes()
    second = files.write()
    new_key = key.read_bytes()
    for wrong in (old_key, b"rubbish", b"", encrypted(new_key)):
        key.write_bytes(wrong)
        assert not certificate.renew()
        assert shown_by(certificate, files.trusting) == first
    key.unlink()
    assert not certificate.renew()
    assert shown_by(certificate, files.trusting) == first
    key.write_bytes(new_key)
    assert certificate.renew()
    assert not certificate.renew()
    assert cert.is_file()
    for name in (HOST, None):
        assert shown_by(certificate, files.trusting, name) == second


def encrypted(key: bytes) -> bytes:
    """Return a private key that can't be read without a password."""
    return load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")
    )


def test_an_encrypted_key_fails_instead_of_asking_for_its_password(tmp_path: Path) -> None:
    """A process without a terminal would wait for ever; the error is there at once, at the start too."""
    files = Files(tmp_path)
    files.write()
    files.pair[1].write_bytes(encrypted(files.pair[1].read_bytes()))
    with pytest.raises(ssl.SSLError):
        Certificate(*files.pair)


def test_files_that_change_while_they_are_loaded(tmp_path: Path) -> None:
    """What was read is what is shown, whatever the files hold a moment later; that is for the next time."""
    files = Files(tmp_path)
    rest: list[Callable[[], object]] = []

    def load(pair: Pair) -> ssl.SSLContext:
        while rest:
            rest.pop()()
        return loaded(pair)

    first = files.write()
    certificate = Certificate(*files.pair, load=load)
    second = files.write()
    rest.append(lambda: files.pair[1].write_bytes(b"rubbish"))
    assert certificate.renew()
    assert shown_by(certificate, files.trusting) == second != first
    assert not certificate.renew()
    assert shown_by(certificate, files.trusting) == second
    third = files.write()
    thirds_key = files.pair[1].read_bytes()
    files.pair[1].write_bytes(b"rubbish")
    rest.append(lambda: files.pair[1].write_bytes(thirds_key))
    assert not certificate.renew()
    assert shown_by(certificate, files.trusting) == second
    assert certificate.renew()
    assert shown_by(certificate, files.trusting) == third


def test_old_tls_is_refused(tmp_path: Path) -> None:
    """What a handshake is handed over to, and what it begins with, speak TLS 1.2 at least."""
    files = Files(tmp_path)
    files.write()
    certificate = Certificate(*files.pair)
    for context in (certificate.context, loaded(Pair(*(one.read_bytes() for one in files.pair)))):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
