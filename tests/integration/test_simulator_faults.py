"""Injected faults over real TLS: what Duo's own SDK, unmodified, makes of each.

Where the SDK takes what is wrong, the test says so: whoever uses it has to look there.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from countersign.core.duo_answer import read_duo_answer
from countersign.local.ports import free_port
from countersign.simulator.behaviour import Behaviour
from countersign.simulator.duo_routes import HEALTH_CHECK
from countersign.simulator.fault import NATURES, Endpoint, Fault, Moment
from countersign.simulator.ledger import Kind
from tests.simulated_duo import NONCE, Duo, exchange, refusal, serving
from tests.waiting import eventually

# The SDK signs with Duo's own secrets of 40 bytes, which PyJWT calls short for HS512.
pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")


@pytest.fixture
async def duo(tmp_path: Path) -> AsyncIterator[Duo]:
    """A simulator that listens, with Alice who approves."""
    async with serving(tmp_path) as found:
        yield found


HEALTH: list[tuple[Fault, str]] = [
    (Fault.RESET, "Connection|EOF"),
    (Fault.TRUNCATED, "IncompleteRead|Connection"),
    (Fault.BAD_REQUEST, "invalid_request"),
    (Fault.INVALID_CLIENT, "invalid_client"),
    (Fault.RATE_LIMITED, "42901"),
    (Fault.BAD_GATEWAY, "Expecting value"),
    (Fault.HTML, "Expecting value"),
    (Fault.NOT_JSON, "Expecting value"),
]


@pytest.mark.parametrize(("fault", "why"), HEALTH)
async def test_health_check_that_fails(duo: Duo, fault: Fault, why: str) -> None:
    """The SDK tells that Duo is not well, and by the next check it is."""
    client = duo.client()
    duo.simulator.faults.inject(fault, Endpoint.HEALTH_CHECK)
    said = await refusal(asyncio.to_thread(client.health_check))
    assert any(each in said for each in why.split("|")), said
    assert (await asyncio.to_thread(client.health_check))["stat"] == "OK"
    assert duo.simulator.ledger.kinds() == [Kind.FAULT_INJECTED, Kind.HEALTH_CHECKED]


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.HUGE])
async def test_health_check_that_the_sdk_believes(duo: Duo, fault: Fault) -> None:
    """The SDK looks neither at the status nor at the size: a 500 that says OK is well to it."""
    duo.simulator.faults.inject(fault, Endpoint.HEALTH_CHECK)
    assert (await asyncio.to_thread(duo.client().health_check))["stat"] == "OK"
    assert duo.simulator.ledger.kinds() == [Kind.FAULT_INJECTED]


@pytest.mark.parametrize("seconds", [600, -7200])
async def test_clock_that_differs_is_an_invalid_client(duo: Duo, seconds: float) -> None:
    """With the simulator's clock off for one request, that one is refused, at either endpoint."""
    client = duo.client()
    duo.simulator.faults.inject(Fault.CLOCK_SKEW, Endpoint.HEALTH_CHECK, seconds=seconds)
    assert "invalid_client" in await refusal(asyncio.to_thread(client.health_check))
    code = await duo.come_back(client, "alice")
    duo.simulator.faults.inject(Fault.CLOCK_SKEW, Endpoint.TOKEN, seconds=seconds)
    assert "invalid_client" in await refusal(exchange(client, code, "alice"))
    assert await exchange(client, code, "alice")


async def test_hang_ends_when_the_simulator_stops(duo: Duo) -> None:
    """A call hangs as long as the SDK waits, which is for ever; stopping the simulator lets it go."""
    duo.simulator.faults.inject(Fault.HANG, Endpoint.HEALTH_CHECK)
    checking = asyncio.create_task(asyncio.to_thread(duo.client().health_check))
    await eventually(lambda: Kind.FAULT_INJECTED in duo.simulator.ledger.kinds())
    assert not checking.done()
    duo.simulator.stop()
    assert await refusal(checking)


async def test_hang_ends_when_the_client_goes(duo: Duo, caplog: pytest.LogCaptureFixture) -> None:
    """A client that waits no longer leaves nothing hanging at the simulator, which can end."""
    duo.simulator.faults.inject(Fault.HANG, Endpoint.AUTHORIZE)
    client = duo.client()
    address = client.create_auth_url("alice", client.generate_state())
    visit = asyncio.create_task(duo.visit(address))
    await eventually(lambda: Kind.FAULT_INJECTED in duo.simulator.ledger.kinds())
    visit.cancel()
    await asyncio.gather(visit, return_exceptions=True)
    await duo.server.stop()
    assert "graceful shutdown exceeded" not in caplog.text


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.TRUNCATED])
async def test_browser_is_cut_off(duo: Duo, fault: Fault) -> None:
    """A browser that is cut off has no page, and the same address works the next time."""
    duo.simulator.faults.inject(fault, Endpoint.AUTHORIZE)
    client = duo.client()
    address = client.create_auth_url("alice", client.generate_state())
    with pytest.raises(httpx.TransportError):
        await duo.visit(address)
    assert (await duo.visit(address)).status_code == 303


