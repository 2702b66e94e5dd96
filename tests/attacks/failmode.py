"""A Duo that is away, or is made to look so: nobody is let in whom the tenant's failmode doesn't let in.

Only a Duo that can't be reached opens a failmode, and only before a prompt was opened. One that can't prove
who it is, refuses our secret, or sends nonsense, opens none: whoever sits in between could send that.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import Final

from countersign.challenger.answers import Page
from countersign.core.challenge import State
from countersign.core.result import Assurance
from countersign.core.tenant import ChallengeRules, Failmode
from tests.attacks.scene import Scene
from tests.attacks.table import (
    AWAY,
    CHALLENGED,
    LET_IN,
    NOTHING,
    WRONG_CODE,
    At,
    Expected,
    Row,
    failed,
    page,
    passed,
)
from tests.builders import GLOBEX, RETURN_URL
from tests.duo_server import HEALTHY, Behaviour, as_json, raw, reply, reset

_RULES: Final = ChallengeRules(return_urls=(RETURN_URL,), failmode=Failmode.OPEN)
OPEN: Final = {"challenge": _RULES}
_HTML: Final = b"<html>Sorry</html>"
_ENDED: Final = ("challenge_ended", "duo_error")

GONE: Final = page(
    503,
    Page.DUO_UNAVAILABLE,
    ends=(AWAY,),
    state=State.FAILED,
    logged=_ENDED,
)
IN: Final = page(
    303,
    None,
    ends=(LET_IN,),
    state=State.FAILED_OPEN,
    assurance=Assurance.FAIL_OPEN,
    logged=("duo_error", "failed_open"),
)
REFUSED: Final = failed(exchanges=0)
BUSY: Final = page(503, Page.DUO_AWAY, logged=("duo_error",))


async def arrives(scene: Scene, behaviour: Behaviour | None = None) -> None:
    """A browser that comes with a link while Duo is as it is; one that is let in comes back with its code."""
    if behaviour is not None:
        scene.world.rogue.behaviour = behaviour
    login = await scene.login()
    seen = await scene.ask(scene.browser(), login.link)
    if "mfa_code=" in seen.location:
        await scene.returns(login, seen.return_code)


async def returns_with(scene: Scene, behaviour: Behaviour) -> None:
    """Duo fails while the code is exchanged: the prompt was open, so no failmode lets anybody in."""
    prompt = await scene.at_the_prompt()
    scene.world.rogue.behaviour = behaviour
    await scene.comes_back(prompt, {"state": prompt.state, "duo_code": scene.code()})


async def arrives_second(scene: Scene) -> None:
    """A prompt is open when Duo goes away: a second visit opens nothing, and the first may still end well."""
    prompt = await scene.at_the_prompt()
    scene.world.rogue.behaviour = reset
    away = await scene.ask(scene.browser(), prompt.login.link, challenger=1)
    assert away.page is Page.DUO_AWAY
    scene.world.rogue.behaviour = scene.world.rogue.well
    await scene.comes_back(prompt, scene.says(prompt))
    await scene.returns(prompt.login, scene.seen.return_code)


async def let_in_without_the_return(scene: Scene) -> None:
    """A browser that was let past an absent Duo, and stays away, has not signed in."""
    login = await scene.login()
    await scene.ask(scene.browser(), login.link)
    await scene.ask(scene.browser(), login.link)


async def let_in_with_a_guess(scene: Scene) -> None:
    """Fail-open or not, a guessed return code denies."""
    login = await scene.login()
    await scene.ask(scene.browser(), login.link)
    await scene.returns(login, secrets.token_urlsafe(16))


async def seeds_nothing(scene: Scene) -> None:
    """A fail-open remembers no browser: the next login is challenged again."""
    browser_id = scene.browser_id()
    login = await scene.login(browser_id=browser_id)
    seen = await scene.ask(scene.browser(), login.link)
    await scene.returns(login, seen.return_code)
    await scene.login(browser_id=browser_id)


async def one_of_two(scene: Scene) -> None:
    """A tenant whose Duo hangs keeps nobody of another tenant waiting."""
    scene.world.rogue.behaviour = raw(hang=True)
    hangs, goes = await scene.login(), await scene.login(tenant=GLOBEX)
    waiting = asyncio.create_task(scene.ask(scene.browser(), hangs.link))
    await scene.at_the_prompt(goes)
    assert not waiting.done()
    await waiting


async def environment(scene: Scene) -> None:
    """Proxies and passwords of the process's environment never come between us and Duo."""
    await_from = len(scene.world.rogue.requests)
    prompt = await scene.at_the_prompt()
    await scene.comes_back(prompt, scene.says(prompt))
    await scene.returns(prompt.login, scene.seen.return_code)
    for request in scene.world.rogue.requests[await_from:]:
        assert not {"authorization", "proxy-authorization", "cookie"} & set(request.headers)


