"""A challenge link relayed to somebody else, in every variant; and return codes that belong elsewhere.

Mallory knows Dave's password, signs in as Dave at the shop, and wants Dave to do the rest. The row's first
login is the one that Mallory began; it never passes.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import Final

from countersign.challenger.answers import Page
from countersign.core.challenge import State
from countersign.core.errors import Defect
from countersign.core.tenant import PushBudget
from countersign.simulator.behaviour import Behaviour
from tests.attacks.scene import Scene
from tests.attacks.table import (
    CHALLENGED,
    FRAUD,
    NOTHING,
    PASSED,
    WRONG_CODE,
    Attack,
    Expected,
    Row,
    denied,
    nobody,
    page,
    passed,
)
from tests.builders import GLOBEX

ELSEWHERE: Final = page(409, Page.ELSEWHERE, state=State.PROVEN, exchanges=1)
TWO: Final = (CHALLENGED, CHALLENGED)
_MANY_PROMPTS: Final = {"push_budget": PushBudget(prompts=100)}


async def victim_approves(scene: Scene) -> None:
    """Dave opens Mallory's link and approves: the code is in Dave's browser, and Mallory gets a page."""
    relayed = await scene.login()
    await scene.proven(relayed, scene.browser())
    await scene.ask(scene.browser(), relayed.link)


async def thief_was_there_first(scene: Scene) -> None:
    """Mallory opens the link before Dave does; her visit's cookie doesn't make her Dave's browser."""
    thief = (await scene.at_the_prompt()).browser
    await scene.proven(scene.logins[0], scene.browser())
    await scene.ask(thief, scene.logins[0].link)


async def thief_polls(scene: Scene) -> None:
    """Mallory asks again and again, before, while and after Dave approves, at both challengers."""
    relayed = await scene.login()
    thief, victim = scene.browser(), scene.browser()

    async def poll() -> None:
        for number in range(20):
            seen = await scene.ask(thief, relayed.link, challenger=number % 2)
            assert "mfa_code" not in seen.location

    await asyncio.gather(poll(), scene.proven(relayed, victim))
    await scene.ask(thief, relayed.link)


async def victim_has_a_login_of_his_own(scene: Scene) -> None:
    """Dave's browser has a login of its own at the same shop: the code counts for that one, and denies it.

    The shop takes the event id from Dave's own session. A code of another challenge is a wrong code, so
    Dave signs in again; Mallory's login has no outcome by it.
    """
    relayed, own = await scene.login(), await scene.login()
    await scene.proven(relayed, scene.browser())
    await scene.returns(own, scene.seen.return_code)
    await scene.ask(scene.browser(), relayed.link)


async def victim_is_at_two_prompts(scene: Scene) -> None:
    """Dave's browser is at his own prompt when he opens the link: each return code is its challenge's."""
    relayed, own = await scene.login(), await scene.login()
    victim = scene.browser()
    mine = await scene.at_the_prompt(own, victim)
    await scene.proven(relayed, victim)
    await scene.comes_back(mine, await scene.duo(mine, Behaviour.APPROVE))
    await scene.returns(own, scene.seen.return_code)
    await scene.ask(scene.browser(), relayed.link)


async def thief_uses_the_code_of_the_victims_own_login(scene: Scene) -> None:
    """Dave approves both; the code of his own login, in Mallory's hands, is a wrong one for hers."""
    relayed, own = await scene.login(), await scene.login()
    victim = scene.browser()
    await scene.proven(relayed, victim)
    await scene.proven(own, victim)
    await scene.returns(relayed, scene.seen.return_code)


async def thief_has_the_victims_event_id(scene: Scene) -> None:
    """Mallory names Dave's login in the return address: the shop asks about her own session's login."""
    own, relayed = await scene.login(), await scene.login()
    await scene.proven(own, scene.browser())
    code = scene.seen.return_code
    scene.logins.reverse()
    await scene.returns(relayed, secrets.token_urlsafe(16))
    await scene.returns(own, code)


async def thief_relays_duos_address(scene: Scene) -> None:
    """Mallory relays Duo's own address: Dave's browser comes back to a visit that isn't its own."""
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, Behaviour.APPROVE)
    await scene.comes_back(prompt, brought, browser=scene.browser())


async def victim_is_lured_to_the_thiefs_callback(scene: Scene) -> None:
    """Mallory lures Dave's browser, which is at a prompt, to the end of her own visit: it is another's."""
    mallorys = await scene.at_the_prompt(await scene.login(subject=f"{scene.user}-mallory"))
    brought = await scene.duo(mallorys, Behaviour.APPROVE)
    victim = (await scene.at_the_prompt(await scene.login())).browser
    await scene.comes_back(mallorys, brought, browser=victim)


