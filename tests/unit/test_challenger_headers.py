"""What every answer of the challenger has, whatever was asked of it and however that went."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from countersign.core.challenge import claim
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoBusyError, DuoError, DuoRefusedError, DuoUnavailableError
from countersign.core.tenant import ChallengeRules, Failmode, PushBudget, TenantSettings
from countersign.ports import Change
from countersign.settings import load_settings
from tests.browsers import Browser, Walk, at_the_prompt, state_of
from tests.builders import IDENTIFIER_KEY, RETURN_URL, a_tenant
from tests.shaky import ShakyStore

MEGABYTE = 1024 * 1024
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW")
ROUTES = ("/c/{id}", "/callback", "/style.css", "/nothing", "/", "/c/x")
NEVER = ("camera", "microphone", "geolocation", "payment", "usb", "publickey-credentials-get")
LEARN_NOTHING = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-robots-tag": "noindex",
}


def is_safe(response: httpx.Response, *, kept: bool = False, secure: bool = True) -> None:
    """The answer is not kept, framed, sniffed or referred from, runs nothing, and asks for nothing."""
    headers = response.headers
    assert LEARN_NOTHING.items() <= dict(headers).items()
    policy = dict(
        part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert set(NEVER) <= set(re.findall(r"([a-z-]+)=\(\)", headers["permissions-policy"]))
    assert "*" not in headers["permissions-policy"]
    assert headers["cache-control"] == ("public, max-age=3600" if kept else "no-store")
    assert headers.get("strict-transport-security") == ("max-age=31536000" if secure else None)
    # Once each: of two policies, or two lifetimes, a browser may take either.
    names = [name.lower() for name, _ in headers.raw if name.lower() != b"set-cookie"]
    assert len(names) == len(set(names))
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(headers)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", ROUTES)
async def test_whatever_is_asked_of_whatever_address(method: str, route: str) -> None:
    """GET alone is answered: HEAD too would open a prompt for whoever only looks. Else 405, and `Allow`."""
    walk = Walk()
    challenge = await walk.open()
    response = await walk.browser().http.request(method, route.format(id=challenge.id))
    kept = (method, route) == ("GET", "/style.css")
    is_safe(response, kept=kept)
    if route in {"/nothing", "/"}:
        assert response.status_code == 404
    elif method == "GET":
        assert response.status_code == {"/c/{id}": 303, "/callback": 400, "/c/x": 404}.get(
            route, 200
        )
    else:
        assert response.status_code == 405
        assert response.headers["allow"] == "GET"
    assert (await walk.stands(challenge)).visits == () or (method, route) == ("GET", "/c/{id}")


@pytest.mark.parametrize("route", ROUTES)
async def test_a_huge_body_is_refused_unread(route: str) -> None:
    """Nothing here takes a body, so a method that has one is refused whatever it brings."""
    async with walk_client() as http:
        for headers in ({}, {"content-type": "application/json"}, {"content-length": "1" * 15}):
            response = await http.post(
                route.format(id="00" + "A" * 22), content=b"x" * 11 * MEGABYTE, headers=headers
            )
            assert response.status_code == (404 if route in {"/nothing", "/"} else 405)
            is_safe(response)


def walk_client() -> httpx.AsyncClient:
    """Return a client of a challenger of its own."""
    return Walk().browser().http


def a_walk(**changes: Any) -> Walk:  # noqa: ANN401  # TenantSettings' own fields
    """Return a walk of a tenant that differs."""
    return Walk(a_tenant(**changes))


async def _after(answer: DuoAnswer) -> httpx.Response:
    walk = Walk()
    _, browser, state = await at_the_prompt(walk)
    return await browser.callback(state, duo_code=walk.duo.answer(state, answer))


async def _with_duo(error: DuoError, failmode: Failmode = Failmode.CLOSED) -> httpx.Response:
    rules = ChallengeRules(return_urls=(RETURN_URL,), failmode=failmode)
    walk = a_walk(challenge=rules)
    walk.duo.health["acme"] = error
    return await walk.browser().visit(await walk.open())


async def _approved() -> httpx.Response:
    walk = Walk()
    _, browser, state = await at_the_prompt(walk)
    return await browser.callback(state, duo_code=walk.duo.approve(state))


async def _being_checked() -> httpx.Response:
    walk = Walk()
    challenge, browser, _ = await at_the_prompt(walk)
    claimed = claim(await walk.stands(challenge), "another", walk.now, timedelta(seconds=9))
    assert await walk.store.settle([Change(challenge=claimed)]) == [True]
    return await browser.visit(challenge)


async def _finished() -> httpx.Response:
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    await browser.callback(state, error="access_denied")
    return await browser.visit(challenge)


async def _unknown() -> httpx.Response:
    return await walk_client().get("/c/00" + "A" * 22)


async def _stranger() -> httpx.Response:
    walk = Walk()
    _, _, state = await at_the_prompt(walk)
    return await walk.browser().callback(state, duo_code="code")


async def _elsewhere() -> httpx.Response:
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    await browser.callback(state, duo_code=walk.duo.approve(state))
    return await walk.browser().visit(challenge)


async def _late() -> httpx.Response:
    walk = Walk()
    challenge = await walk.open()
    walk.pass_time(minutes=6)
    return await walk.browser().visit(challenge)


async def _prompted_too_often() -> httpx.Response:
    walk = a_walk(push_budget=PushBudget(prompts=1))
    challenge, browser, _ = await at_the_prompt(walk)
    return await browser.visit(challenge)


async def _without_store() -> httpx.Response:
    store = ShakyStore()
    walk = Walk(store=store)
    challenge = await walk.open()
    store.down = True
    return await walk.browser().visit(challenge)


async def _broken() -> httpx.Response:
    class Broken:
        def settings(self, _: str) -> TenantSettings:
            message = "a bug"
            raise RuntimeError(message)

        version = settings

    walk = Walk()
    challenge = await walk.open()
    challenger = walk.another(directory=Broken())  # type: ignore[arg-type]  # that is the bug
    return await Browser(challenger.app).visit(challenge)


ANSWERS: dict[str, tuple[int, Callable[[], Awaitable[httpx.Response]]]] = {
    "being checked": (202, _being_checked),
    "approved": (303, _approved),
    "let in without Duo": (303, lambda: _with_duo(DuoUnavailableError("away"), Failmode.OPEN)),
    "denied": (403, lambda: _after(DuoAnswer(allowed=False))),
    "ended": (403, _finished),
    "unknown": (404, _unknown),
    "another browser": (403, _stranger),
    "approved elsewhere": (409, _elsewhere),
    "too late": (410, _late),
    "too often": (429, _prompted_too_often),
    "broken": (500, _broken),
    "Duo refuses": (502, lambda: _with_duo(DuoRefusedError("refused"))),
    "Duo away": (503, lambda: _with_duo(DuoUnavailableError("away"))),
    "Duo busy": (503, lambda: _with_duo(DuoBusyError("busy"))),
    "store away": (503, _without_store),
}


@pytest.mark.parametrize(("status", "answered"), ANSWERS.values(), ids=ANSWERS)
async def test_however_it_goes(
    status: int, answered: Callable[[], Awaitable[httpx.Response]]
) -> None:
    """Redirects, refusals and faults alike."""
    response = await answered()
    assert response.status_code == status
    is_safe(response)
    is_page = "content-language" in response.headers
    assert is_page == (status != 303)
    assert ("retry-after" in response.headers) == (status in {429, 503})


async def test_without_tls_nobody_is_told_to_stay_with_it() -> None:
    """On loopback, where it may be plain HTTP, a browser is not told that the host speaks TLS."""
    settings = load_settings(public_url="http://localhost:8443", identifier_key=IDENTIFIER_KEY)
    walk = Walk(settings=settings)
    browser = Browser(walk.challenger.app, base="http://localhost:8443")
    is_safe(await browser.http.get("/nothing"), secure=False)
    is_safe(await browser.visit(await walk.open()), secure=False)


COOKIE = re.compile(
    r"__Host-countersign-visit-[A-Za-z0-9_-]{16,}=[A-Za-z0-9_-]{43}(?P<attributes>(; [^;,]+)+)"
)


async def test_a_cookie_is_opaque_and_for_this_host_alone() -> None:
    """`__Host-`, Secure, HttpOnly, Lax, for the whole host and no other; its value says nothing."""
    walk = Walk()
    challenge = await walk.open()
    response = await walk.browser().visit(challenge)
    found = COOKIE.fullmatch(response.headers["set-cookie"])
    assert found is not None
    attributes = {
        one.partition("=")[0].lower(): one.partition("=")[2]
        for one in found["attributes"][2:].split("; ")
    }
    assert attributes.keys() == {"secure", "httponly", "path", "samesite", "max-age"}
    assert attributes["path"] == "/"
    assert attributes["samesite"].lower() == "lax"
    state = state_of(response)
    assert challenge.id not in found[0]
    assert state[24:] not in found[0]


async def test_cookies_that_are_taken_away_are_taken_away_as_they_were_given() -> None:
    """A browser forgets a `__Host-` cookie only where the order to do so would be a good one itself."""
    walk = a_walk(push_budget=PushBudget(prompts=100))
    browser, challenge = walk.browser(), await walk.open()
    for _ in range(21):
        response = await browser.visit(challenge)
    gone = [one for one in response.headers.get_list("set-cookie") if "max-age=0" in one.lower()]
    assert len(gone) == 20
    for one in gone:
        assert one.startswith("__Host-countersign-visit-")
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= set(one.lower().split("; "))


@pytest.mark.parametrize("page", ["/nothing", "/callback", "/c/x", "/style.css"])
async def test_no_cookie_is_set_where_no_prompt_is_opened(page: str) -> None:
    """Whoever isn't sent to Duo isn't given anything to be known by."""
    assert "set-cookie" not in (await walk_client().get(page)).headers