_BROKEN: Final[dict[str, Behaviour]] = {
    "status 500": reply(500, _HTML),
    "status 503 that says OK": as_json(HEALTHY, status=503),
    "a reset": reset,
    "a body cut short": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"),
}
_NONSENSE: Final[dict[str, Behaviour]] = {
    "a page with status 200": reply(200, _HTML),
    "a redirect": reply(302, b"", "Location: https://evil.example.net/"),
    "a refusal": as_json({"stat": "FAIL", "code": 40002, "message": "no"}, status=400),
    "no verdict": as_json({"response": {}}),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "1 MB": reply(200, b"x" * 1_000_000),
}


def _arrives(
    number: int, name: str, expected: Expected, behaviour: Behaviour, **how: object
) -> Row:
    attack = partial(arrives, behaviour=behaviour)
    settings = OPEN if how.get("opens") else {}
    return Row(f"failmode-{number} {name}", ("30",), attack, expected, At.ROGUE, settings)


def _account(number: int, name: str, expected: Expected, at: At, *rules: str) -> Row:
    return Row(f"failmode-{number} {name}", ("30", *rules), arrives, expected, at, OPEN)


def _exchange(number: int, name: str, expected: Expected, behaviour: Behaviour) -> Row:
    attack = partial(returns_with, behaviour=behaviour)
    return Row(f"failmode-{number} {name}", ("30",), attack, expected, At.ROGUE, OPEN)


_MIDWAY: Final = page(
    503, Page.DUO_UNAVAILABLE, ends=(AWAY,), state=State.FAILED, logged=_ENDED, exchanges=1
)

ROWS: Final = (
    Row("failmode-01 nobody listens, closed", ("30",), arrives, GONE, At.NOWHERE),
    Row("failmode-02 nobody listens, open", ("30",), arrives, IN, At.NOWHERE, OPEN),
    Row(
        "failmode-03 let in, and stays away",
        ("30", "17b"),
        let_in_without_the_return,
        page(
            409,
            Page.ELSEWHERE,
            state=State.PROVEN,
            logged=("duo_error", "failed_open"),
        ),
        At.NOWHERE,
        OPEN,
    ),
    Row(
        "failmode-04 let in, and guesses",
        ("30", "17c"),
        let_in_with_a_guess,
        page(
            303,
            None,
            ends=(WRONG_CODE,),
            state=State.DENIED,
            logged=("duo_error", "failed_open"),
        ),
        At.NOWHERE,
        OPEN,
    ),
    Row(
        "failmode-05 let in, and comes again",
        ("30",),
        seeds_nothing,
        page(
            303,
            None,
            ends=(LET_IN, NOTHING),
            decisions=(CHALLENGED, CHALLENGED),
            state=State.FAILED_OPEN,
            assurance=Assurance.FAIL_OPEN,
            logged=("duo_error", "failed_open"),
        ),
        At.NOWHERE,
        OPEN,
    ),
    *(
        _arrives(number, f"{name}, closed", GONE, behaviour)
        for number, (name, behaviour) in enumerate(_BROKEN.items(), 10)
    ),
    *(
        _arrives(number, f"{name}, open", IN, behaviour, opens=True)
        for number, (name, behaviour) in enumerate(_BROKEN.items(), 20)
    ),
    *(
        _arrives(number, f"{name}, open", REFUSED, behaviour, opens=True)
        for number, (name, behaviour) in enumerate(_NONSENSE.items(), 30)
    ),
    _arrives(40, "too many calls, open", BUSY, reply(429, _HTML), opens=True),
    _arrives(45, "silence, open", IN, raw(hang=True), opens=True),
    _account(41, "an impostor's certificate, open", REFUSED, At.IMPOSTOR, "37"),
    _account(42, "a secret that Duo refuses, open", REFUSED, At.WRONG_SECRET),
    _account(43, "a host that isn't listed, open", REFUSED, At.ELSEWHERE, "39"),
    Row(
        "failmode-44 one tenant's Duo hangs",
        ("30",),
        one_of_two,
        page(
            503,
            Page.DUO_UNAVAILABLE,
            ends=(AWAY, NOTHING),
            decisions=(CHALLENGED, CHALLENGED),
            state=State.FAILED,
            logged=_ENDED,
        ),
        At.ROGUE,
    ),
    *(
        _exchange(number, f"at the exchange: {name}", _MIDWAY, behaviour)
        for number, (name, behaviour) in enumerate(_BROKEN.items(), 50)
    ),
    _exchange(54, "at the exchange: silence", _MIDWAY, raw(hang=True)),
    _exchange(
        55,
        "at the exchange: too many calls",
        page(503, Page.DUO_AWAY, state=State.EXCHANGING, logged=("duo_error",), exchanges=1),
        reply(429, _HTML),
    ),
    Row(
        "failmode-60 away at a second visit",
        ("30",),
        arrives_second,
        passed(logged=("duo_error",)),
        At.ROGUE,
        OPEN,
    ),
    Row("failmode-61 proxies and passwords around us", ("37",), environment, passed(), At.ROGUE),
)