async def thief_replays_what_the_victim_brought(scene: Scene) -> None:
    """Mallory reads the address that Dave came back to in a log, and opens it: she lacks the cookie."""
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, Behaviour.APPROVE)
    await scene.comes_back(prompt, brought)
    await scene.comes_back(prompt, brought, browser=scene.browser())


async def thief_is_faster(scene: Scene) -> None:
    """Mallory opens that address before Dave's browser does: the code stays good for Dave's."""
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, Behaviour.APPROVE)
    await scene.comes_back(prompt, brought, browser=scene.browser())
    await scene.comes_back(prompt, brought)
    await scene.ask(scene.browser(), prompt.login.link)


async def victim_denies(scene: Scene) -> None:
    """Dave denies: both are told, and nothing that Mallory does afterwards opens it again."""
    relayed = await scene.login()
    prompt = await scene.at_the_prompt(relayed, scene.browser())
    await scene.comes_back(prompt, await scene.duo(prompt, Behaviour.DENY_WITH_TOKEN))
    await scene.ask(scene.browser(), relayed.link)


async def victim_reports_it(scene: Scene) -> None:
    """Dave says that it wasn't him: it ends as denied, and an operator can read of it."""
    relayed = await scene.login()
    prompt = await scene.at_the_prompt(relayed, scene.browser())
    await scene.comes_back(prompt, await scene.duo(prompt, Behaviour.FRAUD))


async def two_tabs(scene: Scene) -> None:
    """One browser, two tabs: each has a prompt, the first answer counts, and both lead to one return."""
    browser = scene.browser()
    first = await scene.at_the_prompt(None, browser)
    second = await scene.at_the_prompt(first.login, browser)
    await scene.comes_back(second, await scene.duo(second, Behaviour.APPROVE))
    code = scene.seen.return_code
    await scene.comes_back(first, await scene.duo(first, Behaviour.APPROVE))
    assert scene.seen.return_code == code
    await scene.returns(first.login, code)


async def opened_twice_and_both_approve(scene: Scene) -> None:
    """Two browsers at prompts of one link, both approved at once: one gets a code, the other a page."""
    first = await scene.at_the_prompt()
    second = await scene.at_the_prompt(first.login)
    brought = [await scene.duo(one, Behaviour.APPROVE) for one in (first, second)]
    seen = await asyncio.gather(
        scene.comes_back(first, brought[0]), scene.comes_back(second, brought[1], challenger=1)
    )
    assert sum("mfa_code" in one.location for one in seen) <= 1
    await scene.ask(scene.browser(), first.login.link)


async def second_challenge_of_the_user(scene: Scene) -> None:
    """Dave passes his own later login; that lends nothing to Mallory's earlier one."""
    relayed = await scene.login()
    await scene.at_the_prompt(relayed)
    await scene.passes(await scene.login(), scene.browser())
    await scene.ask(scene.browser(), relayed.link, challenger=1)


async def guessed(scene: Scene, *, proven: bool) -> None:
    """A guessed return code ends the challenge as denied, whether or not Duo has allowed."""
    login = await scene.login()
    if proven:
        await scene.proven(login)
    await scene.returns(login, secrets.token_urlsafe(16))


async def right_code_after_a_wrong_one(scene: Scene) -> None:
    """A guess can't be made good: the right code after a wrong one repeats the denial."""
    prompt = await scene.proven()
    code = scene.seen.return_code
    await scene.returns(prompt.login, secrets.token_urlsafe(16))
    await scene.returns(prompt.login, code)
    await scene.ask(prompt.browser, prompt.login.link)


async def repeated(scene: Scene) -> None:
    """The right code a second time, and a wrong one after it, repeat the pass that stands, byte for byte."""
    prompt = await scene.proven()
    code = scene.seen.return_code
    for each in (code, code, secrets.token_urlsafe(16)):
        await scene.returns(prompt.login, each)


async def code_of_an_earlier_login(scene: Scene) -> None:
    """The code of an earlier login of the same user and browser is a wrong one for the next."""
    browser = scene.browser()
    earlier = await scene.at_the_prompt(await scene.login(), browser)
    await scene.comes_back(earlier, await scene.duo(earlier, Behaviour.APPROVE))
    code = scene.seen.return_code
    await scene.returns(earlier.login, code)
    later = (await scene.proven(await scene.login(), browser)).login
    scene.logins.reverse()
    await scene.returns(later, code)


async def return_by_another(scene: Scene, **who: str) -> None:
    """Another tenant, source or user can't settle the challenge, with the right code even."""
    prompt = await scene.proven()
    await scene.returns(prompt.login, scene.seen.return_code, **who)


async def no_code_reaches_the_link(scene: Scene) -> None:
    """A return code in the link's query, or in the callback's, counts for nothing there."""
    prompt = await scene.proven()
    code = scene.seen.return_code
    await scene.ask(scene.browser(), prompt.login.link, f"mfa_code={code}")


