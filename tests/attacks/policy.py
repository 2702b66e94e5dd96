"""Attacks on what spares a user the prompt, or gives one too many: browsers, budgets, addresses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from countersign.challenger.answers import Page
from countersign.core.challenge import State
from countersign.core.login import MULTI_FACTOR_ACR
from countersign.core.result import Assurance, Reason, ResultType
from countersign.core.tenant import DuoUsername, Mfa, Policy, PushBudget, Remember
from countersign.simulator.behaviour import Behaviour
from tests.attacks.scene import Scene
from tests.attacks.table import (
    CHALLENGED,
    NOTHING,
    PASSED,
    Expected,
    Row,
    Said,
    denied,
    nobody,
    page,
    passed,
)
from tests.builders import GLOBEX, a_forget_record
from tests.bus import PATIENCE

REMEMBERED: Final[Said] = (ResultType.LOGIN_ALLOWED, Reason.REMEMBERED_BROWSER)
SPENT: Final[Said] = (ResultType.LOGIN_DENIED, Reason.PUSH_BUDGET_SPENT)
BAD_ADDRESS: Final[Said] = (ResultType.LOGIN_DENIED, Reason.RETURN_URL_NOT_ALLOWED)
NAMELESS: Final[Said] = (ResultType.LOGIN_DENIED, Reason.DUO_USERNAME_MISSING)
LATE: Final[Said] = (ResultType.LOGIN_DENIED, Reason.LOGIN_EXPIRED)
_SECOND: Final = timedelta(seconds=1)
_BRIEFLY: Final = {"remember": Remember(idle=_SECOND, absolute=_SECOND)}


async def known_browser(scene: Scene) -> str:
    """Have the user pass in a browser; return the relying party's id of it."""
    browser_id = scene.browser_id()
    await scene.passes(await scene.login(browser_id=browser_id))
    return browser_id


async def of_another_user(scene: Scene) -> None:
    """A browser that is remembered for one user is any browser for another, by the same id."""
    browser_id = await known_browser(scene)
    await scene.login(subject=f"{scene.user}-mallory", browser_id=browser_id)


async def of_another_tenant(scene: Scene) -> None:
    """A browser that is remembered at one tenant is any browser at another, for a user of the same name."""
    browser_id = await known_browser(scene)
    await scene.login(tenant=GLOBEX, browser_id=browser_id)


async def with_an_id_like_it(scene: Scene) -> None:
    """An id that is not exactly the remembered one's is another browser's."""
    browser_id = await known_browser(scene)
    await scene.login(browser_id=browser_id.upper())
    await scene.login(browser_id=f"{browser_id} ")
    await scene.login(browser_id=browser_id[:-1])


async def stolen_hash(scene: Scene) -> None:
    """Whoever reads Redis can't use what stands there as a browser's id."""
    await known_browser(scene)
    stored = await scene.world.bus.store.remembered(scene.row.tenant, scene.user)
    await scene.login(browser_id=next(iter(stored)))


async def past_its_end(scene: Scene) -> None:
    """A browser is not remembered a moment longer than the tenant's settings say."""
    browser_id = await known_browser(scene)
    await challenged_at_last(scene, browser_id)


async def under_a_shorter_cap(scene: Scene) -> None:
    """A cap that was lowered since holds for browsers that were promised more."""
    browser_id = await known_browser(scene)
    remembered = await scene.login(browser_id=browser_id)
    assert remembered.said == REMEMBERED
    scene.logins.remove(remembered)
    draft = scene.world.draft(scene.row.tenant, scene.row.at, _BRIEFLY)
    await scene.world.settle([draft])
    await challenged_at_last(scene, browser_id)


async def challenged_at_last(scene: Scene, browser_id: str) -> None:
    """Log in until the browser is not remembered any more; keep the login that was challenged."""
    async with asyncio.timeout(PATIENCE):
        while (login := await scene.login(browser_id=browser_id)).said == REMEMBERED:
            scene.logins.remove(login)


async def forgotten(scene: Scene) -> None:
    """After a "forget" the next login is challenged, though it was published a moment later."""
    browser_id = await known_browser(scene)
    await forget(scene)
    await scene.login(browser_id=browser_id)


