"""What Duo's own SDKs do where Duo, or somebody in its place, does wrong: each fault of the simulator's.

Law: each fault is in a table, with what each SDK says of it; what it doesn't notice, its user has to.
"""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from countersign.simulator.fault import NATURES, Endpoint, Fault, Moment
from countersign.simulator.ledger import Kind
from tests.sdks.duo import NONCE, Duo
from tests.sdks.sdk import NO_BODY, Said, Sdk
from tests.waiting import eventually

UNNOTICED: Final = Said(None, None)
NO_USER: Final = "The username is invalid"
WRONG_USER: Final = Said(NO_USER, "(The Claim 'preferred_username' value doesn't match")
WRONG_ALGORITHM: Final = Said(
    'Error decoding JWT ("alg" (Algorithm) Header Parameter value not allowed)',
    "(The provided Algorithm doesn't match",
)
EXPIRED: Final = 'Error decoding JWT ("exp" claim timestamp check failed)'

MISSING: Final = "DuoException: Result missing expected data"
CUT: Final = Said("DuoException: ", "DuoException: ")
"""The rest is the system's, and depends on when the end of the connection is noticed."""
ASTRAY: Final = Said("DuoException: getaddrinfo E", "DuoException: Hostname elsewhere.")
"""Both SDKs go where another host is named, and no farther than to its name and its certificate."""

HEALTH_CHECKS: Final = {
    Fault.RESET: CUT,
    Fault.TRUNCATED: CUT,
    Fault.BAD_REQUEST: Said("invalid_request: ", NO_BODY),
    Fault.INVALID_CLIENT: Said("invalid_client: ", NO_BODY),
    Fault.RATE_LIMITED: Said(f"{MISSING} (Request failed with status code 429)", NO_BODY),
    Fault.SERVER_ERROR: Said(f"{MISSING} (Request failed with status code 500)", NO_BODY),
    Fault.BAD_GATEWAY: Said(f"{MISSING} (Request failed with status code 502)", NO_BODY),
    Fault.HTML: Said(MISSING, "DuoException: Unexpected character ('<'"),
    Fault.NOT_JSON: Said(MISSING, "DuoException: Unrecognized token 'OK'"),
    # The SDK for Node sets no limit; that for Java takes no field that it doesn't know.
    Fault.HUGE: Said(None, 'DuoException: Unrecognized field "padding"'),
    Fault.REDIRECT: ASTRAY,
}

TOKENS: Final = {
    Fault.RESET: CUT,
    Fault.TRUNCATED: CUT,
    Fault.BAD_REQUEST: Said("invalid_request: ", '{"error":"invalid_request"'),
    Fault.INVALID_CLIENT: Said("invalid_client: ", '{"error":"invalid_client"'),
    Fault.RATE_LIMITED: Said(f"{MISSING} (Request failed with status code 429)", "Too Many"),
    Fault.SERVER_ERROR: Said(
        f"{MISSING} (Request failed with status code 500)", "msg=Internal Server Error"
    ),
    Fault.BAD_GATEWAY: Said(f"{MISSING} (Request failed with status code 502)", "msg=Bad Gateway"),
    Fault.HTML: Said(MISSING, "DuoException: Unexpected character ('<'"),
    Fault.NOT_JSON: Said(MISSING, "DuoException: Unrecognized token 'OK'"),
    Fault.HUGE: Said(MISSING, 'DuoException: Unrecognized field "stat"'),
    Fault.REDIRECT: ASTRAY,
    Fault.USED_CODE: Said("invalid_grant: ", '{"error":"invalid_grant"'),
    Fault.WRONG_SIGNATURE: Said(
        "Error decoding JWT (signature verification failed)",
        "(The Token's Signature resulted invalid",
    ),
    Fault.ALG_NONE: WRONG_ALGORITHM,
    Fault.ALG_HS256: WRONG_ALGORITHM,
    Fault.WRONG_AUDIENCE: Said('(unexpected "aud" claim value)', "(The Claim 'aud' value doesn't"),
    Fault.WRONG_ISSUER: Said('(unexpected "iss" claim value)', "(The Claim 'iss' value doesn't"),
    Fault.WRONG_NONCE: Said("The nonce is invalid", "(The Claim 'nonce' value doesn't match"),
    Fault.NO_NONCE: Said("The nonce is invalid", "(The Claim 'nonce' is not present"),
    Fault.EXPIRED: Said(EXPIRED, "(The Token has expired on "),
    # The SDK for Node doesn't look at `iat`.
    Fault.ISSUED_IN_FUTURE: Said(None, "(The Token can't be used before "),
    Fault.OTHER_USER: WRONG_USER,
    Fault.OTHER_CASE: WRONG_USER,
    Fault.NO_USER: Said(NO_USER, "(The Claim 'preferred_username' is not present"),
    # No SDK looks at `auth_result`: whoever trusts a token that was returned lets these in.
    Fault.DENY_WITH_200: UNNOTICED,
    Fault.NO_AUTH_RESULT: UNNOTICED,
    Fault.CONTRADICTORY_RESULT: UNNOTICED,
    Fault.UNKNOWN_RESULT: UNNOTICED,
}


