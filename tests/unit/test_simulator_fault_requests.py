"""The faults' own addresses: what can be injected, what is refused and why, and from where."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.duo_routes import AUTHORIZE
from countersign.simulator.fault import NATURES, Endpoint, Fault
from countersign.simulator.faults import MOST
from countersign.simulator.ledger import Kind
from tests.simulated import CLIENT_ID, HOST, Browser


async def test_fault_is_injected_listed_and_removed() -> None:
    """What is injected is told in full, with what is left; and ends where it is removed."""
    browser = Browser()
    answer = await browser.http.post("/faults", json={"fault": "slow", "seconds": 1.5, "times": 3})
    assert answer.status_code == 201
    first = answer.json()
    assert first == {
        "id": first["id"],
        "fault": "slow",
        "endpoint": None,
        "username": None,
        "client_id": None,
        "times": 3,
        "left": 3,
        "seconds": 1.5,
    }
    wish = {"fault": "used_code", "username": "auth0|Ålice", "client_id": CLIENT_ID, "times": None}
    second = (await browser.http.post("/faults", json=wish)).json()
    assert second == {**wish, "id": second["id"], "endpoint": "token", "left": None} | {
        "seconds": None
    }
    assert (await browser.http.get("/faults")).json() == [first, second]
    for _ in range(2):  # who removes what is gone already has what was wanted
        assert (await browser.http.delete(f"/faults/{first['id']}")).status_code == 204
    assert (await browser.http.get("/faults")).json() == [second]
    assert (await browser.http.delete("/faults")).status_code == 204
    assert (await browser.http.get("/faults")).json() == []


async def test_fault_strikes_as_often_as_was_said() -> None:
    """Once where nothing is said, so many times where it is, and until removed for null."""
    browser = Browser()

    async def statuses(count: int) -> list[int]:
        return [(await browser.check_health()).status_code for _ in range(count)]

    wish = {"fault": "bad_gateway", "endpoint": "health_check"}
    await browser.http.post("/faults", json=wish)
    assert await statuses(2) == [502, 200]
    await browser.http.post("/faults", json={**wish, "times": 2})
    assert await statuses(1) == [502]
    assert [each["left"] for each in (await browser.http.get("/faults")).json()] == [1]
    assert await statuses(2) == [502, 200]
    lasting = (await browser.http.post("/faults", json={**wish, "times": None})).json()
    assert await statuses(3) == [502, 502, 502]
    await browser.http.delete(f"/faults/{lasting['id']}")
    assert await statuses(1) == [200]


async def test_ledger_names_the_fault_and_whom_it_struck() -> None:
    """The ledger says which fault struck whom, and holds neither code nor state (law 9)."""
    browser = Browser()
    await browser.http.post("/faults", json={"fault": "no_user", "username": "alice"})
    code = await browser.scripted("alice", Behaviour.APPROVE)
    await browser.exchange(code)
    told = (await browser.http.get("/ledger")).text
    entries = [each for each in json.loads(told) if each["kind"] == Kind.FAULT_INJECTED]
    assert [(each["fault"], each["username"]) for each in entries] == [("no_user", "alice")]
    assert code not in told


BAD: list[tuple[bytes, str, str]] = [
    (b"", "body", "JSON"),
    (b"{", "body", "JSON"),
    (b"\xff", "body", "JSON"),
    (b"[" * 10_000, "body", "JSON"),
    (b"[]", "body", "object"),
    (b"{}", "fault", "wrong_signature"),
    (b'{"fault": "dance"}', "fault", "wrong_signature"),
    (b'{"fault": ["slow"]}', "fault", "wrong_signature"),
    (b'{"fault": "html", "when": "now"}', "when", "endpoint"),
    (b'{"fault": "html", "endpoint": "prompt"}', "endpoint", "health_check"),
    (b'{"fault": "html", "endpoint": 7}', "endpoint", "health_check"),
    (b'{"fault": "used_code", "endpoint": "authorize"}', "endpoint", "token"),
    (b'{"fault": "no_user", "endpoint": "health_check"}', "endpoint", "token"),
    (b'{"fault": "not_json", "endpoint": "authorize"}', "endpoint", "health_check, token"),
    (b'{"fault": "html", "endpoint": "health_check", "username": "alice"}', "username", "no user"),
    (b'{"fault": "html", "username": ""}', "username", "1 to"),
    (b'{"fault": "html", "username": 7}', "username", "text"),
    (
        json.dumps({"fault": "html", "username": "x" * 1025}).encode(),
        "username",
        "1 to",
    ),
    (b'{"fault": "html", "client_id": "DIBOBSSHOP0000000000"}', "client_id", CLIENT_ID),
    (b'{"fault": "html", "client_id": {}}', "client_id", "text"),
    (b'{"fault": "html", "times": 0}', "times", "whole number"),
    (b'{"fault": "html", "times": -1}', "times", "whole number"),
    (b'{"fault": "html", "times": 1.5}', "times", "whole number"),
    (b'{"fault": "html", "times": true}', "times", "whole number"),
    (b'{"fault": "html", "times": "1"}', "times", "whole number"),
    (b'{"fault": "html", "times": 1' + b"0" * 400 + b"}", "times", "whole number"),
    (b'{"fault": "slow"}', "seconds", "number from"),
    (b'{"fault": "slow", "seconds": 0}', "seconds", "number from"),
    (b'{"fault": "slow", "seconds": -1}', "seconds", "number from"),
    (b'{"fault": "slow", "seconds": 601}', "seconds", "number from"),
    (b'{"fault": "slow", "seconds": 1' + b"0" * 400 + b"}", "seconds", "large"),
    (b'{"fault": "slow", "seconds": true}', "seconds", "number"),
    (b'{"fault": "clock_skew", "seconds": 1e300}', "seconds", "number from"),
    (b'{"fault": "html", "seconds": 1}', "seconds", "slow, clock_skew"),
]


@pytest.mark.parametrize(("body", "field", "hint"), BAD)
async def test_impossible_fault_is_refused(body: bytes, field: str, hint: str) -> None:
    """What can't be is refused with the wrong field and what would be right, and isn't injected."""
    browser = Browser()
    answer = await browser.http.post("/faults", content=body)
    assert answer.status_code == 400
    said = answer.json()
    assert said["field"] == field
    assert hint in said["detail"]
    assert (await browser.http.get("/faults")).json() == []


async def test_body_that_is_too_large_is_refused() -> None:
    """More than a fault could ever need is refused before it is read."""
    browser = Browser()
    answer = await browser.http.post("/faults", content=b'{"fault": "' + b"x" * 100_000)
    assert answer.status_code == 413


async def test_faults_in_force_are_limited() -> None:
    """A loop that injects without end is told so."""
    browser = Browser()
    for _ in range(MOST):
        browser.simulator.faults.inject(Fault.HTML)
    answer = await browser.http.post("/faults", json={"fault": "html"})
    assert (answer.status_code, answer.json()["field"]) == (400, "fault")


@given(
    wish=st.dictionaries(
        st.sampled_from(["fault", "endpoint", "username", "client_id", "times", "seconds"]),
        st.sampled_from([*Fault, *Endpoint, CLIENT_ID])
        | st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
    )
)
def test_any_wish_is_taken_or_refused(wish: dict[str, Any]) -> None:
    """Whatever is wished for is refused, or is in force and can strike somewhere."""

    async def ask() -> None:
        browser = Browser()
        answer = await browser.http.post("/faults", content=json.dumps(wish))
        assert answer.status_code in {201, 400}
        in_force = list(browser.simulator.faults)
        assert len(in_force) == (answer.status_code == 201)
        for each in in_force:
            assert each.endpoint is None or each.endpoint in NATURES[each.fault].endpoints
            assert answer.json() == msgspec.to_builtins(each)

    asyncio.run(ask())


OTHER_SITES = [
    {"origin": "https://evil.example.com"},
    {"origin": "null"},
    {"origin": "https://localhost:8080"},
    {"origin": f"http://{HOST}"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "https://localhost:8080"},
    # A name of the attacker's that leads here, so that the browser thinks this is the attacker's site.
    {"sec-fetch-site": "same-origin", "host": "evil.example.com:8444"},
    {"origin": "https://evil.example.com:8444", "host": "evil.example.com:8444"},
    {"sec-fetch-site": "same-origin", "host": "[::1"},
]
SAME_SITE: list[dict[str, str]] = [
    {},
    {"origin": f"https://{HOST}"},
    {"sec-fetch-site": "same-origin", "origin": "null"},
    {"sec-fetch-site": "none"},
    {"host": "simulator:8444"},
    {"sec-fetch-site": "same-origin", "host": "127.0.0.1:8444"},
    {"sec-fetch-site": "same-origin", "host": "[::1]:8444"},
]


@pytest.mark.parametrize("headers", OTHER_SITES)
async def test_pages_of_other_sites_change_nothing(headers: dict[str, str]) -> None:
    """A page elsewhere can neither break Duo nor script anybody, whichever address it posts to."""
    browser = Browser()
    browser.simulator.faults.inject(Fault.HTML)
    asked = [
        await browser.http.post("/faults", json={"fault": "html"}, headers=headers),
        await browser.http.delete("/faults", headers=headers),
        await browser.http.delete("/faults/1", headers=headers),
        await browser.http.put("/scripts/bob", json={"behaviour": "approve"}, headers=headers),
        await browser.http.post("/control/faults", data={"fault": "html"}, headers=headers),
        await browser.http.post("/control/faults/remove", data={"id": "1"}, headers=headers),
        await browser.http.post(
            "/control/scripts", data={"scripted": "bob", "behaviour": "approve"}, headers=headers
        ),
        await browser.http.post("/control/scripts/remove", data={"scripted": "x"}, headers=headers),
    ]
    assert {answer.status_code for answer in asked} == {403}
    assert len(list(browser.simulator.faults)) == 1
    assert browser.simulator.scripts == {}


@pytest.mark.parametrize("headers", SAME_SITE)
async def test_own_pages_and_programs_may(headers: dict[str, str]) -> None:
    """Our own pages may, by each of our names; and so may what is no browser."""
    browser = Browser()
    answer = await browser.http.post("/faults", json={"fault": "html"}, headers=headers)
    assert answer.status_code == 201


async def test_browsers_come_from_other_sites_to_the_prompt() -> None:
    """The prompt itself is led to from elsewhere, as it has to be."""
    browser = Browser()
    headers = {"sec-fetch-site": "cross-site", "origin": "null"}
    assert (await browser.http.get(AUTHORIZE, headers=headers)).status_code == 400
    answer = await browser.authorize()
    page = await browser.http.get(answer.headers["location"], headers=headers)
    assert page.status_code == 200
