"""Attacks on a user who says no, and on a tenant that doesn't take Duo's every yes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from countersign.challenger.answers import Page
from countersign.core.challenge import State
from countersign.core.identity import Stage
from countersign.core.result import Assurance, Reason, ResultType
from countersign.core.tenant import ChallengeRules
from countersign.simulator.behaviour import Behaviour
from tests.attacks.policy import BAD_ADDRESS, known_browser
from tests.attacks.scene import Login, Scene
from tests.attacks.table import (
    CHALLENGED,
    DENIED,
    EXPIRED,
    FAILED,
    FRAUD,
    NOTHING,
    PASSED,
    WRONG_CODE,
    Row,
    Said,
    denied,
    failed,
    nobody,
    page,
    passed,
)
from tests.builders import RETURN_URL

LEFT_ALONE: Final[Said] = (ResultType.LOGIN_DENIED, Reason.PUSH_COOL_DOWN)
BYPASSED: Final[Said] = (ResultType.CHALLENGE_DENIED, Reason.DUO_BYPASSED)
_STRICT: Final = {
    "challenge": ChallengeRules(return_urls=(RETURN_URL,), accept_bypass=False),
}
_BELOW: Final = {"challenge": ChallengeRules(return_urls=("https://shop.example.com/mfa/*",))}


async def refuses(
    scene: Scene, behaviour: Behaviour = Behaviour.DENY_WITH_TOKEN, login: Login | None = None
) -> None:
    """Let the user refuse the prompt of a login, in so many words."""
    prompt = await scene.at_the_prompt(login)
    await scene.comes_back(prompt, await scene.duo(prompt, behaviour))


async def leaves(scene: Scene) -> None:
    """Let the user leave a prompt to expire."""
    login = await scene.login(expires_at=datetime.now(UTC) + timedelta(seconds=3))
    prompt = await scene.at_the_prompt(login)
    await scene.duo(prompt, Behaviour.DENY_SILENTLY)
    await scene.world.results.of(login.identity, Stage.OUTCOME)


async def fraud_forgets(scene: Scene) -> None:
    """A thief whose browser was remembered, by a prompt that the user took for her own, is asked again."""
    browser_id = await known_browser(scene)
    await refuses(scene, Behaviour.FRAUD)
    await scene.login(browser_id=browser_id)


async def fraud_is_followed_by_peace(scene: Scene) -> None:
    """Whoever made the user report a fraud opens no further prompt."""
    await refuses(scene, Behaviour.FRAUD)
    await scene.login()


async def links_kept_for_later(scene: Scene) -> None:
    """A link that was kept since before the refusals leads to no prompt either, at any challenger."""
    kept = await scene.login()
    for _ in range(2):
        await refuses(scene)
    await scene.ask(scene.browser(), kept.link)
    await scene.ask(scene.browser(), kept.link, challenger=1)


async def bombing(scene: Scene, ways: tuple[str, ...]) -> None:
    """A user who has said no twice, aloud or by silence, is left alone."""
    for way in ways:
        await (leaves(scene) if way == "silence" else refuses(scene))
    await scene.login()


async def of_somebody_else(scene: Scene) -> None:
    """Another user is challenged as ever: nobody's no is counted against somebody else."""
    for _ in range(2):
        await refuses(scene)
    await scene.passes(await scene.login(subject=f"{scene.user}-bob"))


async def hidden(scene: Scene, ways: tuple[str, ...]) -> None:
    """A thief who ends each challenge in another way than by the user's no hides no refusal by it."""
    for way in ways:
        prompt = await scene.at_the_prompt()
        if way == "a wrong return code":
            await scene.returns(prompt.login, "canary-of-a-wrong-return-code")
        elif way == "an error of Duo's":
            await scene.comes_back(prompt, {"state": prompt.state, "error": "server_error"})
        else:
            await scene.comes_back(prompt, {"state": prompt.state, "duo_code": scene.code()})
    await scene.login()


