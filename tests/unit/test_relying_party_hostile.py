"""Garbage in any place of a request to the sample relying party is refused, and never a fault of ours."""

from __future__ import annotations

import asyncio
import functools
import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.errors import BusUnavailableError
from countersign.relying_party.address import read_address
from countersign.relying_party.app import create_app
from countersign.relying_party.cookies import Cookies
from countersign.relying_party.login import Login
from countersign.relying_party.sessions import Session, Sessions
from tests.builders import NOW


class AwayClient:
    """A client that has lost its bus."""

    async def submit(self, *_: object, **__: object) -> Any:  # noqa: ANN401  # there is none
        """Fail."""
        message = "down"
        raise BusUnavailableError(message)

    complete = submit
    forget = submit


_numbers = itertools.count()


def _numbered() -> str:
    return f"token-{next(_numbers):030}"


@functools.cache
def _app() -> Any:  # noqa: ANN401  # any ASGI application
    return create_app(
        AwayClient(),
        base_url="http://localhost:8080",
        client_id="shop",
        clock=lambda: NOW,
        token=_numbered,
    )


async def _asked(
    method: str, path: str, query: bytes, body: bytes, headers: dict[bytes, bytes]
) -> int:
    """Return the status; asked without an HTTP client, which would refuse to send garbage."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 8080),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": list(headers.items()),
        "state": {},
    }
    await _app()(scope, receive, send)
    return int(sent[0]["status"])


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS"]),
    path=st.sampled_from(
        ["/", "/sign-in", "/return", "/forget", "/sign-out", "/\x00", "/\xff", "/a/../b"]
    ),
    query=st.binary(max_size=80),
    body=st.one_of(
        st.binary(max_size=200), st.binary(max_size=60).map(lambda rest: b"name=" + rest)
    ),
    cookie=st.binary(max_size=60).map(lambda some: b"sample_session=" + some),
    kind=st.sampled_from(
        [
            b"application/x-www-form-urlencoded",
            b"multipart/form-data",
            b"application/json",
            b"\xff;=",
        ]
    ),
)
def test_garbage_is_never_a_fault(  # each part of a request
    method: str, path: str, query: bytes, body: bytes, cookie: bytes, kind: bytes
) -> None:
    """Whatever comes, the answer is a page; 503 says that Countersign could not be asked."""
    headers = {b"cookie": cookie, b"content-type": kind, b"sec-fetch-site": b"same-origin"}
    status = asyncio.run(_asked(method, path, query, body, headers))
    assert status < 500 or status == 503


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("HTTPS://Shop.Example.com:443", "https://shop.example.com"),
        ("https://shop.example.com:8443", "https://shop.example.com:8443"),
    ],
)
def test_an_address_is_written_as_browsers_do(base_url: str, origin: str) -> None:
    """So that it equals what a browser says in `Origin`."""
    assert read_address(base_url).origin == origin


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "shop.example.com",
        "ftp://localhost",
        "https://",
        "https://shop.example.com/shop",
        "https://shop.example.com?a=b",
        "https://alice@shop.example.com",
        "http://shop.example.com",
        "http://localhost.example.com",
        "https://shop.example.com:port",
    ],
)
def test_an_address_that_cannot_work_is_refused(base_url: str) -> None:
    """Cookies don't go over the wire in the clear, and belong to a whole host."""
    with pytest.raises(ValueError, match=r"."):
        read_address(base_url)


@given(st.text(max_size=200))
def test_only_tokens_are_read_from_cookies(value: str) -> None:
    """What can't be one of our ids is no id."""
    found = Cookies(secure=False).session({"sample_session": value})
    assert found is None or (found == value and value.isascii() and 22 <= len(value) <= 128)


def test_sessions_are_bounded() -> None:
    """The oldest go when there are too many, and all of them in time."""
    now = NOW
    sessions = Sessions(lambda: now, _numbered, lifetime=timedelta(hours=1), most=2)
    login = Login(name="alice", event_id="e", browser_id="b", began_at=now)
    ids = [sessions.begin(Session(login=login, answer=None), instead_of=None) for _ in range(3)]
    assert [sessions.find(one) is not None for one in ids] == [False, True, True]
    now += timedelta(hours=1)
    assert not any(sessions.find(one) for one in ids)
