"""The simulator over real TLS, with Duo's own SDK, unmodified: what Duo grants and what it refuses."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import sys
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from duo_universal import Client

from countersign.core.duo_answer import read_duo_answer
from countersign.core.result import Assurance
from countersign.local.ports import free_port
from countersign.simulator.behaviour import Behaviour
from countersign.simulator.ledger import Kind
from tests.simulated_duo import CALLBACK, CLIENT_ID, NONCE, Duo, exchange, refusal, serving
from tests.waiting import eventually

# The SDK signs with Duo's own secrets of 40 bytes, which PyJWT calls short for HS512.
pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")


@pytest.fixture
async def duo(tmp_path: Path) -> AsyncIterator[Duo]:
    """A simulator that listens, with Alice who approves."""
    async with serving(tmp_path) as found:
        yield found


async def test_health_check_tells_the_time(duo: Duo) -> None:
    """A client with the right secret hears OK and the time."""
    said = await asyncio.to_thread(duo.client().health_check)
    assert said["stat"] == "OK"
    assert abs(said["response"]["timestamp"] - datetime.now(UTC).timestamp()) < 10
    assert duo.simulator.ledger.kinds() == [Kind.HEALTH_CHECKED]


async def test_health_check_refuses_a_wrong_secret(duo: Duo) -> None:
    """A client with another secret is no client of ours."""
    client = duo.client(secret=secrets.token_hex(20))
    assert "invalid_client" in await refusal(asyncio.to_thread(client.health_check))


@pytest.mark.parametrize("skew", [timedelta(minutes=10), timedelta(minutes=-90)])
async def test_health_check_refuses_other_clocks(duo: Duo, skew: timedelta) -> None:
    """An assertion of the past, or of the far future, is refused as Duo does: invalid_client."""
    duo.skew = skew
    assert "invalid_client" in await refusal(asyncio.to_thread(duo.client().health_check))


async def test_approval_becomes_a_token(duo: Duo) -> None:
    """Approve, come back, exchange: the SDK takes the token, and it says who, how and for whom."""
    client = duo.client()
    code = await duo.come_back(client, "alice", nonce=NONCE)
    token = await exchange(client, code, "alice", NONCE)
    assert token["iss"] == f"https://{duo.host}/oauth/v1/token"
    assert (token["aud"], token["sub"], token["preferred_username"]) == (
        CLIENT_ID,
        "alice",
        "alice",
    )
    assert token["nonce"] == NONCE
    assert token["auth_result"]["result"] == token["auth_result"]["status"] == "allow"
    context = token["auth_context"]
    assert (context["factor"], context["reason"], context["result"]) == (
        "duo_push",
        "user_approved",
        "success",
    )
    assert context["user"]["name"] == "alice"
    assert read_duo_answer(token).assurance is Assurance.MFA
    assert duo.simulator.ledger.kinds("alice") == [
        Kind.PROMPT_OPENED,
        Kind.ALLOWED,
        Kind.EXCHANGED,
    ]


async def test_name_comes_back_exactly(duo: Duo) -> None:
    """A user name with every kind of character is in the token as it was sent."""
    user = "auth0|Ålice <b>&'\"\u202e"
    duo.simulator.scripts[user] = Behaviour.APPROVE
    client = duo.client()
    token = await exchange(client, await duo.come_back(client, user), user)
    assert token["preferred_username"] == user


async def test_code_is_good_once(duo: Duo) -> None:
    """A second exchange of a code is refused."""
    client = duo.client()
    code = await duo.come_back(client, "alice")
    await exchange(client, code, "alice")
    assert "invalid_grant" in await refusal(exchange(client, code, "alice"))


async def test_code_expires(duo: Duo) -> None:
    """After a minute a code is worth nothing."""
    code = await duo.come_back(client := duo.client(), "alice")
    duo.skew = timedelta(seconds=60)
    assert "invalid_grant" in await refusal(exchange(client, code, "alice"))


async def test_code_belongs_to_its_return_address(duo: Duo) -> None:
    """Another redirect_uri in the exchange than in the request is refused."""
    code = await duo.come_back(duo.client(), "alice")
    other = duo.client(callback="https://evil.example.com/callback")
    assert "invalid_grant" in await refusal(exchange(other, code, "alice"))


async def test_exchange_refuses_a_wrong_secret(duo: Duo) -> None:
    """Who has the code and not the secret gets no token, and the code stays good."""
    code = await duo.come_back(client := duo.client(), "alice")
    stranger = duo.client(secret=secrets.token_hex(20))
    assert "invalid_client" in await refusal(exchange(stranger, code, "alice"))
    assert await exchange(client, code, "alice")


async def test_nonce_of_another_prompt_is_noticed(duo: Duo) -> None:
    """The SDK notices a token that was made for another nonce."""
    client = duo.client()
    code = await duo.come_back(client, "alice", nonce=NONCE)
    assert "nonce" in await refusal(exchange(client, code, "alice", "m" * 36))


async def test_code_is_called_code_where_wanted(duo: Duo) -> None:
    """Without use_duo_code_attribute the parameter is `code`; a query that was there stays."""
    client = duo.client(use_duo_code_attribute=False)
    answer = await duo.visit(client.create_auth_url("alice", client.generate_state()))
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert sorted(back) == ["code", "from", "state"]
    assert await exchange(client, back["code"][0], "alice")


@pytest.mark.parametrize(
    ("behaviour", "allowed", "fraud"),
    [
        (Behaviour.BYPASS, True, False),
        (Behaviour.BYPASS_CODE, True, False),
        (Behaviour.REMEMBERED_DEVICE, True, False),
        (Behaviour.TRUSTED_NETWORK, True, False),
        (Behaviour.ALLOW_UNENROLLED, True, False),
        (Behaviour.UNKNOWN_FACTOR, True, False),
        (Behaviour.DENY_WITH_TOKEN, False, False),
        (Behaviour.FRAUD, False, True),
    ],
)
async def test_token_says_what_was_scripted(
    duo: Duo,
    behaviour: Behaviour,
    allowed: bool,  # noqa: FBT001  # a row of the table
    fraud: bool,  # noqa: FBT001  # likewise
) -> None:
    """The SDK takes each of these tokens; what they say differs, and only `auth_result` tells."""
    duo.simulator.scripts["bob"] = behaviour
    client = duo.client()
    token = await exchange(client, await duo.come_back(client, "bob"), "bob")
    answer = read_duo_answer(token)
    assert (answer.allowed, answer.fraud) == (allowed, fraud)
    assert answer.assurance is (Assurance.DUO_BYPASS if allowed else Assurance.NONE)


@pytest.mark.parametrize("behaviour", [Behaviour.SILENCE, Behaviour.DENY_SILENTLY])
async def test_silence_sends_nobody_back(duo: Duo, behaviour: Behaviour) -> None:
    """A user who denies or doesn't answer stays at the simulator."""
    duo.simulator.scripts["carol"] = behaviour
    client = duo.client()
    answer = await duo.visit(client.create_auth_url("carol", client.generate_state()))
    assert (answer.status_code, "location" in answer.headers) == (200, False)


