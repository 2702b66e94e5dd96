"""Duo's own SDKs for Node and Java with the simulator: what they accept, and what each refuses.

Law: a row names what is wrong and what each SDK says of it; nothing else differs from a login that passes.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.ledger import Kind
from countersign.simulator.tokens import SCRIPTED, Verdict
from tests.sdks.duo import ALICE, CLIENT_ID, NONCE, STATE, STRANGER, Duo
from tests.sdks.sdk import NO_BODY, Said, Sdk

OTHER_SECRET: Final = secrets.token_hex(20)
OTHER_NONCE: Final = "m" * 36
EVIL: Final = "https://evil.example.com/callback?from=duo"

INVALID_CLIENT: Final = Said("DuoException: invalid_client: ", '{"error":"invalid_client"')
INVALID_GRANT: Final = Said("DuoException: invalid_grant: ", '{"error":"invalid_grant"')
WRONG_USER: Final = Said("The username is invalid", "(The Claim 'preferred_username' value doesn't")
NO_USER: Final = Said("The username is invalid", "Missing username")
WRONG_STATE: Final = Said("State must be between 22 to 1024 characters long", "Invalid state")


async def test_health_check(duo: Duo) -> None:
    """The SDK takes the simulator for well, and hears the time."""
    answer = await duo.health_check()
    assert answer.error is None, answer.said
    assert answer.result["stat"] == "OK"
    assert abs(answer.result["response"]["timestamp"] - datetime.now(UTC).timestamp()) < 10
    assert duo.simulator.ledger.kinds() == [Kind.HEALTH_CHECKED]


@pytest.mark.parametrize(
    "options",
    [{"client_secret": OTHER_SECRET}, {"client_id": STRANGER}],
    ids=["secret", "client"],
)
async def test_health_check_refuses(duo: Duo, sdk: Sdk, options: dict[str, object]) -> None:
    """Who isn't the client hears that nothing is well."""
    answer = await duo.health_check(**options)
    sdk.says(answer, Said("DuoException: invalid_client: ", NO_BODY))
    assert duo.simulator.ledger.kinds() == []


async def test_approval_becomes_a_token(duo: Duo) -> None:
    """Health, prompt, code, exchange: the SDK has verified the token, which says who, how and for whom."""
    assert (await duo.health_check()).error is None
    answer = await duo.exchange(await duo.come_back())
    assert answer.error is None, answer.said
    token = answer.result
    assert (token["aud"], token["sub"], token["preferred_username"]) == (CLIENT_ID, ALICE, ALICE)
    assert token["auth_result"] == {
        "result": "allow",
        "status": "allow",
        "status_msg": "Login Successful",
    }
    context = token["auth_context"]
    assert (context["factor"], context["reason"], context["result"]) == (
        "duo_push",
        "user_approved",
        "success",
    )
    assert context["user"]["name"] == ALICE
    now = datetime.now(UTC).timestamp()
    for instant in (token["iat"], token["auth_time"], context["timestamp"]):
        assert abs(instant - now) < 10
    assert token["exp"] > now
    assert duo.simulator.ledger.kinds(ALICE) == [
        Kind.PROMPT_OPENED,
        Kind.ALLOWED,
        Kind.EXCHANGED,
    ]


@pytest.mark.parametrize(("behaviour", "verdict"), SCRIPTED.items(), ids=SCRIPTED)
async def test_sdk_does_not_judge(duo: Duo, behaviour: Behaviour, verdict: Verdict) -> None:
    """Each scripted end is returned alike, a signed denial as an approval: no SDK looks at `auth_result`."""
    await duo.script(behaviour)
    answer = await duo.exchange(await duo.come_back())
    assert answer.error is None, answer.said
    token = answer.result
    word = "allow" if verdict.allowed else "deny"
    assert token["auth_result"]["result"] == token["auth_result"]["status"] == word
    context = token["auth_context"]
    assert (context["factor"], context["reason"], context["result"]) == (
        verdict.factor,
        verdict.reason,
        verdict.result,
    )


async def test_code_is_called_code_where_wanted(duo: Duo) -> None:
    """Without the option for `duo_code` the parameter is `code`, and as good."""
    answer = await duo.visit(use_duo_code_attribute=False)
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert sorted(back) == ["code", "from", "state"]
    assert (await duo.exchange(back["code"][0])).error is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"client_secret": OTHER_SECRET}, INVALID_CLIENT),
        ({"client_id": STRANGER}, INVALID_CLIENT),
        ({"redirect_uri": EVIL}, INVALID_GRANT),
        ({"code": "made-up"}, INVALID_GRANT),
        ({"code": "c" * 8192}, INVALID_GRANT),
        ({"code": ""}, INVALID_GRANT._replace(node="DuoException: Missing authorization code")),
    ],
    ids=["secret", "client", "redirect_uri", "code", "long code", "empty code"],
)
async def test_exchange_refuses(duo: Duo, sdk: Sdk, given: dict[str, Any], said: Said) -> None:
    """One thing that isn't right, and there is no token."""
    sdk.says(await duo.exchange(**{"code": await duo.come_back(), **given}), said)
    assert Kind.EXCHANGED not in duo.simulator.ledger.kinds()