@pytest.mark.parametrize(("fault", "said"), HEALTH_CHECKS.items(), ids=HEALTH_CHECKS)
async def test_health_checks(duo: Duo, sdk: Sdk, fault: Fault, said: Said) -> None:
    """A health check that goes wrong is no health, where the SDK looks."""
    await duo.inject(fault, endpoint=Endpoint.HEALTH_CHECK)
    sdk.says(await duo.health_check(), said)
    assert Kind.HEALTH_CHECKED not in duo.simulator.ledger.kinds()
    await duo.heal()
    sdk.says(await duo.health_check(), UNNOTICED)


@pytest.mark.parametrize(("fault", "said"), TOKENS.items(), ids=TOKENS)
async def test_tokens(duo: Duo, sdk: Sdk, fault: Fault, said: Said) -> None:
    """What comes in place of a token is refused, and so is a token that is wrong, where the SDK looks."""
    code = await duo.come_back(nonce=NONCE)
    await duo.inject(fault, endpoint=Endpoint.TOKEN)
    sdk.says(await duo.exchange(code, nonce=NONCE), said)
    assert Kind.FAULT_INJECTED in duo.simulator.ledger.kinds()
    await duo.heal()
    sdk.says(await duo.exchange(await duo.come_back(nonce=NONCE), nonce=NONCE), UNNOTICED)


@pytest.mark.parametrize("seconds", [-7200, 7200])
async def test_clocks_that_differ(duo: Duo, sdk: Sdk, seconds: int) -> None:
    """With two hours between the clocks Duo takes neither an assertion nor a request for a prompt."""
    code = await duo.come_back()
    await duo.inject(Fault.CLOCK_SKEW, seconds=seconds)
    sdk.says(await duo.health_check(), Said("invalid_client: ", NO_BODY))
    sdk.says(await duo.exchange(code), Said("invalid_client: ", '{"error":"invalid_client"'))
    assert (await duo.visit()).status_code == 400
    await duo.heal()
    sdk.says(await duo.exchange(code), UNNOTICED)


async def test_slow_answers_are_awaited(duo: Duo, sdk: Sdk) -> None:
    """An answer that takes its time is as good."""
    await duo.inject(Fault.SLOW, seconds=0.3)
    sdk.says(await duo.health_check(), UNNOTICED)
    sdk.says(await duo.exchange(await duo.come_back()), UNNOTICED)


async def test_silence(duo: Duo, sdk: Sdk) -> None:
    """The SDK for Java waits for ten seconds; that for Node for as long as Duo keeps it waiting."""
    await duo.inject(Fault.HANG, endpoint=Endpoint.HEALTH_CHECK)
    asked = asyncio.create_task(duo.health_check())
    await eventually(lambda: Kind.FAULT_INJECTED in duo.simulator.ledger.kinds())
    if sdk.name == "node":
        duo.simulator.stop()
    sdk.says(await asked, Said("Result missing expected data", "DuoException: timeout"))


def test_each_fault_is_shown() -> None:
    """No fault that an SDK can meet is missing from the tables."""
    elsewhere = {Fault.SLOW, Fault.HANG, Fault.CLOCK_SKEW}
    for endpoint, table in ((Endpoint.HEALTH_CHECK, HEALTH_CHECKS), (Endpoint.TOKEN, TOKENS)):
        met = {fault for fault, nature in NATURES.items() if endpoint in nature.endpoints}
        assert table.keys() == met - elsewhere
    assert Moment.SIGNING in {NATURES[fault].moment for fault in TOKENS}
