"""What the challenger logs of an odd visit says which address it came from; nothing else depends on it."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import structlog

from countersign.core.errors import DuoUnavailableError
from countersign.core.tenant import ChallengeRules, Failmode, PushBudget
from countersign.settings import load_settings
from countersign.web.address import address_of
from tests.browsers import Browser, Walk, at_the_prompt
from tests.builders import IDENTIFIER_KEY, RETURN_URL, a_tenant

PEER, BEFORE = "203.0.113.7", "198.51.100.9"
Logged = MutableMapping[str, Any]


@contextmanager
def logged() -> Iterator[list[Logged]]:
    """Collect what is logged, as the process logs it."""
    merged = structlog.contextvars.merge_contextvars
    with structlog.testing.capture_logs(processors=[merged]) as logs:
        yield logs


def coming_from(walk: Walk, peer: str = PEER) -> Browser:
    """Return a browser at an address."""
    return Browser(walk.challenger.app, peer=peer)


async def _unknown_state(walk: Walk) -> None:
    await coming_from(walk).callback("00" + "A" * 65, duo_code="code")


async def _wrong_browser(walk: Walk) -> None:
    _, _, state = await at_the_prompt(walk)
    await coming_from(walk).callback(state, duo_code="code")


async def _bad_callback(walk: Walk) -> None:
    await coming_from(walk).callback("<script>")


async def _spent(walk: Walk) -> None:
    challenge, _, _ = await at_the_prompt(walk)
    await coming_from(walk).visit(challenge)


async def _failed_open(walk: Walk) -> None:
    walk.duo.health["acme"] = DuoUnavailableError("away")
    await coming_from(walk).visit(await walk.open())


ODD = {
    "unknown_state": _unknown_state,
    "wrong_browser": _wrong_browser,
    "bad_callback": _bad_callback,
    "push_budget_spent": _spent,
    "failed_open": _failed_open,
}


@pytest.mark.parametrize("event", ODD)
async def test_what_is_odd_is_logged_with_the_browsers_address(event: str) -> None:
    """Whoever looks into it can tell one browser that tries and tries from many that erred once."""
    rules = ChallengeRules(return_urls=(RETURN_URL,), failmode=Failmode.OPEN)
    walk = Walk(a_tenant(challenge=rules, push_budget=PushBudget(prompts=1)))
    with logged() as logs:
        await ODD[event](walk)
    (found,) = [one for one in logs if one["event"] == event]
    assert found["address"] == PEER
    assert structlog.contextvars.get_contextvars() == {}


async def test_a_browser_may_come_back_from_elsewhere() -> None:
    """A phone that changes networks on its way through Duo is let on: its cookie is what counts."""
    walk = Walk()
    _, browser, state = await at_the_prompt(walk)
    elsewhere = coming_from(walk, BEFORE)
    elsewhere.http.cookies = browser.http.cookies
    back = await elsewhere.callback(state, duo_code=walk.duo.approve(state))
    assert back.status_code == 303


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        (None, PEER, "127.0.0.1"),
        ("192.0.2.1", PEER, "127.0.0.1"),
        ("127.0.0.1", PEER, PEER),
        ("127.0.0.1", f"{BEFORE}, {PEER}", PEER),
        ("127.0.0.1,203.0.113.0/24", f"{BEFORE}, {PEER}", BEFORE),
        ("127.0.0.1", "2001:DB8:0::7", "2001:db8::7"),
        ("127.0.0.1", "unknown", "unknown"),
        ("127.0.0.1", "<script>alert(1)</script>", "unknown"),
        ("127.0.0.1", "a" * 10_000, "unknown"),
        ("127.0.0.1", ", , ,", "127.0.0.1"),
    ],
)
async def test_a_proxy_is_believed_only_where_it_is_named(
    trusted: str | None, forwarded: str, address: str
) -> None:
    """`COUNTERSIGN_TRUSTED_PROXIES` names whose word counts, through a real server and its headers."""
    settings = load_settings(
        public_url="http://localhost:8443",
        identifier_key=IDENTIFIER_KEY,
        challenger_port=0,
        trusted_proxies=trusted,
    )
    web = Walk(settings=settings).challenger.web
    await web.start()
    try:
        with logged() as logs:
            async with httpx.AsyncClient(trust_env=False) as client:
                url = f"http://127.0.0.1:{web.port}/callback"
                response = await client.get(url, headers={"x-forwarded-for": forwarded})
    finally:
        await web.stop()
    assert response.status_code == 400
    (found,) = [one for one in logs if one["event"] == "bad_callback"]
    assert found["address"] == address


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%<script>", "fe80::1"),
        ("", "unknown"),
        ("localhost", "unknown"),
        ("192.0.2.1\n", "unknown"),
        ("192.0.2.1, 192.0.2.2", "unknown"),
    ],
)
def test_an_address_has_one_spelling(host: str, address: str) -> None:
    """What is no address isn't passed off as one, and nothing else gets into a log in its place."""
    assert address_of((host, 1)) == address


def test_a_socket_without_a_peer_is_unknown() -> None:
    """A Unix socket has no address."""
    assert address_of(None) == "unknown"
