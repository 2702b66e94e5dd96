"""One suite for Duo in memory, and for Duo's SDK against a Duo on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from countersign.adapters.memory.duo import APPROVED, MemoryDuo
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoBusyError, DuoError, DuoRefusedError
from countersign.core.identity import Pseudonyms
from countersign.core.result import Assurance
from countersign.core.tenant import DuoAccount
from countersign.ports import Duo
from tests.duo_server import (
    CODE,
    NONCE,
    STATE,
    TENANT,
    USERNAME,
    Authority,
    account_at,
    as_json,
    duo_at,
    serving,
)


class Given(NamedTuple):
    """A Duo, an account of it, and what ends a prompt: for a code, or for a code that isn't good.

    And what makes Duo too busy for any code, and well again.
    """

    duo: Duo
    account: DuoAccount
    approve: Callable[[], str]
    spoil: Callable[[], None]
    busy: Callable[[], None]
    recover: Callable[[], None]


@pytest.fixture(params=["memory", "universal"])
async def given(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Given]:
    """Each kind of Duo in turn."""
    if request.param == "memory":
        memory = MemoryDuo()

        def all_stand_for(answer: DuoAnswer | DuoError) -> None:
            memory.answers = dict.fromkeys(memory.answers, answer)

        yield Given(
            memory,
            account_at("localhost"),
            lambda: memory.approve(STATE),
            memory.answers.clear,
            lambda: all_stand_for(DuoBusyError("busy")),
            lambda: all_stand_for(APPROVED),
        )
        return
    authority = Authority(tmp_path)
    with serving(authority.context()) as server:

        def spoil() -> None:
            server.behaviour = as_json({"error": "invalid_grant"}, status=400)

        def busy() -> None:
            server.behaviour = as_json({"stat": "FAIL"}, status=429)

        def recover() -> None:
            server.behaviour = server.well

        async with duo_at(server, authority.file) as duo:
            yield Given(duo, account_at(server.host), lambda: CODE, spoil, busy, recover)


async def prompted(given: Given) -> str:
    """Ask for a prompt, approve it, and return the code."""
    url = await given.duo.prompt_url(
        TENANT, given.account, username=USERNAME, state=STATE, nonce=NONCE
    )
    assert url.startswith(f"https://{given.account.api_host}/oauth/v1/authorize?")
    return given.approve()


async def test_an_approved_prompt(given: Given) -> None:
    """A healthy Duo's approved prompt is an MFA."""
    await given.duo.check(TENANT, given.account)
    code = await prompted(given)
    answer = await given.duo.exchange(
        TENANT, given.account, code=code, username=USERNAME, nonce=NONCE
    )
    assert (answer.allowed, answer.assurance) == (True, Assurance.MFA)


@pytest.mark.hazard(5)
@pytest.mark.hazard(16)
@pytest.mark.parametrize(
    "other", [{"username": "mallory"}, {"nonce": NONCE[::-1]}, {"username": ""}, {"nonce": ""}]
)
async def test_a_code_is_its_prompts_alone(given: Given, other: dict[str, str]) -> None:
    """A code is refused for any other user or nonce than its prompt's."""
    asked = {"code": await prompted(given), "username": USERNAME, "nonce": NONCE} | other
    with pytest.raises(DuoRefusedError):
        await given.duo.exchange(TENANT, given.account, **asked)


async def test_a_code_that_isnt_good(given: Given) -> None:
    """A code that Duo doesn't take, or no longer, is refused."""
    code = await prompted(given)
    given.spoil()
    with pytest.raises(DuoRefusedError):
        await given.duo.exchange(TENANT, given.account, code=code, username=USERNAME, nonce=NONCE)


async def test_a_code_that_duo_was_too_busy_for_stays_good(given: Given) -> None:
    """Duo hasn't taken it: asked again once it isn't busy, with the same code, it answers."""
    asked = {"code": await prompted(given), "username": USERNAME, "nonce": NONCE}
    given.busy()
    for _ in range(2):
        with pytest.raises(DuoBusyError):
            await given.duo.exchange(TENANT, given.account, **asked)
    given.recover()
    assert (await given.duo.exchange(TENANT, given.account, **asked)).allowed


@pytest.mark.hazard(6)
@pytest.mark.parametrize(
    "wrong",
    [
        *({"username": ""}, {"state": "a" * 15}, {"state": "a" * 1025}),
        *({"nonce": "a" * 16}, {"nonce": "a" * 1024}),
    ],
)
async def test_a_prompt_needs_its_parts(given: Given, wrong: dict[str, str]) -> None:
    """A prompt without a user name, or with a state or nonce of a wrong length, is refused."""
    asked = {"username": USERNAME, "state": STATE, "nonce": NONCE} | wrong
    with pytest.raises(DuoRefusedError):
        await given.duo.prompt_url(TENANT, given.account, **asked)


@pytest.mark.hazard(6)
async def test_every_nonce_of_ours_is_taken(given: Given) -> None:
    """A nonce as visits have it, and the longest and shortest that may be, make a prompt."""
    ours = Pseudonyms(bytes(range(32))).nonce("00-challenge", STATE)
    for nonce in (ours, "a" * 17, "a" * 1023):
        await given.duo.prompt_url(
            TENANT, given.account, username=USERNAME, state=STATE, nonce=nonce
        )
