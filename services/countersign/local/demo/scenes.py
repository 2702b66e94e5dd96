"""The played logins, in order, each with what has to come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final

from countersign.core.errors import Defect
from countersign.core.login import MULTI_FACTOR_ACR
from countersign.core.result import Reason, ResultType
from countersign.local.demo.browser import a_browser
from countersign.local.demo.stage import Stage
from countersign.local.demo.suspicions import suspicions
from countersign.local.demo.tenants_code import tenants_code
from countersign.local.demo.world import RETURN_URL
from countersign.wire.dead_letter import DeadLetter
from countersign.wire.inbound import LOGIN_ATTEMPTED

SILENT: Final = "This sign-in has ended · Countersign's Duo simulator"
"""The title of the simulator's page for a prompt that ended without a word."""
PHONE: Final = "alices-phone-77b01d"
_SHORT: Final = timedelta(seconds=3)


async def new_and_known_browsers(stage: Stage) -> None:
    """A challenge, its way to `passed`, and what a remembered browser is good for."""
    first = await stage.login(
        "Alice signs in on a new browser",
        (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE),
    )
    arrival = await stage.walks(first, "approve")
    await stage.comes_back(
        "  she approves at Duo, and her browser is back",
        (ResultType.CHALLENGE_PASSED, Reason.DUO_ALLOWED),
        first,
        arrival.code or "",
    )
    await stage.login(
        "Alice signs in on that browser again",
        (ResultType.LOGIN_ALLOWED, Reason.REMEMBERED_BROWSER),
    )
    await stage.login(
        "  and on her phone, which isn't remembered",
        (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE),
        browser_id=PHONE,
    )
    stepping_up = await stage.login(
        "The shop asks for MFA by acr_values (step-up)",
        (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE),
        transaction={"acr_values": [MULTI_FACTOR_ACR]},
    )
    await stage.comes_back(
        "  a browser comes back with a wrong code",
        (ResultType.CHALLENGE_DENIED, Reason.WRONG_RETURN_CODE),
        stepping_up,
        "not-the-code",
    )
    await stage.client.forget("auth0|alice")
    await stage.login(
        "Alice's browsers are forgotten; she signs in",
        (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE),
    )


async def round_trips(stage: Stage) -> None:
    """Whatever else a challenge can come to."""
    challenged = (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE)
    denied = await stage.login("Bob is challenged", challenged, user_id="auth0|bob")
    await stage.walks(denied, "deny_with_token", "The sign-in was denied")
    await stage.ends("  he denies", (ResultType.CHALLENGE_DENIED, Reason.DUO_DENIED), denied)

    cancelled = await stage.login(
        "Carol is challenged, with three seconds left",
        challenged,
        user_id="auth0|carol",
        expires_at=datetime.now(UTC) + _SHORT,
    )
    await stage.walks(cancelled, "deny_silently", SILENT)
    await stage.ends(
        "  she cancels, and Duo says nothing",
        (ResultType.CHALLENGE_EXPIRED, Reason.NOT_BACK_IN_TIME),
        cancelled,
    )

    relayed = await stage.login(
        "Mallory signs in as Dave, and sends Dave the link",
        challenged,
        user_id="auth0|dave",
        expires_at=datetime.now(UTC) + _SHORT,
    )
    await stage.script("auth0|dave", "silence")
    async with a_browser(RETURN_URL) as mallory:
        await mallory.walk(relayed.challenge_url or "")
        # Dave approves. The proof comes back in his browser, whose session knows of no such login.
        await stage.walks(relayed, "approve")
        stage.arrived(
            await mallory.walk(relayed.challenge_url or ""), "This sign-in was approved elsewhere"
        )
    await stage.ends(
        "  Dave approves, and Mallory is still not in",
        (ResultType.CHALLENGE_EXPIRED, Reason.NOT_BACK_IN_TIME),
        relayed,
    )


