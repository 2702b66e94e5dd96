"""What the simulator grants and refuses, as Duo does."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.duo_routes import HEALTH_CHECK, TOKEN
from countersign.simulator.tokens import SCRIPTED as VERDICTS
from tests.simulated import CLIENT_ID, HOST, NOON, Browser, claims_of, code_of


@pytest.mark.parametrize(
    "claims",
    [
        {"redirect_uri": "https://mfa.example.com/" + "x" * 256},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "https://mfa.example.com/\r\nx: y"},
        {"redirect_uri": "https://mfa.example.com/#fragment"},
        {"redirect_uri": "https://mfa.example.com:port/"},
        {"state": "s" * 15},
        {"state": "s" * 1025},
        {"state": "\ud800" * 20},
        {"response_type": "token"},
        {"duo_uname": " "},
        {"duo_uname": "\ud800"},
        {"duo_uname": ["alice"]},
        {"use_duo_code_attribute": "yes"},
        {"nonce": 7},
        {"iss": "DIBOBSSHOP0000000000"},
        {"aud": "https://api.example.com"},
        {"exp": NOON.timestamp() - 61},
        {"exp": NOON.timestamp() + 3661},
        {"exp": "soon"},
        {"exp": 10**400},
        {"exp": None},
        {"client_id": "DIBOBSSHOP0000000000"},
    ],
)
async def test_requests_that_duo_would_refuse(claims: dict[str, Any]) -> None:
    """A request that isn't as Duo wants it gets an error page, and no prompt."""
    browser = Browser()
    answer = await browser.authorize(**claims)
    assert answer.status_code == 400
    assert "This request was refused" in answer.text
    assert browser.kinds() == []


async def test_request_of_the_java_sdk() -> None:
    """Duo's SDK for Java names neither issuer nor audience, and asks for an hour."""
    browser = Browser()
    hour = NOON.timestamp() + 3600
    assert (await browser.authorize(iss=None, aud=None, exp=hour)).status_code == 303


async def test_nonce_of_the_query_wins() -> None:
    """Of two nonces the one in the query comes back in the token, as with Duo."""
    browser = Browser()
    browser.simulator.scripts["alice"] = Behaviour.APPROVE
    answer = await browser.authorize(nonce="t" * 36, query={"nonce": "q" * 36})
    token = (await browser.exchange(code_of(answer.headers["location"]))).json()["id_token"]
    # The signature is checked with the SDK, elsewhere.
    assert claims_of(token)["nonce"] == "q" * 36


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "DIBOBSSHOP0000000000"},
        {"sub": "DIBOBSSHOP0000000000"},
        {"aud": f"https://{HOST}{TOKEN}"},
        {"exp": NOON.timestamp()},
        {"exp": NOON.timestamp() + 3601},
        {"exp": float("nan")},
        {"exp": True},
        {"jti": None},
        {"jti": ""},
        {"jti": "j" * 257},
    ],
)
async def test_assertions_that_prove_nothing(changed: dict[str, Any]) -> None:
    """An assertion for something else, or for another time, is an invalid_client in Duo's words."""
    browser = Browser()
    signed = browser.assertion(HEALTH_CHECK, **changed)
    given = {"client_id": CLIENT_ID, "client_assertion": signed}
    answer = await browser.http.post(HEALTH_CHECK, data=given)
    assert answer.status_code == 400
    said = answer.json()
    assert (said["stat"], said["code"], said["message"]) == ("FAIL", 40002, "invalid_client")


async def test_assertion_names_its_client() -> None:
    """Without client_id the assertion's subject counts, as with Duo's SDK for Java; it has to be signed."""
    browser = Browser()
    signed = browser.assertion(HEALTH_CHECK)
    header, _, signature = signed.split(".")
    subjects: list[object] = ["DIBOBSSHOP0000000000", ["a", "list"], None]
    others = [browser.assertion(HEALTH_CHECK, sub=subject) for subject in subjects]
    for bad in ("", "a.b.c", f"{header}..{signature}", f"{signed}x", *others):
        answer = await browser.http.post(HEALTH_CHECK, data={"client_assertion": bad})
        assert answer.json()["message"] == "invalid_client"
    answer = await browser.http.post(
        HEALTH_CHECK, data={"client_id": "", "client_assertion": signed}
    )
    assert answer.json()["message"] == "invalid_client"
    answer = await browser.http.post(HEALTH_CHECK, data={"client_assertion": signed})
    assert answer.json()["stat"] == "OK"


async def test_assertion_is_good_once() -> None:
    """The same assertion a second time is refused; and Duo takes it from query or form."""
    browser = Browser()
    given = {"client_id": CLIENT_ID, "client_assertion": browser.assertion(HEALTH_CHECK)}
    assert (await browser.http.post(HEALTH_CHECK, params=given)).json()["stat"] == "OK"
    assert (await browser.http.post(HEALTH_CHECK, data=given)).json()["message"] == "invalid_client"


