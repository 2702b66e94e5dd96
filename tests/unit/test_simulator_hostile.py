"""Whatever is sent to the simulator, it refuses and never fails."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from countersign.simulator.app import Simulator
from countersign.simulator.assertions import ASSERTION_TYPE
from countersign.simulator.duo_routes import AUTHORIZE, HEALTH_CHECK, TOKEN
from tests.simulated import CLIENT_ID, HOST, NOON, SECRET, Browser


async def test_huge_and_repeated_parameters_are_refused() -> None:
    """More than there should be of anything is a refusal, never a failure."""
    browser = Browser()
    twice = f"client_id={CLIENT_ID}&client_id={CLIENT_ID}"
    huge = urlencode({"client_id": "x" * 100_000})
    for asked in (twice, huge, "&".join("a=1" for _ in range(60)), "client_id=%ff"):
        assert (await browser.http.get(f"{AUTHORIZE}?{asked[:60_000]}")).status_code == 400
        for path in (TOKEN, HEALTH_CHECK):
            form = {"content-type": "application/x-www-form-urlencoded"}
            answer = await browser.http.post(path, content=asked, headers=form)
            assert answer.status_code == 400
            assert answer.json()


NAMES = st.sampled_from(
    [
        "client_id",
        "client_assertion",
        "client_assertion_type",
        "request",
        "nonce",
        "code",
        "grant_type",
        "answer",
        "passcode",
        "x",
    ]
)


VALUES = st.text(max_size=60) | st.sampled_from([CLIENT_ID, ASSERTION_TYPE, "a.b.c", "e30.e30.e30"])


GARBAGE = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(
    lambda pairs: urlencode(pairs, errors="replace").encode()
) | st.binary(max_size=80)


@given(query=GARBAGE, body=GARBAGE, path=st.sampled_from([HEALTH_CHECK, AUTHORIZE, TOKEN]))
def test_garbage_is_refused_and_never_fails(query: bytes, body: bytes, path: str) -> None:
    """Whatever is sent to whichever endpoint, the answer is a refusal and no failure."""

    async def ask() -> int:
        """Call the application as a server does, with bytes that no client would send."""
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401  # ASGI's own
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET" if path == AUTHORIZE else "POST",
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query,
            "headers": [
                (b"content-type", b"application/x-www-form-urlencoded"),
                (b"content-length", str(len(body)).encode()),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8444),
        }
        await _SHARED.app(scope, receive, send)  # type: ignore[arg-type]  # plain dictionaries
        return statuses[0]

    assert asyncio.run(ask()) == 400


_SHARED = Simulator(
    {CLIENT_ID: SECRET}, api_host=HOST, clock=lambda: NOON, token=lambda: secrets.token_urlsafe(32)
)


@given(
    claims=st.dictionaries(
        st.sampled_from(
            ["redirect_uri", "state", "duo_uname", "nonce", "exp", "aud", "scope", "jti"]
        ),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_signed_garbage_never_fails(claims: dict[str, Any]) -> None:
    """Not even what a client has signed makes the prompt fail."""

    async def ask() -> int:
        browser = Browser()
        answer = await browser.authorize(**claims)
        if answer.status_code == 303:
            browser.address = answer.headers["location"]
            assert await browser.look() == 200
        return int(answer.status_code)

    assert asyncio.run(ask()) in {303, 400}