async def reported_after_the_end(scene: Scene) -> None:
    """A thief who ends a relayed challenge by a wrong code keeps no report of fraud from being heard."""
    browser_id = await known_browser(scene)
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, Behaviour.FRAUD)
    await scene.returns(prompt.login, "canary-of-a-wrong-return-code")
    await scene.comes_back(prompt, brought)
    await scene.login(browser_id=browser_id)


async def unseen(scene: Scene) -> None:
    """Challenges that no prompt was opened for count for nothing, however many expire."""
    for _ in range(3):
        login = await scene.login(expires_at=datetime.now(UTC) + timedelta(seconds=1))
        await scene.world.results.of(login.identity, Stage.OUTCOME)
    await scene.login()


async def redelivered(scene: Scene) -> None:
    """One refusal stays one, though its login comes again and its callback, too."""
    prompt = await scene.at_the_prompt()
    brought = await scene.duo(prompt, Behaviour.DENY_WITH_TOKEN)
    for challenger in (0, 1, 0):
        await scene.comes_back(prompt, brought, challenger=challenger)
        await scene.world.bus.send(prompt.login.record)
    await scene.settled()
    await scene.passes()


async def bypass(scene: Scene, behaviour: Behaviour) -> None:
    """An allow without a second factor lets nobody in where the tenant wants one."""
    prompt = await scene.at_the_prompt()
    await scene.comes_back(prompt, await scene.duo(prompt, behaviour))


async def returns_below(scene: Scene, address: str) -> None:
    """An address that some reading leads out of the listed beginning is none."""
    await scene.login(return_url=address)


async def rightfully_below(scene: Scene) -> None:
    """A plain path below the listed beginning is where the browser goes."""
    await scene.passes(await scene.login(return_url="https://shop.example.com/mfa/basket?x=1"))


def _below(number: int, name: str, address: str) -> Row:
    attack = partial(returns_below, address=address)
    expected = nobody(decisions=(BAD_ADDRESS,))
    return Row(f"refusal-{number} {name}", ("17",), attack, expected, settings=_BELOW)


_TWO: Final = {"ends": (DENIED, DENIED, NOTHING), "decisions": (CHALLENGED, CHALLENGED, LEFT_ALONE)}

