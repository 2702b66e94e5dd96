"""What the simulator grants and refuses, as Duo does."""

from __future__ import annotations

from typing import Any

import pytest

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.duo_routes import HEALTH_CHECK, TOKEN
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
