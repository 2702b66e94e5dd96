"""What is sent to Duo, and which of its tokens are believed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from countersign.adapters.duo.transport import Transport
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoRefusedError
from countersign.core.result import Assurance
from tests.duo_server import (
    CLIENT_ID,
    CODE,
    NONCE,
    STATE,
    TENANT,
    USERNAME,
    Authority,
    DuoServer,
    account_at,
    claims_of,
    duo_at,
    serving,
)

REDIRECT = "https://mfa.example.com/callback"


async def exchanged(
    server: DuoServer, authority: Authority, *, username: str = USERNAME
) -> DuoAnswer:
    """Exchange a code at this Duo."""
    async with duo_at(server, authority.file) as duo:
        return await duo.exchange(
            TENANT, account_at(server.host), code=CODE, username=username, nonce=NONCE
        )


async def test_a_good_answer(server: DuoServer, authority: Authority) -> None:
    """A healthy Duo is healthy, and its token for an approved push is an MFA."""
    async with duo_at(server, authority.file) as duo:
        await duo.check(TENANT, account_at(server.host))
    answer = await exchanged(server, authority)
    assert (answer.allowed, answer.assurance) == (True, Assurance.MFA)
    health, token = server.requests
    assert health.fields.keys() == {"client_id", "client_assertion"}
    assert token.fields["code"] == CODE
    assert token.fields["redirect_uri"] == REDIRECT


@pytest.mark.hazard(8)
@pytest.mark.hazard(9)
async def test_the_prompts_address(server: DuoServer, authority: Authority) -> None:
    """A prompt's address names the user, our state and the nonce, and nobody was called for it."""
    async with duo_at(server, authority.file) as duo:
        url = urlsplit(
            await duo.prompt_url(
                TENANT, account_at(server.host), username=USERNAME, state=STATE, nonce=NONCE
            )
        )
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    claims = claims_of(query["request"])
    assert (url.scheme, url.netloc, url.path) == ("https", server.host, "/oauth/v1/authorize")
    assert (query["client_id"], query["nonce"]) == (CLIENT_ID, NONCE)
    assert (claims["duo_uname"], claims["state"]) == (USERNAME, STATE)
    assert claims["redirect_uri"] == REDIRECT
    assert claims["exp"] <= time.time() + 300
    assert server.connections == 0


@pytest.mark.hazard(6)
@pytest.mark.hazard(16)
@pytest.mark.parametrize(
    "wrong", [{"username": ""}, {"nonce": ""}, {"state": ""}, {"state": "short"}, {"nonce": "a"}]
)
async def test_a_prompt_needs_its_parts(
    server: DuoServer, authority: Authority, wrong: dict[str, str]
) -> None:
    """A prompt without user name, state or nonce, or with too short ones, is refused."""
    given = {"username": USERNAME, "state": STATE, "nonce": NONCE} | wrong
    async with duo_at(server, authority.file) as duo:
        with pytest.raises(DuoRefusedError):
            await duo.prompt_url(TENANT, account_at(server.host), **given)


@pytest.mark.hazard(16)
@pytest.mark.parametrize("wrong", [{"username": ""}, {"nonce": ""}, {"code": ""}])
async def test_an_exchange_needs_its_parts(
    server: DuoServer, authority: Authority, wrong: dict[str, str]
) -> None:
    """An exchange without user name, code or nonce is refused: the SDK would skip the nonce's check."""
    given = {"username": USERNAME, "code": CODE, "nonce": NONCE} | wrong
    async with duo_at(server, authority.file) as duo:
        with pytest.raises(DuoRefusedError):
            await duo.exchange(TENANT, account_at(server.host), **given)
    assert not server.requests


FORGED: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "DIYYYYYYYYYYYYYYYYYY"},
    "another issuer": {"iss": "https://api-evil.example.com/oauth/v1/token"},
    "issuer without the port": {"iss": "https://localhost/oauth/v1/token"},
    "another nonce": {"nonce": NONCE[::-1]},
    "nonce missing": {"nonce": ...},
    "nonce null": {"nonce": None},
    "user missing": {"preferred_username": ...},
    "user null": {"preferred_username": None},
    "another user": {"preferred_username": "mallory"},
    "another case": {"preferred_username": "Alice"},
    "white space": {"preferred_username": "alice "},
    "a look-alike": {"preferred_username": "\N{CYRILLIC SMALL LETTER A}lice"},
    "a list of users": {"preferred_username": ["alice"]},
    "user with a bar": {"preferred_username": "alice|mallory"},
    "expired": {"exp": 1_000_000_000},
    "no expiry": {"exp": ...},
    "endless expiry": {"exp": float("inf")},
    "issued in the future": {"iat": 4_000_000_000},
    "no time of issue": {"iat": ...},
}


