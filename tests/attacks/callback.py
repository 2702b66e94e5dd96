"""Attacks on the addresses that browsers reach: states, codes, cookies, and what is sent over and over."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode

from countersign.challenger.answers import Page
from countersign.core.challenge import State
from countersign.core.identity import Stage
from countersign.simulator.behaviour import Behaviour
from tests.attacks.scene import Login, Prompt, Scene
from tests.attacks.table import (
    CHALLENGED,
    EXPIRED,
    FAILED,
    FRAUD,
    NOTHING,
    Attack,
    Row,
    denied,
    failed,
    page,
    passed,
)
from tests.builders import GLOBEX

SHORT: Final = timedelta(seconds=4)
CALLBACKS: Final = 50


async def unknown_state(scene: Scene) -> None:
    """A state that nobody was given is refused before anything is asked of Duo, and noted."""
    prompt = await scene.at_the_prompt()
    state = prompt.state[:24] + secrets.token_urlsafe(32)
    await scene.comes_back(prompt, {"state": state, "duo_code": scene.code()})


async def state_of_no_challenge(scene: Scene) -> None:
    """A state whose challenge doesn't exist is refused the same way."""
    prompt = await scene.at_the_prompt()
    state = "00" + secrets.token_urlsafe(16) + secrets.token_urlsafe(32)
    await scene.comes_back(prompt, {"state": state, "duo_code": scene.code()})


def odd(query: Callable[[str, str], str]) -> Attack:
    """Return the attack with a query that Duo would not send."""

    async def attack(scene: Scene) -> None:
        """A query with anything odd in it is refused whole, and nothing moves."""
        prompt = await scene.at_the_prompt()
        brought = await scene.duo(prompt, Behaviour.APPROVE)
        await scene.ask(prompt.browser, "/callback", query(brought["state"], brought["duo_code"]))

    return attack


async def without_the_cookie(scene: Scene) -> None:
    """A valid state and code in a browser without the visit's cookie are refused; nothing moves."""
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, Behaviour.APPROVE)
    await scene.comes_back(prompt, brought, browser=scene.browser())


async def with_another_visits_cookie(scene: Scene) -> None:
    """A browser with a cookie of another visit is another browser, and spoils nothing for the owner."""
    prompt = await scene.at_the_prompt()
    thief = (await scene.at_the_prompt(prompt.login)).browser
    brought = await scene.duo(prompt, Behaviour.APPROVE)
    refused = await scene.comes_back(prompt, brought, browser=thief)
    assert refused.page is Page.WRONG_BROWSER
    await scene.comes_back(prompt, brought)
    await scene.returns(prompt.login, scene.seen.return_code)


async def with_a_value_under_another_name(scene: Scene) -> None:
    """A visit's cookie value is good for that visit alone, whatever name it is put under."""
    prompt = await scene.at_the_prompt()
    theirs = await scene.at_the_prompt(prompt.login)
    ((_, value),) = theirs.browser.cookies.items()
    ((visit, _),) = prompt.browser.cookies.items()
    thief = scene.browser()
    thief.plant(visit, value)
    await scene.comes_back(prompt, await scene.duo(prompt, Behaviour.APPROVE), browser=thief)


async def with_a_cookie_that_a_neighbour_set(scene: Scene) -> None:
    """The right value under a name without the prefix, which any host nearby may set, doesn't count."""
    prompt = await scene.at_the_prompt()
    ((visit, value),) = prompt.browser.cookies.items()
    lured = scene.browser()
    lured.plant(visit, value, prefix="countersign-visit-")
    await scene.comes_back(prompt, await scene.duo(prompt, Behaviour.APPROVE), browser=lured)


async def replayed_when_passed(scene: Scene) -> None:
    """A callback that is sent again after the pass shows a page: no exchange, no second outcome."""
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, Behaviour.APPROVE)
    await scene.comes_back(prompt, brought)
    await scene.returns(prompt.login, scene.seen.return_code)
    for challenger in (0, 1):
        await scene.comes_back(prompt, brought, challenger=challenger)


async def replayed_when_denied(scene: Scene) -> None:
    """A callback that is sent again after a denial shows the denial again, and asks Duo nothing."""
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, Behaviour.DENY_WITH_TOKEN)
    for challenger in (0, 1, 0):
        await scene.comes_back(prompt, brought, challenger=challenger)


async def replayed_with_another_code(scene: Scene) -> None:
    """After a denial no further code is exchanged, whatever it is."""
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, Behaviour.DENY_WITH_TOKEN)
    await scene.comes_back(prompt, brought)
    better = await scene.duo(prompt, Behaviour.APPROVE)
    await scene.comes_back(prompt, better)


