"""The web server inside a process: it listens where it was told to, says why it can't, and stops politely."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from countersign.core.errors import SettingsError
from countersign.web.headers import safe_headers
from countersign.web.server import WebServer
from tests.waiting import eventually

HOST = "127.0.0.1"
SETTING = "COUNTERSIGN_CHALLENGER_PORT"
CANARY = "canary-4711"


async def hello(scope: Any, _: Any, send: Callable[[Any], Awaitable[None]]) -> None:  # noqa: ANN401  # ASGI's own
    """Answer every request with the address that it seems to come from."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": repr(scope["client"][0]).encode()})


def a_server(app: Any = hello, **changes: Any) -> WebServer:  # noqa: ANN401  # an ASGI application; WebServer's own
    """Return a server on any free port."""
    given: dict[str, Any] = {"host": HOST, "port": 0, "setting": SETTING}
    return WebServer(app, **(given | changes))


@asynccontextmanager
async def serving(server: WebServer) -> AsyncIterator[str]:
    """Serve; return the address."""
    await server.start()
    try:
        yield f"http://{HOST}:{server.port}"
    finally:
        await server.stop()


async def get(url: str, **given: Any) -> httpx.Response:  # noqa: ANN401  # httpx's own
    """Ask once, on a connection of its own."""
    async with httpx.AsyncClient(trust_env=False, verify=given.pop("verify", False)) as client:
        return await client.get(url, **given)


async def said_to(server: WebServer, data: bytes) -> bytes:
    """Return all that a server says to these bytes before it hangs up."""
    reader, writer = await asyncio.open_connection(HOST, server.port)
    try:
        writer.write(data)
        return await reader.read()
    finally:
        writer.close()


def is_refused(port: int) -> bool:
    """Say whether nobody listens at a port."""
    with socket.socket() as trying:
        return trying.connect_ex((HOST, port)) != 0


async def test_it_listens_from_start_to_stop() -> None:
    """Once started it answers, at a port that it chose itself; once stopped nobody listens there."""
    server = a_server()
    async with serving(server) as url:
        assert server.port > 0
        assert (await get(url)).status_code == 200
    assert is_refused(server.port)


async def test_it_may_listen_again_where_it_just_listened() -> None:
    """A process that is started anew doesn't have to wait for the old one's connections to be forgotten."""
    first = a_server()
    async with serving(first) as url:
        await get(url)
    async with serving(a_server(port=first.port)) as url:
        assert (await get(url)).status_code == 200


async def test_stopping_what_was_never_started_is_nothing() -> None:
    """A process whose start failed half-way may stop everything."""
    await a_server().stop()


async def test_a_port_that_is_taken_is_a_setting_to_be_changed() -> None:
    """The error names the setting, the address and the remedy; the one that was there is not harmed."""
    async with serving(first := a_server()) as url:
        with pytest.raises(SettingsError) as raised:
            await a_server(port=first.port).start()
        (problem,) = raised.value.problems
        assert problem.key == SETTING
        assert f"{HOST}:{first.port} can't be listened on" in problem.problem
        assert problem.remedy == "Give another port, or 0 for any that is free"
        assert (await get(url)).status_code == 200


async def test_an_address_that_is_another_machines_is_a_setting_to_be_changed() -> None:
    """An address that this machine doesn't have is told like a port that is taken."""
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1:0 can't be listened on"):
        await a_server(host="192.0.2.1").start()