@pytest.mark.hazard(5)
@pytest.mark.hazard(8)
@pytest.mark.law(6)
@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_token_is_refused(
    server: DuoServer, authority: Authority, forged: str
) -> None:
    """A token with any claim wrong is refused, though it says allow and its signature is right."""
    server.claims = FORGED[forged]
    with pytest.raises(DuoRefusedError):
        await exchanged(server, authority)


@pytest.mark.law(6)
@pytest.mark.parametrize(("algorithm", "key"), [("HS512", "x" * 40), ("HS256", None), ("none", "")])
async def test_a_token_that_isnt_duos_is_refused(
    server: DuoServer, authority: Authority, algorithm: str, key: str | None
) -> None:
    """A token with a wrong key, another algorithm or no signature is refused."""
    server.algorithm, server.key = algorithm, server.key if key is None else key
    with pytest.raises(DuoRefusedError):
        await exchanged(server, authority)


@pytest.mark.hazard(3)
@pytest.mark.law(6)
@pytest.mark.parametrize(
    "said",
    [
        {"auth_result": ...},
        {"auth_result": None},
        {"auth_result": {"result": "deny", "status": "deny"}},
        {"auth_result": {"result": "allow", "status": "deny"}},
        {"auth_context": {"result": "denied", "reason": "user_cancelled"}},
    ],
)
async def test_a_token_that_doesnt_allow_denies(
    server: DuoServer, authority: Authority, said: dict[str, Any]
) -> None:
    """A right token without an allow in every place denies; the SDK takes it for a success."""
    server.claims = said
    answer = await exchanged(server, authority)
    assert (answer.allowed, answer.fraud) == (False, False)


@pytest.mark.hazard(1)
async def test_the_environment_is_ignored(
    server: DuoServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No proxy, .netrc, CA bundle or key log that the environment names has any effect."""
    netrc, keys = tmp_path / "netrc", tmp_path / "keys"
    netrc.write_text("machine localhost login alice password canary\n")
    netrc.chmod(0o600)
    with serving(None) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.host}")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Authority(tmp_path).file))
        monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
        async with duo_at(server, authority.file) as duo:
            await duo.check(TENANT, account_at(server.host))
        assert proxy.connections == 0
    assert "authorization" not in server.requests[0].headers
    assert not keys.exists()


@pytest.mark.hazard(1)
async def test_a_connection_is_used_again(server: DuoServer, authority: Authority) -> None:
    """Calls one after the other share a connection, and no cookie goes with the second."""
    async with duo_at(server, authority.file) as duo:
        for _ in range(3):
            await duo.exchange(
                TENANT, account_at(server.host), code=CODE, username=USERNAME, nonce=NONCE
            )
    assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.hazard(2)
@pytest.mark.parametrize("verify", [False, None, "", "DISABLE", True, "/nowhere/ca.pem", "/"])
def test_tls_is_always_verified(server: DuoServer, verify: object) -> None:
    """Without a file of authorities nothing is sent; the SDK would verify nothing for some of these."""
    transport = Transport(timeout=5, connections=1)
    with pytest.raises(DuoRefusedError):
        transport.post(f"https://{server.host}/oauth/v1/health_check", verify=verify)
    assert server.connections == 0


@pytest.mark.hazard(8)
def test_plain_addresses_are_refused(server: DuoServer, authority: Authority) -> None:
    """An http address is refused before a connection is made."""
    transport = Transport(timeout=5, connections=1)
    with pytest.raises(DuoRefusedError):
        transport.post(f"http://{server.host}/", verify=str(authority.file))
    assert server.connections == 0


async def test_an_account_that_cant_be_used(server: DuoServer, authority: Authority) -> None:
    """A host that isn't allowed, or a secret sealed for another tenant, is refused; nobody is called."""
    async with duo_at(server, authority.file) as duo:
        for account in (
            account_at("api-1.duosecurity.com"),
            account_at(server.host, tenant="globex"),
            account_at(server.host, secret="too short"),
        ):
            with pytest.raises(DuoRefusedError):
                await duo.check(TENANT, account)
            with pytest.raises(DuoRefusedError):
                await duo.prompt_url(TENANT, account, username=USERNAME, state=STATE, nonce=NONCE)
    assert server.connections == 0


async def test_an_account_that_changes(server: DuoServer, authority: Authority) -> None:
    """New settings count from the next call on."""
    async with duo_at(server, authority.file) as duo:
        wrong = account_at(server.host, secret="y" * 40)
        with pytest.raises(DuoRefusedError):
            await duo.exchange(TENANT, wrong, code=CODE, username=USERNAME, nonce=NONCE)
        answer = await duo.exchange(
            TENANT, account_at(server.host), code=CODE, username=USERNAME, nonce=NONCE
        )
    assert answer.allowed