async def fifty(scene: Scene, behaviour: Behaviour, ends: set[Page | None]) -> None:
    """Fifty callbacks with one state at once, at two challengers: one exchange, one kind of answer."""
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, behaviour)
    query = urlencode(brought)
    seen = await asyncio.gather(
        *(
            scene.ask(prompt.browser, "/callback", query, challenger=number % 2)
            for number in range(CALLBACKS)
        )
    )
    assert {one.page for one in seen} <= {*ends, Page.MOVING_ON}
    assert len({one.location for one in seen if one.location}) <= 1
    while (await scene.comes_back(prompt, brought)).page is Page.MOVING_ON:
        await scene.world.bus.read()


async def past_its_life(scene: Scene) -> None:
    """A state past its challenge's end is expired, though Duo says allow; the code is not exchanged."""
    prompt = await scene.at_the_prompt(await late_login(scene))
    brought = await scene.duo(prompt, Behaviour.APPROVE)
    await scene.world.results.of(prompt.login.identity, Stage.OUTCOME)
    await scene.comes_back(prompt, brought)


async def late_with_the_proof(scene: Scene) -> None:
    """A browser that comes back after its challenge expired gets the expiry that stands, and no pass."""
    prompt = await scene.at_the_prompt(await late_login(scene))
    await scene.comes_back(prompt, await scene.duo(prompt, Behaviour.APPROVE))
    code = scene.seen.return_code
    await scene.world.results.of(prompt.login.identity, Stage.OUTCOME)
    await scene.returns(prompt.login, code)
    await scene.ask(prompt.browser, prompt.login.link)


async def late_login(scene: Scene) -> Login:
    """Return a login that is void in a moment."""
    return await scene.login(expires_at=datetime.now(UTC) + SHORT)


async def code_of_another_login(scene: Scene) -> None:
    """A state with the code of another login of the user allows nothing: the nonce tells them apart."""
    mine, other = await scene.at_the_prompt(), await scene.at_the_prompt()
    brought = await scene.duo(other, Behaviour.APPROVE)
    await scene.comes_back(mine, {**brought, "state": mine.state})


async def code_of_another_user(scene: Scene) -> None:
    """A thief who knows a password completes it with a code of his own account at Duo: it fails."""
    victims = await scene.at_the_prompt()
    own = await scene.at_the_prompt(await scene.login(subject=f"{scene.user}-mallory"))
    brought = await scene.duo(own, Behaviour.APPROVE)
    await scene.comes_back(victims, {**brought, "state": victims.state})


async def at_another_tenant(scene: Scene) -> None:
    """A tenant's state under another tenant's challenge is no state at all."""
    mine = await scene.at_the_prompt()
    theirs = await scene.at_the_prompt(await scene.login(tenant=GLOBEX), mine.browser)
    brought = await scene.duo(mine, Behaviour.APPROVE)
    forged = theirs.state[:24] + mine.state[24:]
    await scene.comes_back(mine, {**brought, "state": forged})


async def duo_does(scene: Scene, behaviour: Behaviour) -> None:
    """What the user does at Duo instead of approving ends the challenge, at once where Duo tells."""
    prompt = await scene.at_the_prompt()
    await scene.comes_back(prompt, await scene.duo(prompt, behaviour))


async def error_with_markup(scene: Scene) -> None:
    """An error in place of a code ends the challenge; nothing of its text is on the page."""
    prompt = await scene.at_the_prompt()
    text = "<script>alert(4711)</script>"
    given = {"state": prompt.state, "error": text, "error_description": text}
    seen = await scene.comes_back(prompt, given)
    assert "4711" not in seen.text


async def crossed_callbacks(scene: Scene) -> None:
    """Two logins' callbacks with their codes crossed, at the same moment: neither lets anybody in."""
    prompts = [await scene.at_the_prompt(), await scene.at_the_prompt()]
    brought = [await scene.duo(one, Behaviour.APPROVE) for one in prompts]
    await asyncio.gather(
        *(_crossed(scene, prompts[one], brought[1 - one]["duo_code"], one) for one in (0, 1))
    )


async def _crossed(scene: Scene, prompt: Prompt, code: str, challenger: int) -> None:
    brought = {"state": prompt.state, "duo_code": code}
    await scene.comes_back(prompt, brought, challenger=challenger)


_ODD: dict[str, Callable[[str, str], str]] = {
    "no state": lambda _, c: f"duo_code={c}",
    "an empty state": lambda _, c: f"state=&duo_code={c}",
    "the state twice": lambda s, c: f"state={s}&state={s}&duo_code={c}",
    "the code twice": lambda s, c: f"state={s}&duo_code={c}&duo_code={c}",
    "code beside duo_code": lambda s, c: f"state={s}&duo_code={c}&code={c}",
    "a code and an error": lambda s, c: f"state={s}&duo_code={c}&error=access_denied",
    "no code": lambda s, _: f"state={s}",
    "a state with a tail": lambda s, c: f"state={s}%0d%0aSet-Cookie:%20a=b&duo_code={c}",
    "16 kB": lambda s, c: f"state={s}&duo_code={c}&x={'x' * 16_384}",
}