class Pair:
    """A certificate for this machine and its key, as files, and who trusts it."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert(HOST)
        self.certificate, self.key = directory / "cert.pem", directory / "key.pem"
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(self.key)
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)


async def test_browsers_come_over_tls(tmp_path: Path) -> None:
    """With a certificate it speaks TLS, and plain HTTP no more."""
    pair = Pair(tmp_path)
    server = a_server(certificate=(pair.certificate, pair.key))
    async with serving(server):
        url = f"https://{HOST}:{server.port}"
        assert (await get(url, verify=pair.trust)).status_code == 200
        with pytest.raises(httpx.HTTPError):
            await get(f"http://{HOST}:{server.port}")


@pytest.mark.parametrize("wrong", ["missing", "no PEM", "another's key", "no key"])
async def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path, wrong: str) -> None:
    """A wrong certificate or key is an error of the settings, before anybody listens."""
    pair = Pair(tmp_path)
    if wrong == "missing":
        pair.certificate.unlink()
    elif wrong == "no PEM":
        pair.certificate.write_text("not a certificate")
    elif wrong == "another's key":
        other = tmp_path / "other"
        other.mkdir()
        pair.key = Pair(other).key
    else:
        pair.key = pair.certificate
    server = a_server(certificate=(pair.certificate, pair.key))
    with pytest.raises(SettingsError, match="certificate that can't be used") as raised:
        await server.start()
    (problem,) = raised.value.problems
    assert problem.remedy == "Give a certificate and its private key, both as PEM files"
    assert "PRIVATE KEY" not in str(raised.value)
    assert server.port == 0
    await server.stop()


async def test_requests_under_way_are_finished_at_the_end() -> None:
    """A browser that is being answered when the process stops gets its answer; new ones don't get in."""
    here, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's own
        here.set()
        await go_on.wait()
        await hello(scope, receive, send)

    server = a_server(slow)
    await server.start()
    asking = asyncio.create_task(get(f"http://{HOST}:{server.port}"))
    await here.wait()
    stopping = asyncio.create_task(server.stop())
    await eventually(lambda: is_refused(server.port))
    assert not stopping.done()
    assert not asking.done()
    go_on.set()
    assert (await asking).status_code == 200
    await stopping


async def test_a_browser_that_only_stays_connected_holds_nobody_up() -> None:
    """A connection without a request is closed at the end."""
    server = a_server()
    await server.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"http://{HOST}:{server.port}")
        await server.stop()
    assert is_refused(server.port)


@pytest.mark.hazard(7)
@pytest.mark.law(9)
async def test_no_address_of_a_request_is_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Law 9: neither paths and queries, nor headers, nor bytes that are no request, are in any log."""
    caplog.set_level(logging.DEBUG)
    head = f"GET /c/{CANARY}?state={CANARY} HTTP/1.1\r\nHost: x\r\nCookie: a={CANARY}\r\n"
    server = a_server()
    async with serving(server):
        answer = await said_to(server, f"{head}Connection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200 ")
        refused = await said_to(server, f"{CANARY} \x00\r\n\r\n".encode())
        assert refused.startswith(b"HTTP/1.1 400 ")
    said = capfd.readouterr()
    assert CANARY not in caplog.text + said.out + said.err
    assert not [one for one in caplog.records if one.name == "uvicorn.access"]


async def test_headers_beyond_32_kb_are_refused() -> None:
    """Nobody fills the memory with a header; what a browser's cookies take up fits."""
    server = a_server()
    async with serving(server) as url:
        assert (await get(url, headers={"cookie": "a" * 30_000})).status_code == 200
        head = b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 100_000
        assert (await said_to(server, head)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 100_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /<script>\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=lambda garbage: repr(garbage[:24]),
)
async def test_what_the_server_itself_refuses_has_safe_headers_too(garbage: bytes) -> None:
    """What is no HTTP, or too much of it, never comes to the application; its answer is as careful."""
    server = a_server()
    async with serving(server):
        head, _, body = (await said_to(server, garbage)).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert status.startswith("HTTP/1.1 400 ")
    sent = dict(line.lower().split(": ", 1) for line in lines)
    assert sent["content-type"] == "text/plain; charset=utf-8"
    for name, value in safe_headers(secure=False):
        assert sent[name.decode()] == value.decode().lower()
    assert b"script" not in body


async def test_over_tls_such_a_refusal_says_to_stay_with_it(tmp_path: Path) -> None:
    """A browser that came over TLS is told so by each answer (RFC 6797)."""
    pair = Pair(tmp_path)
    server = a_server(certificate=(pair.certificate, pair.key))
    async with serving(server):
        reader, writer = await asyncio.open_connection(HOST, server.port, ssl=pair.trust)
        writer.write(b"GET\r\n\r\n")
        said = await reader.read()
        writer.close()
    assert b"strict-transport-security: max-age=" in said.lower()