async def duo_down(stage: Stage) -> None:
    """Duo is out of reach: the failmode decides, and says so."""
    challenged = (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE)
    closed = await stage.login(
        "cyberdyne can't reach Duo; its failmode is closed",
        challenged,
        tenant="cyberdyne",
        user_id="auth0|miles",
    )
    await stage.walks(closed, "approve", "Duo can’t be reached")
    await stage.ends(
        "  Miles is not let in", (ResultType.CHALLENGE_FAILED, Reason.DUO_UNAVAILABLE), closed
    )
    lenient = await stage.login(
        "soylent can't either; its failmode is open",
        challenged,
        tenant="soylent",
        user_id="auth0|sol",
    )
    arrival = await stage.walks(lenient, "approve")
    await stage.comes_back(
        "  Sol is let in, and nobody calls it MFA",
        (ResultType.CHALLENGE_FAILED_OPEN, Reason.DUO_UNAVAILABLE),
        lenient,
        arrival.code or "",
    )


async def other_tenants(stage: Stage) -> None:
    """The policies, and who else may be due."""
    await stage.login(
        "hooli never asks: Erlich signs in",
        (ResultType.LOGIN_ALLOWED, Reason.MFA_NOT_DUE),
        tenant="hooli",
        user_id="auth0|erlich",
    )
    for confidence, expected in (
        ("high", (ResultType.LOGIN_ALLOWED, Reason.MFA_NOT_DUE)),
        ("low", (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE)),
    ):
        await stage.login(
            f"globex looks at the risk: confidence {confidence}",
            expected,
            tenant="globex",
            user_id="auth0|hank",
            authentication={"riskAssessment": {"confidence": confidence}},
        )
    await stage.login(
        "initech has one-time passwords, not Duo",
        (ResultType.LOGIN_DELEGATED, Reason.MFA_DUE),
        tenant="initech",
        user_id="auth0|milton",
    )


async def denials(stage: Stage) -> None:
    """Every reason to deny a login that there is without Actions."""
    denied = ResultType.LOGIN_DENIED
    await stage.login(
        "MFA asked for, and hooli has no factor",
        (denied, Reason.NO_USABLE_FACTOR),
        tenant="hooli",
        user_id="auth0|erlich",
        transaction={"acr_values": [MULTI_FACTOR_ACR]},
    )
    await stage.login(
        "umbrella's Duo name, an e-mail, isn't verified",
        (denied, Reason.DUO_USERNAME_MISSING),
        tenant="umbrella",
        user_id="auth0|jill",
        email_verified=False,
    )
    await stage.login(
        "A return URL that acme doesn't list",
        (denied, Reason.RETURN_URL_NOT_ALLOWED),
        user_id="auth0|bob",
        return_url="https://evil.example.net/",
    )
    await stage.login(
        "A login that has expired",
        (denied, Reason.LOGIN_EXPIRED),
        user_id="auth0|bob",
        expires_at=datetime.now(UTC) - timedelta(minutes=1),
    )
    for number in (1, 2):
        await stage.login(
            f"umbrella allows two prompts in ten minutes: {number}",
            (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE),
            tenant="umbrella",
            user_id="auth0|chris",
        )
    await stage.login(
        "  and the third is one too many",
        (denied, Reason.PUSH_BUDGET_SPENT),
        tenant="umbrella",
        user_id="auth0|chris",
    )


async def defects(stage: Stage) -> None:
    """An event that nobody can take, and its neighbour."""
    value = b'{"user": {"email": "nobody@example.com"}, "client": {"client_id": "shop"}}'
    started = perf_counter()
    await stage.publish(
        LOGIN_ATTEMPTED,
        b"acme:nobody",
        value,
        source="https://shop.example.com",
        event_id=stage.event_id(),
    )
    seen = await stage.tap.dead_letter(1)
    right = (
        isinstance(seen.said, DeadLetter)
        and seen.said.reason is Defect.INVALID_EVENT
        and seen.said.value == value
    )
    stage.judge("An event without user.user_id", seen, perf_counter() - started, right=right)
    await stage.login(
        "  its neighbour is decided as usual",
        (ResultType.LOGIN_ALLOWED, Reason.MFA_NOT_DUE),
        tenant="hooli",
        user_id="auth0|nelson",
    )


SCENES: Final[tuple[Callable[[Stage], Awaitable[None]], ...]] = (
    new_and_known_browsers,
    round_trips,
    duo_down,
    suspicions,
    other_tenants,
    tenants_code,
    denials,
    defects,
)