ROWS: Final = (
    Row(
        "callback-01 a state that nobody was given",
        ("1",),
        unknown_state,
        page(400, Page.BAD_REQUEST, logged=("unknown_state",)),
    ),
    Row(
        "callback-02 a state of no challenge",
        ("1",),
        state_of_no_challenge,
        page(400, Page.BAD_REQUEST, logged=("unknown_state",)),
    ),
    *(
        Row(f"callback-1{number} {name}", ("1", "16"), odd(query), page(400, Page.BAD_REQUEST))
        for number, (name, query) in enumerate(_ODD.items())
    ),
    Row(
        "callback-20 a valid state without the cookie",
        ("2",),
        without_the_cookie,
        page(403, Page.WRONG_BROWSER, logged=("wrong_browser",)),
    ),
    Row(
        "callback-21 with another visit's cookie",
        ("3",),
        with_another_visits_cookie,
        passed(logged=("wrong_browser",)),
    ),
    Row(
        "callback-22 with another visit's cookie under this one's name",
        ("3",),
        with_a_value_under_another_name,
        page(403, Page.WRONG_BROWSER, logged=("wrong_browser",)),
    ),
    Row(
        "callback-23 with a cookie that a neighbouring host could set",
        ("3", "20"),
        with_a_cookie_that_a_neighbour_set,
        page(403, Page.WRONG_BROWSER, logged=("wrong_browser",)),
    ),
    Row(
        "callback-30 replayed after the pass",
        ("4",),
        replayed_when_passed,
        passed(status=200, page=Page.FINISHED),
    ),
    Row("callback-31 replayed after a denial", ("4",), replayed_when_denied, denied()),
    Row("callback-32 another code after a denial", ("4",), replayed_with_another_code, denied()),
    Row(
        "callback-33 fifty at once, approved",
        ("5",),
        partial(fifty, behaviour=Behaviour.APPROVE, ends={None}),
        page(303, None, state=State.PROVEN, exchanges=1),
    ),
    Row(
        "callback-34 fifty at once, denied",
        ("5",),
        partial(fifty, behaviour=Behaviour.DENY_WITH_TOKEN, ends={Page.DENIED}),
        denied(),
    ),
    Row(
        "callback-40 past its life",
        ("6",),
        past_its_life,
        page(410, Page.EXPIRED, ends=(EXPIRED,), state=State.EXPIRED),
    ),
    Row(
        "callback-41 the return after the expiry was published",
        ("6", "17c"),
        late_with_the_proof,
        page(410, Page.EXPIRED, ends=(EXPIRED,), state=State.EXPIRED, exchanges=1),
    ),
    Row(
        "callback-50 the code of another login",
        ("7", "12"),
        code_of_another_login,
        failed(
            ends=(FAILED, NOTHING),
            decisions=(CHALLENGED,) * 2,
        ),
    ),
    Row(
        "callback-51 the code of another user",
        ("7", "13"),
        code_of_another_user,
        failed(
            ends=(FAILED, NOTHING),
            decisions=(CHALLENGED,) * 2,
        ),
    ),
    Row(
        "callback-52 a state of another tenant",
        ("8",),
        at_another_tenant,
        page(
            400,
            Page.BAD_REQUEST,
            ends=(NOTHING, NOTHING),
            decisions=(CHALLENGED,) * 2,
            logged=("unknown_state",),
        ),
    ),
    Row(
        "callback-53 two logins' codes crossed at once",
        ("7",),
        crossed_callbacks,
        failed(
            ends=(FAILED, FAILED),
            decisions=(CHALLENGED,) * 2,
            exchanges=2,
        ),
    ),
    Row(
        "callback-60 denied at Duo",
        ("14",),
        partial(duo_does, behaviour=Behaviour.DENY_WITH_TOKEN),
        denied(),
    ),
    Row(
        "callback-61 reported as fraud",
        ("14",),
        partial(duo_does, behaviour=Behaviour.FRAUD),
        denied(ends=(FRAUD,)),
    ),
    Row(
        "callback-62 an error in place of a code",
        ("15",),
        partial(duo_does, behaviour=Behaviour.ERROR_REDIRECT),
        denied(exchanges=0),
    ),
    Row(
        "callback-63 an error with markup",
        ("15",),
        error_with_markup,
        failed(exchanges=0, logged=("challenge_ended",)),
    ),
)