async def test_exchange_that_is_none() -> None:
    """Another grant type or assertion type is an invalid_request, and an unknown code an invalid_grant."""
    browser = Browser()
    answers = [
        await browser.exchange("code", grant_type="password"),
        await browser.exchange("code", client_assertion_type="secret"),
        await browser.exchange("code"),
    ]
    errors = [answer.json()["error"] for answer in answers]
    assert errors == ["invalid_request", "invalid_request", "invalid_grant"]
    assert {answer.status_code for answer in answers} == {400}


async def test_scripts_are_checked() -> None:
    """A behaviour that nobody knows is refused, with the ones that there are."""
    browser = Browser()
    refused = await browser.http.put("/scripts/bob", content=b'{"behaviour": "dance"}')
    assert refused.status_code == 400
    assert "deny_silently" in refused.text
    await browser.http.put("/scripts/auth0%7Cbob%2F", content=b'{"behaviour": "fraud"}')
    assert browser.simulator.scripts == {"auth0|bob/": Behaviour.FRAUD}
    await browser.http.delete("/scripts/auth0%7Cbob%2F")
    assert browser.simulator.scripts == {}


async def test_assertion_for_a_token_is_good_once() -> None:
    """At the token endpoint, too, the same assertion a second time is refused; a new one is taken."""
    browser = Browser()
    code = await browser.scripted("alice", Behaviour.APPROVE)
    used = browser.assertion(TOKEN)
    assert (await browser.exchange("unknown", client_assertion=used)).json()["error"] == (
        "invalid_grant"
    )
    again = await browser.exchange(code, client_assertion=used)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_client")
    assert (await browser.exchange(code)).status_code == 200


@pytest.mark.parametrize("length", [16, 1024])
async def test_longest_and_shortest_state_come_back(length: int) -> None:
    """States of 16 and of 1024 characters, and nonces as long, are Duo's limits, and taken."""
    browser = Browser()
    browser.simulator.scripts["alice"] = Behaviour.APPROVE
    state, nonce = "s" * length, "n" * length
    answer = await browser.authorize(state=state, nonce=nonce)
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == [state]
    token = (await browser.exchange(back["duo_code"][0])).json()["id_token"]
    assert claims_of(token)["nonce"] == nonce


SCRIPTED: list[tuple[Behaviour, str, str, bool]] = [
    (Behaviour.APPROVE, "duo_push", "user_approved", True),
    (Behaviour.BYPASS, "not_available", "bypass_user", False),
    (Behaviour.BYPASS_CODE, "bypass_code", "valid_passcode", False),
    (Behaviour.REMEMBERED_DEVICE, "remembered_device", "remembered_device", False),
    (Behaviour.TRUSTED_NETWORK, "trusted_network", "trusted_network", False),
    (Behaviour.ALLOW_UNENROLLED, "not_available", "allow_unenrolled_user", False),
    (Behaviour.UNKNOWN_FACTOR, "retina_scan", "user_approved", True),
    (Behaviour.DENY_WITH_TOKEN, "duo_push", "user_cancelled", True),
    (Behaviour.FRAUD, "duo_push", "user_marked_fraud", True),
]


@pytest.mark.parametrize(("behaviour", "factor", "reason", "device"), SCRIPTED)
async def test_token_tells_factor_device_and_place(
    behaviour: Behaviour,
    factor: str,
    reason: str,
    device: bool,  # noqa: FBT001  # a row of the table
) -> None:
    """Each token has what a relying party may show: factor, reason, device, place, browser, user."""
    browser = Browser()
    code = await browser.scripted("alice", behaviour)
    said = claims_of((await browser.exchange(code)).json()["id_token"])
    context = said["auth_context"]
    assert (context["factor"], context["reason"]) == (factor, reason)
    assert context["event_type"] == "authentication"
    assert context["timestamp"] == said["auth_time"] == int(NOON.timestamp())
    assert context["isotimestamp"] == NOON.isoformat()
    assert all(context[name] for name in ("txid", "email"))
    assert context["user"]["name"] == "alice"
    assert all(context["user"].values())
    assert context["application"]["key"] == CLIENT_ID
    assert set(context["auth_device"]) == {"name", "ip", "location"}
    assert (context["auth_device"]["name"] is not None) is device
    assert (context["auth_device"]["location"]["city"] is not None) is device
    known = {"browser", "browser_version", "ip", "os", "os_version", "location"}
    assert all(context["access_device"][name] for name in known)
    assert set(context["access_device"]) >= {"hostname", "is_encryption_enabled"} | known


def test_every_script_with_a_token_is_in_the_table() -> None:
    """No behaviour that ends with a token is left out above."""
    assert {row[0] for row in SCRIPTED} == set(VERDICTS)
    silent = {Behaviour.SILENCE, Behaviour.DENY_SILENTLY, Behaviour.ERROR_REDIRECT}
    assert set(VERDICTS) | silent == set(Behaviour)