REFUSED: list[tuple[Fault, str]] = [
    (Fault.RESET, "Connection|EOF"),
    (Fault.TRUNCATED, "IncompleteRead|Connection"),
    (Fault.INVALID_CLIENT, "invalid_client"),
    (Fault.RATE_LIMITED, "42901"),
    (Fault.SERVER_ERROR, "OK"),
    (Fault.USED_CODE, "invalid_grant"),
    (Fault.WRONG_SIGNATURE, "Signature verification failed"),
    (Fault.ALG_NONE, "alg"),
    (Fault.ALG_HS256, "alg"),
    (Fault.WRONG_AUDIENCE, "Audience"),
    (Fault.WRONG_ISSUER, "issuer"),
    (Fault.WRONG_NONCE, "nonce"),
    (Fault.NO_NONCE, "nonce"),
    (Fault.EXPIRED, "expired"),
    (Fault.ISSUED_IN_FUTURE, "not yet valid"),
    (Fault.OTHER_USER, "username"),
    (Fault.OTHER_CASE, "username"),
    (Fault.NO_USER, "username"),
]
TAKEN = (
    *(Fault.DENY_WITH_200, Fault.NO_AUTH_RESULT),
    *(Fault.CONTRADICTORY_RESULT, Fault.UNKNOWN_RESULT),
)


@pytest.mark.parametrize(("fault", "why"), REFUSED)
async def test_exchange_that_the_sdk_refuses(duo: Duo, fault: Fault, why: str) -> None:
    """The SDK raises its own exception, and says why."""
    client = duo.client()
    code = await duo.come_back(client, "alice", nonce=NONCE)
    duo.simulator.faults.inject(fault, Endpoint.TOKEN, username="alice")
    said = await refusal(exchange(client, code, "alice", NONCE))
    assert any(each in said for each in why.split("|")), said
    assert Kind.FAULT_INJECTED in duo.simulator.ledger.kinds("alice")


@pytest.mark.parametrize("fault", [Fault.BAD_GATEWAY])
async def test_exchange_that_fails_in_no_way_of_the_sdk(duo: Duo, fault: Fault) -> None:
    """Where Duo's answer is an error and no JSON, something else comes out of the SDK than its own error."""
    client = duo.client()
    code = await duo.come_back(client, "alice")
    duo.simulator.faults.inject(fault, Endpoint.TOKEN)
    with pytest.raises(json.JSONDecodeError) as raised:
        await exchange(client, code, "alice")
    traceback.clear_frames(raised.tb)  # they keep the SDK's connection open
    assert await exchange(client, code, "alice")


@pytest.mark.law(6)
@pytest.mark.parametrize("fault", TAKEN)
async def test_token_that_the_sdk_takes(duo: Duo, fault: Fault) -> None:
    """Law 6: the SDK takes a token whatever its result says; our own reading of it allows nobody."""
    client = duo.client()
    code = await duo.come_back(client, "alice", nonce=NONCE)
    duo.simulator.faults.inject(fault)
    token = await exchange(client, code, "alice", NONCE)
    assert not read_duo_answer(token).allowed


def test_every_token_fault_is_shown_to_the_sdk() -> None:
    """Each fault that bends a token is in one of the tables above."""
    bent = {fault for fault, nature in NATURES.items() if nature.moment is Moment.SIGNING}
    assert bent <= {fault for fault, _ in REFUSED} | set(TAKEN)


async def test_fault_is_injected_over_the_network(duo: Duo) -> None:
    """What a test in another process posts is what the SDK meets, for the user it names and no other."""
    duo.simulator.scripts["bob"] = Behaviour.APPROVE
    client = duo.client()
    wish = {"fault": "deny_with_200", "username": "bob", "times": None}
    async with duo.browser() as http:
        answer = await http.post(f"https://{duo.host}/faults", json=wish)
        assert answer.status_code == 201
        for user, allowed in (("alice", True), ("bob", False), ("bob", False)):
            token = await exchange(client, await duo.come_back(client, user), user)
            assert read_duo_answer(token).allowed is allowed
        await http.delete(f"https://{duo.host}/faults/{answer.json()['id']}")
        token = await exchange(client, await duo.come_back(client, "bob"), "bob")
        assert read_duo_answer(token).allowed
        told = (await http.get(f"https://{duo.host}/ledger")).json()
    assert [each["fault"] for each in told].count("deny_with_200") == 2


async def test_process_ends_in_spite_of_a_hang(tmp_path: Path) -> None:
    """At SIGTERM the process lets go of a call that hangs, answers it, and ends well."""
    port, http_port = free_port(), free_port()
    own = f"http://127.0.0.1:{http_port}"
    written = tmp_path / "log"
    with written.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "countersign", "simulator"),
            *("--port", str(port), "--http-port", str(http_port)),
            *("--directory", str(tmp_path / "duo")),
            stdout=log,
            stderr=log,
        )
    try:
        await eventually(lambda: "COUNTERSIGN_DUO_HOSTS" in written.read_text())
        async with httpx.AsyncClient(base_url=own, trust_env=False, timeout=20) as http:
            wish = {"fault": "hang", "endpoint": "health_check"}
            assert (await http.post("/faults", json=wish)).status_code == 201
            hanging = asyncio.create_task(http.post(HEALTH_CHECK, data={"client_id": "x"}))
            while not (await http.get("/ledger")).json():
                assert not hanging.done()
            process.terminate()
            assert (await hanging).status_code == 503
    finally:
        if process.returncode is None:
            process.terminate()
        status = await process.wait()
    assert status == 0, written.read_text()