async def test_it_says_nothing_of_itself_and_believes_no_header() -> None:
    """No answer names the server's software, and no header makes a request come from elsewhere."""
    async with serving(a_server()) as url:
        response = await get(url, headers={"x-forwarded-for": "203.0.113.7"})
    assert "server" not in response.headers
    assert response.text == repr(HOST)


async def asked_by(
    *headers: tuple[str, str], proxies: str = "", host: str = HOST, name: str = HOST
) -> str:
    """Return the address that a request with these headers seems to come from, to one of those proxies."""
    server = a_server(proxies=proxies, host=host)
    await server.start()
    try:
        url = f"http://{name}:{server.port}"
        return (await get(url, headers=list(headers))).text.strip("'")
    finally:
        await server.stop()


FORWARDED = "x-forwarded-for"
THEIRS, OTHER = "203.0.113.7", "198.51.100.9"


@pytest.mark.parametrize("proxies", ["", "192.0.2.1", "192.0.2.0/24,2001:db8::/32", "127.0.0.2"])
@pytest.mark.parametrize("name", [FORWARDED, "forwarded", "x-real-ip", "x-forwarded-host"])
async def test_a_header_of_a_stranger_makes_it_come_from_nowhere_else(
    name: str, proxies: str
) -> None:
    """Whoever isn't a named proxy is where it is, whatever it says."""
    value = f"for={THEIRS}" if name == "forwarded" else THEIRS
    assert await asked_by((name, value), proxies=proxies) == HOST


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        ("127.0.0.1", THEIRS, THEIRS),
        ("127.0.0.0/8", THEIRS, THEIRS),
        ("127.0.0.1", f"{THEIRS}:4711", THEIRS),
        ("127.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        # What the browser itself sent stands in front of what the proxy saw.
        ("127.0.0.1", f"10.9.9.9, {THEIRS}", THEIRS),
        ("127.0.0.1", f"127.0.0.1, {THEIRS}", THEIRS),
        ("127.0.0.1,10.0.0.0/8", f"{OTHER}, {THEIRS}, 10.0.0.3, 10.0.0.4", THEIRS),
        ("127.0.0.1,10.0.0.0/8", f"{THEIRS}, 10.0.0.3, 11.0.0.4", "11.0.0.4"),
        ("127.0.0.1,10.0.0.0/8", "10.0.0.3, 10.0.0.4", "10.0.0.3"),
        ("127.0.0.1", "", HOST),
    ],
)
async def test_a_named_proxy_says_who_came(proxies: str, forwarded: str, address: str) -> None:
    """It is the last address in the chain that no named proxy has; what stands further left is hearsay."""
    assert await asked_by((FORWARDED, forwarded), proxies=proxies) == address


async def test_each_proxy_may_add_a_line_of_its_own() -> None:
    """Several fields are one chain, in their order (RFC 9110, section 5.3)."""
    chain = [(FORWARDED, OTHER), (FORWARDED, THEIRS), (FORWARDED, "10.0.0.3")]
    assert await asked_by(*chain, proxies="127.0.0.1,10.0.0.3") == THEIRS


@pytest.mark.parametrize("name", ["forwarded", "x-real-ip", "x-forwarded-host"])
async def test_a_named_proxys_other_headers_say_nothing(name: str) -> None:
    """One header counts: a proxy that sets that one may well pass others on as the browser sent them."""
    assert await asked_by((name, f"for={THEIRS}"), proxies="127.0.0.1") == HOST


async def test_the_environment_names_no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's library would take some from a variable of its own; ours are the only ones."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert await asked_by((FORWARDED, THEIRS)) == HOST
    assert await asked_by((FORWARDED, THEIRS), proxies="192.0.2.1") == HOST


def _has_ipv6() -> bool:
    """Say whether this machine knows IPv6."""
    try:
        with socket.create_server(("::", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not _has_ipv6(), reason="There is no IPv6 on this machine.")
async def test_a_proxy_of_ipv4_is_known_on_a_socket_for_both_families() -> None:
    """Such a socket shows it as ::ffff:127.0.0.1."""
    assert await asked_by((FORWARDED, THEIRS), proxies="127.0.0.0/8", host="::") == THEIRS
    assert await asked_by((FORWARDED, THEIRS), proxies="127.0.0.2", host="::") == f"::ffff:{HOST}"