async def forgotten_with_a_challenge_open(scene: Scene) -> None:
    """A challenge that was open when the browsers were forgotten passes, and seeds none."""
    prompt = await scene.proven()
    code = scene.seen.return_code
    await forget(scene)
    await scene.returns(prompt.login, code)


async def forgotten_for_another(scene: Scene) -> None:
    """A "forget" of one user leaves the other's browsers alone."""
    browser_id = await known_browser(scene)
    await forget(scene, f"{scene.user}-bob")
    await scene.login(browser_id=browser_id)


async def forget(scene: Scene, subject: str | None = None) -> None:
    """Publish that a user's browsers are to be forgotten."""
    record = a_forget_record(
        tenant=scene.row.tenant,
        event_id=scene.event_id(),
        subject=subject or scene.user,
        time=datetime.now(UTC),
    )
    await scene.world.bus.send(record)


async def stepped_up(scene: Scene, **asked: Any) -> None:  # noqa: ANN401  # parts of a login event
    """A remembered browser doesn't meet a step-up: who asks for MFA gets a prompt."""
    browser_id = await known_browser(scene)
    await scene.login(browser_id=browser_id, **asked)


async def not_earned(scene: Scene, behaviour: Behaviour, *, returns: bool) -> None:
    """A browser is remembered with a pass alone."""
    browser_id = scene.browser_id()
    prompt = await scene.at_the_prompt(await scene.login(browser_id=browser_id))
    seen = await scene.comes_back(prompt, await scene.duo(prompt, behaviour))
    if returns:
        await scene.returns(prompt.login, seen.return_code)
    await scene.login(browser_id=browser_id)


async def sixth_login(scene: Scene) -> None:
    """The sixth prompt of a user within ten minutes is none: the login is denied."""
    for _ in range(6):
        await scene.login()


async def many_visits(scene: Scene) -> None:
    """A link opened again and again prompts no more often than the budget allows."""
    login = await scene.login()
    for _ in range(5):
        await scene.at_the_prompt(login, scene.browser())
    await scene.ask(scene.browser(), login.link)


async def many_visits_at_once(scene: Scene) -> None:
    """A link opened by thirty browsers at once, at both challengers, opens five prompts at most."""
    login = await scene.login()
    seen = await asyncio.gather(
        *(scene.ask(scene.browser(), login.link, challenger=number % 2) for number in range(30))
    )
    assert sum(one.status == 303 for one in seen) <= 5
    while (await scene.ask(scene.browser(), login.link)).page is not Page.TOO_MANY_PROMPTS:
        pass


async def budget_of_another(scene: Scene) -> None:
    """Nobody spends another user's budget."""
    for _ in range(2):
        await scene.login(subject=f"{scene.user}-mallory")
    await scene.login()


async def sends(scene: Scene, **login: Any) -> None:  # noqa: ANN401  # a_login_record's
    """A login that lacks something to be challenged with is denied, and no prompt opens."""
    await scene.login(**login)


async def long_over(scene: Scene) -> None:
    """A login that is past its own end is denied, whoever held it back."""
    await scene.login(expires_at=datetime.now(UTC) - _SECOND)


def _two(decision: Said, **fields: Any) -> Expected:  # noqa: ANN401  # Expected's
    """Return what is expected of a pass, and of a second login."""
    return passed(ends=(PASSED, NOTHING), decisions=(CHALLENGED, decision), **fields)


def _denied(said: Said) -> Expected:
    return nobody(decisions=(said,))


_ADDRESSES: Final = {
    "another host": "https://evil.example.net/return",
    "a longer host": "https://shop.example.com.evil.example.net/return",
    "a longer path": "https://shop.example.com/return/../admin",
    "a user name in front": "https://shop.example.com@evil.example.net/return",
    "a query": "https://shop.example.com/return?next=https://evil.example.net",
    "other letters": "https://SHOP.example.com/return",
    "no TLS": "http://shop.example.com/return",
    "a script": "javascript:alert(1)",
    "a line feed": "https://shop.example.com/return\r\nSet-Cookie: a=b",
    "nothing": None,
}