async def test_code_is_good_once(duo: Duo, sdk: Sdk) -> None:
    """A second exchange of a code is refused."""
    code = await duo.come_back()
    assert (await duo.exchange(code)).error is None
    sdk.says(await duo.exchange(code), INVALID_GRANT)


@pytest.mark.parametrize(
    "username", ["bob", ALICE.upper(), f"{ALICE} "], ids=["other", "case", "blank"]
)
async def test_token_of_another_user_is_noticed(duo: Duo, sdk: Sdk, username: str) -> None:
    """A token that names the user otherwise, be it by a letter's case, is refused by the SDK."""
    sdk.says(await duo.exchange(await duo.come_back(), username), WRONG_USER)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (NONCE, Said("The nonce is invalid", "(The Claim 'nonce' value doesn't match")),
        (None, Said("The nonce is invalid", "(The Claim 'nonce' is not present")),
    ],
    ids=["another", "none"],
)
async def test_nonce_of_another_prompt_is_noticed(
    duo: Duo, sdk: Sdk, sent: str | None, said: Said
) -> None:
    """A token for another nonce, or for none, is refused by the SDK."""
    sdk.says(await duo.exchange(await duo.come_back(nonce=sent), nonce=OTHER_NONCE), said)


async def test_nonce_comes_back(duo: Duo) -> None:
    """A nonce beside the signed request is in the token, where an SDK that is given it finds it."""
    answer = await duo.exchange(await duo.come_back(nonce=NONCE), nonce=NONCE)
    assert answer.error is None, answer.said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"state": ""}, WRONG_STATE),
        ({"state": "s" * 21}, WRONG_STATE),
        ({"state": "s" * 1025}, WRONG_STATE),
        ({"state": None}, WRONG_STATE._replace(java="NullPointerException: ")),
        ({"username": ""}, NO_USER),
        ({"username": None}, NO_USER),
    ],
    ids=["empty state", "short state", "long state", "no state", "empty user", "no user"],
)
async def test_sdk_refuses_an_argument(
    duo: Duo, sdk: Sdk, given: dict[str, Any], said: Said
) -> None:
    """What an SDK can't ask a prompt for it says at once."""
    wanted = {"username": ALICE, "state": STATE, **given}
    sdk.says(await duo.ask("create_auth_url", **wanted), said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client_id": CLIENT_ID[1:]}, Said("The Client ID is invalid", "Invalid client id")),
        (
            {"client_secret": OTHER_SECRET[1:]},
            Said("The Client Secret is invalid", "Invalid client secret"),
        ),
        ({"api_host": ""}, Said("Error parsing config", "Invalid host: ")),
        ({"redirect_uri": "no address"}, Said("Error parsing config", "no protocol: ")),
    ],
    ids=["client_id", "client_secret", "api_host", "redirect_uri"],
)
async def test_sdk_refuses_an_option(
    duo: Duo, sdk: Sdk, options: dict[str, object], said: Said
) -> None:
    """What can't be an account of Duo's makes no client."""
    sdk.says(await duo.ask("generate_state", options), said)


@pytest.mark.parametrize("length", [22, 1024])
async def test_states_of_every_length_come_back(duo: Duo, length: int) -> None:
    """The shortest and the longest state that an SDK takes are the simulator's to take as well."""
    made = await duo.ask("create_auth_url", username=ALICE, state="s" * length)
    address = urlsplit(made.result)
    answer = await duo.browser.get(f"{address.path}?{address.query}")
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == ["s" * length]


async def test_states_are_made_for_the_simulator(duo: Duo) -> None:
    """A state of the SDK's own making is another one each time, and long enough."""
    states = {(await duo.ask("generate_state")).result for _ in range(3)}
    assert {len(state) for state in states} == {36}
    assert len(states) == 3


async def test_authority_has_to_be_told(duo: Duo, sdk: Sdk) -> None:
    """Left to itself an SDK trusts Duo's authorities alone, and calls no simulator."""
    answer = await duo.health_check(ca_file=None, pins=None)
    sdk.says(answer, Said("unable to verify the first certificate", "Certificate pinning failure!"))
    assert duo.simulator.ledger.kinds() == []


async def test_java_says_no_port(duo: Duo, sdk: Sdk) -> None:
    """A host with a port is a host to the SDK for Node; that for Java takes it for an IPv6 address."""
    answer = await duo.ask("generate_state", {"api_host": "localhost:8444"})
    sdk.says(answer, Said(None, "[localhost:8444]"))