async def test_error_comes_back_without_a_code(duo: Duo) -> None:
    """An error redirect carries error, description and state, and no code."""
    duo.simulator.scripts["dave"] = Behaviour.ERROR_REDIRECT
    client = duo.client()
    answer = await duo.visit(client.create_auth_url("dave", "s" * 36))
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["error"] == ["access_denied"]
    assert back["state"] == ["s" * 36]
    assert sorted(back) == ["error", "error_description", "from", "state"]


def fetch(address: str, *, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    """Ask the process over plain HTTP."""
    request = urllib.request.Request(address, data=body, method=method)  # noqa: S310  # our own address
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # likewise
        return answer.status, answer.read()


async def test_process_runs_scripts_and_stops(tmp_path: Path) -> None:
    """`countersign simulator` makes up an account, takes scripts over HTTP, and ends at SIGTERM."""
    port, http_port = free_port(), free_port()
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "countersign", "simulator"),
            *("--port", str(port), "--http-port", str(http_port)),
            *("--directory", str(tmp_path / "duo")),
            stdout=log,
            stderr=log,
        )
    try:
        written = tmp_path / "log"
        await eventually(lambda: "COUNTERSIGN_DUO_HOSTS" in written.read_text())
        own = f"http://127.0.0.1:{http_port}"
        assert (await asyncio.to_thread(fetch, f"{own}/health"))[0] == 200
        user = "auth0|alice/of//shop"
        script = json.dumps({"behaviour": "approve"}).encode()
        put = f"{own}/scripts/{quote(user, safe='')}"
        assert (await asyncio.to_thread(fetch, put, method="PUT", body=script))[0] == 204
        client = Client(
            (tmp_path / "duo/client-id").read_text().strip(),
            (tmp_path / "duo/client-secret").read_text().strip(),
            f"localhost:{port}",
            CALLBACK,
            duo_certs=str(tmp_path / "duo/ca.pem"),
        )
        await asyncio.to_thread(client.health_check)
        address = client.create_auth_url(user, client.generate_state())
        trust = ssl.create_default_context(cafile=str(tmp_path / "duo/ca.pem"))
        async with httpx.AsyncClient(verify=trust, trust_env=False) as browser:
            back = (await browser.get(address)).headers["location"]
        code = parse_qs(urlsplit(back).query)["duo_code"][0]
        await exchange(client, code, user)
        ledger = json.loads((await asyncio.to_thread(fetch, f"{own}/ledger"))[1])
        kinds = [(entry["kind"], entry["username"]) for entry in ledger]
        assert kinds == [
            ("health_checked", None),
            ("prompt_opened", user),
            ("allowed", user),
            ("exchanged", user),
        ]
        assert (await asyncio.to_thread(fetch, put, method="DELETE"))[0] == 204
    finally:
        process.terminate()
        status = await process.wait()
    assert status == 0, (tmp_path / "log").read_text()
    # Law 9: what it printed and logged holds neither the secret nor a code.
    said = (tmp_path / "log").read_text()
    assert client._client_secret not in said  # noqa: SLF001  # the SDK tells it nowhere else
    assert code not in said