ROWS: Final = (
    Row("policy-01 another user's browser", ("21",), of_another_user, _two(CHALLENGED)),
    Row("policy-02 another tenant's browser", ("21",), of_another_tenant, _two(CHALLENGED)),
    Row(
        "policy-03 an id like a remembered browser's",
        ("21",),
        with_an_id_like_it,
        passed(ends=(PASSED, *(NOTHING,) * 3), decisions=(CHALLENGED,) * 4),
    ),
    Row("policy-04 a browser's hash from Redis", ("21", "25"), stolen_hash, _two(CHALLENGED)),
    Row(
        "policy-10 a browser past its end",
        ("22",),
        past_its_end,
        _two(CHALLENGED, remembered=0),
        settings=_BRIEFLY,
    ),
    Row(
        "policy-11 a browser past a cap that was lowered",
        ("23",),
        under_a_shorter_cap,
        _two(CHALLENGED),
    ),
    Row("policy-20 forgotten", ("24",), forgotten, _two(CHALLENGED, remembered=0)),
    Row(
        "policy-21 forgotten while a challenge is open",
        ("24",),
        forgotten_with_a_challenge_open,
        passed(remembered=0),
    ),
    Row("policy-22 another user's are forgotten", ("24",), forgotten_for_another, _two(REMEMBERED)),
    Row(
        "policy-30 acr_values",
        ("26",),
        partial(stepped_up, transaction={"acr_values": [MULTI_FACTOR_ACR]}),
        _two(CHALLENGED),
    ),
    Row(
        "policy-31 max_age of none",
        ("26",),
        partial(stepped_up, transaction={"max_age": 0}),
        _two(CHALLENGED),
    ),
    Row(
        "policy-32 a max_age that nobody can read",
        ("26",),
        partial(stepped_up, request={"query": {"max_age": "never"}}),
        _two(CHALLENGED),
    ),
    Row(
        "policy-40 a denial seeds nothing",
        ("14",),
        partial(not_earned, behaviour=Behaviour.DENY_WITH_TOKEN, returns=False),
        denied(ends=(denied().ends[0], NOTHING), decisions=(CHALLENGED, CHALLENGED)),
    ),
    Row(
        "policy-41 an approval without the return seeds nothing",
        ("17b",),
        partial(not_earned, behaviour=Behaviour.APPROVE, returns=False),
        page(
            303,
            None,
            ends=(NOTHING, NOTHING),
            decisions=(CHALLENGED, CHALLENGED),
            state=State.PROVEN,
            exchanges=1,
        ),
    ),
    Row(
        "policy-42 a bypass seeds nothing",
        ("14",),
        partial(not_earned, behaviour=Behaviour.BYPASS, returns=True),
        _two(CHALLENGED, assurance=Assurance.DUO_BYPASS, remembered=0),
    ),
    Row(
        "policy-50 the sixth login in ten minutes",
        ("27",),
        sixth_login,
        nobody(
            ends=(NOTHING,) * 6,
            decisions=(*(CHALLENGED,) * 5, SPENT),
            state=State.PENDING,
        ),
    ),
    Row(
        "policy-51 one link, many visits",
        ("27",),
        many_visits,
        page(429, Page.TOO_MANY_PROMPTS, logged=("push_budget_spent",)),
    ),
    Row(
        "policy-52 one link, thirty visits at once",
        ("27",),
        many_visits_at_once,
        page(429, Page.TOO_MANY_PROMPTS, logged=("push_budget_spent",)),
    ),
    Row(
        "policy-53 another user's budget",
        ("27",),
        budget_of_another,
        nobody(
            ends=(NOTHING,) * 3,
            decisions=(CHALLENGED, SPENT, CHALLENGED),
            state=State.PENDING,
        ),
        settings={"push_budget": PushBudget(prompts=1)},
    ),
    *(
        Row(
            f"policy-6{number} back to {name}",
            ("17",),
            partial(sends, return_url=address),
            _denied(BAD_ADDRESS),
        )
        for number, (name, address) in enumerate(_ADDRESSES.items())
    ),
    Row(
        "policy-70 an address that isn't verified for a name",
        ("13",),
        partial(sends, user={"email_verified": False}),
        _denied(NAMELESS),
        settings={"mfa": Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.EMAIL)},
    ),
    Row(
        "policy-71 a name of blanks",
        ("13",),
        partial(sends, user={"username": " \u00a0"}),
        _denied(NAMELESS),
        settings={"mfa": Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.USERNAME)},
    ),
    Row("policy-72 a login past its end", ("6",), long_over, _denied(LATE)),
)