ROWS: Final = (
    Row(
        "refusal-10 a report of fraud forgets every browser",
        ("28", "14"),
        fraud_forgets,
        denied(
            ends=(PASSED, FRAUD, NOTHING),
            decisions=(CHALLENGED, CHALLENGED, LEFT_ALONE),
            state=State.PASSED,
            assurance=Assurance.MFA,
            exchanges=2,
        ),
    ),
    Row(
        "refusal-11 a login after a report of fraud",
        ("28",),
        fraud_is_followed_by_peace,
        denied(ends=(FRAUD, NOTHING), decisions=(CHALLENGED, LEFT_ALONE)),
    ),
    Row(
        "refusal-12 a link kept since before the refusals",
        ("28", "27"),
        links_kept_for_later,
        page(
            429,
            Page.TOO_MANY_PROMPTS,
            ends=(NOTHING, DENIED, DENIED),
            decisions=(CHALLENGED,) * 3,
            logged=("challenge_ended", "push_cool_down"),
            exchanges=2,
        ),
    ),
    Row(
        "refusal-13 two denials",
        ("28",),
        partial(bombing, ways=("aloud", "aloud")),
        denied(**_TWO, exchanges=2),
    ),
    Row(
        "refusal-14 two prompts left to expire",
        ("28",),
        partial(bombing, ways=("silence", "silence")),
        page(
            303,
            None,
            **{**_TWO, "ends": (EXPIRED, EXPIRED, NOTHING)},
            state=State.EXPIRED,
        ),
    ),
    Row(
        "refusal-15 a denial and a silence",
        ("28",),
        partial(bombing, ways=("silence", "aloud")),
        denied(**{**_TWO, "ends": (EXPIRED, DENIED, NOTHING)}, state=State.EXPIRED),
    ),
    Row(
        "refusal-16 somebody else's refusals",
        ("28", "8"),
        of_somebody_else,
        passed(
            ends=(DENIED, DENIED, PASSED),
            decisions=(CHALLENGED,) * 3,
            state=State.DENIED,
            assurance=Assurance.NONE,
            logged=("challenge_ended",),
            remembered=0,
            exchanges=3,
        ),
    ),
    Row(
        "refusal-19 refusals hidden by other ends",
        ("28",),
        partial(hidden, ways=("a wrong return code", "an error of Duo's")),
        page(
            502,
            Page.FAILED,
            ends=(WRONG_CODE, FAILED, NOTHING),
            decisions=(CHALLENGED, CHALLENGED, LEFT_ALONE),
            state=State.DENIED,
            logged=("challenge_ended",),
        ),
    ),
    Row(
        "refusal-20 refusals hidden by rubbish in place of a code",
        ("28", "7"),
        partial(hidden, ways=("rubbish", "rubbish")),
        failed(
            ends=(FAILED, FAILED, NOTHING),
            decisions=(CHALLENGED, CHALLENGED, LEFT_ALONE),
            exchanges=0,
        ),
    ),
    Row(
        "refusal-21 a report of fraud after a thief ended the challenge",
        ("28", "17b"),
        reported_after_the_end,
        denied(
            ends=(PASSED, WRONG_CODE, NOTHING),
            decisions=(CHALLENGED, CHALLENGED, LEFT_ALONE),
            state=State.PASSED,
            assurance=Assurance.MFA,
            logged=("fraud_reported_late",),
            exchanges=2,
        ),
    ),
    Row(
        "refusal-17 challenges that nobody saw",
        ("28",),
        unseen,
        nobody(
            ends=(EXPIRED, EXPIRED, EXPIRED, NOTHING),
            decisions=(CHALLENGED,) * 4,
            state=State.EXPIRED,
        ),
    ),
    Row(
        "refusal-18 one refusal, told again and again",
        ("28", "4"),
        redelivered,
        passed(
            ends=(DENIED, PASSED),
            decisions=(CHALLENGED,) * 2,
            state=State.DENIED,
            assurance=Assurance.NONE,
            logged=("challenge_ended",),
            exchanges=2,
        ),
    ),
    *(
        Row(
            f"refusal-{number} {behaviour.value}, where a second factor is wanted",
            ("14",),
            partial(bypass, behaviour=behaviour),
            denied(ends=(BYPASSED,)),
            settings=_STRICT,
        )
        for number, behaviour in enumerate(
            (
                Behaviour.BYPASS,
                Behaviour.BYPASS_CODE,
                Behaviour.REMEMBERED_DEVICE,
                Behaviour.TRUSTED_NETWORK,
                Behaviour.ALLOW_UNENROLLED,
                Behaviour.UNKNOWN_FACTOR,
            ),
            start=30,
        )
    ),
    Row(
        "refusal-50 back below a listed path", ("17",), rightfully_below, passed(), settings=_BELOW
    ),
    _below(51, "a climb", "https://shop.example.com/mfa/../admin"),
    _below(52, "a climb in escapes", "https://shop.example.com/mfa/%2e%2e/admin"),
    _below(53, "a climb escaped twice", "https://shop.example.com/mfa/%252e%252e/admin"),
    _below(54, "a user before the host", "https://shop.example.com@evil.example/mfa/"),
    _below(55, "a backslash", "https://shop.example.com\\@evil.example/mfa/"),
    _below(56, "another scheme", "http://shop.example.com/mfa/"),
    _below(57, "a look-alike host", "https://sh\u043ep.example.com/mfa/"),
    _below(58, "a longer name", "https://shop.example.com/mfaevil"),
    _below(59, "a code of its own", "https://shop.example.com/mfa/?mfa_code=mine"),
    _below(60, "a fragment", "https://shop.example.com/mfa/#x"),
    _below(61, "another port", "https://shop.example.com:8443/mfa/"),
)