_DEAD: Final = page(
    303, None, state=State.PROVEN, exchanges=1, dead_letters=(Defect.UNKNOWN_CHALLENGE,)
)


def _never(number: int, name: str, attack: Attack, expected: Expected = ELSEWHERE) -> Row:
    return Row(f"binding-{number:02} {name}", ("17b",), attack, expected, settings=_MANY_PROMPTS)


def _code(number: int, name: str, attack: Attack, expected: Expected) -> Row:
    return Row(f"binding-{number:02} {name}", ("17c",), attack, expected)


ROWS: Final = (
    _never(1, "the victim approves", victim_approves),
    _never(2, "the thief was there first", thief_was_there_first),
    _never(3, "the thief polls", thief_polls),
    _never(
        4,
        "the victim's browser has a login of its own",
        victim_has_a_login_of_his_own,
        page(
            409,
            Page.ELSEWHERE,
            ends=(NOTHING, WRONG_CODE),
            decisions=TWO,
            state=State.PROVEN,
            exchanges=1,
        ),
    ),
    _never(
        5,
        "the victim's browser is at two prompts",
        victim_is_at_two_prompts,
        page(
            409,
            Page.ELSEWHERE,
            ends=(NOTHING, PASSED),
            decisions=TWO,
            state=State.PROVEN,
            remembered=1,
            exchanges=2,
        ),
    ),
    _never(
        6,
        "the code of the victim's own login with the thief's event id",
        thief_uses_the_code_of_the_victims_own_login,
        page(
            303,
            None,
            ends=(WRONG_CODE, NOTHING),
            decisions=TWO,
            state=State.DENIED,
            exchanges=2,
        ),
    ),
    _never(
        7,
        "the thief has the victim's event id",
        thief_has_the_victims_event_id,
        page(
            303,
            None,
            ends=(WRONG_CODE, PASSED),
            decisions=TWO,
            state=State.DENIED,
            remembered=1,
            exchanges=1,
        ),
    ),
    _never(
        8,
        "Duo's own address is relayed",
        thief_relays_duos_address,
        page(403, Page.WRONG_BROWSER, logged=("wrong_browser",)),
    ),
    _never(
        9,
        "the victim is lured to the thief's callback",
        victim_is_lured_to_the_thiefs_callback,
        page(
            403,
            Page.WRONG_BROWSER,
            ends=(NOTHING, NOTHING),
            decisions=TWO,
            logged=("wrong_browser",),
        ),
    ),
    _never(
        10,
        "what the victim brought, replayed",
        thief_replays_what_the_victim_brought,
        page(
            403,
            Page.WRONG_BROWSER,
            state=State.PROVEN,
            exchanges=1,
            logged=("wrong_browser",),
        ),
    ),
    _never(
        11,
        "the thief is faster than the victim's browser",
        thief_is_faster,
        page(
            409,
            Page.ELSEWHERE,
            state=State.PROVEN,
            exchanges=1,
            logged=("wrong_browser",),
        ),
    ),
    _never(12, "the victim denies", victim_denies, denied()),
    _never(
        13,
        "the victim reports it",
        victim_reports_it,
        denied(ends=(FRAUD,)),
    ),
    _never(14, "two browsers at one link, both approve", opened_twice_and_both_approve),
    _never(
        15,
        "the victim passes a second challenge",
        second_challenge_of_the_user,
        page(
            303,
            None,
            ends=(NOTHING, PASSED),
            decisions=TWO,
            remembered=1,
            exchanges=1,
        ),
    ),
    _never(16, "a return code in the link's query", no_code_reaches_the_link),
    Row("binding-20 one browser, two tabs", ("17b",), two_tabs, passed()),
    _code(
        30,
        "a guess before Duo's word",
        partial(guessed, proven=False),
        nobody(ends=(WRONG_CODE,), state=State.DENIED),
    ),
    _code(
        31,
        "a guess after Duo's word",
        partial(guessed, proven=True),
        page(303, None, ends=(WRONG_CODE,), state=State.DENIED, exchanges=1),
    ),
    _code(
        32,
        "the right code after a wrong one",
        right_code_after_a_wrong_one,
        page(403, Page.DENIED, ends=(WRONG_CODE,), state=State.DENIED, exchanges=1),
    ),
    _code(33, "the code again, and another after it", repeated, passed()),
    _code(
        34,
        "the code of an earlier login",
        code_of_an_earlier_login,
        page(
            303,
            None,
            ends=(WRONG_CODE, PASSED),
            decisions=TWO,
            state=State.DENIED,
            remembered=1,
            exchanges=2,
        ),
    ),
    _code(35, "a return by another tenant", partial(return_by_another, tenant=GLOBEX), _DEAD),
    _code(
        36,
        "a return from another source",
        partial(return_by_another, source="https://evil.example.net"),
        _DEAD,
    ),
    _code(37, "a return of another user", partial(return_by_another, subject="auth0|bob"), _DEAD),
)
