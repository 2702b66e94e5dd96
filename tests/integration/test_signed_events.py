"""Signed events on a real Kafka: the client and the command line sign, and the decider takes nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from countersign.adapters.kafka.configured import topic_names
from countersign.client import CountersignClient, NoAnswerError
from countersign.core.errors import Defect
from countersign.core.result import Assurance
from countersign.wire.signed_part import Signer
from tests.builders import ACME, ALICE, BOB, SOURCE, login_data
from tests.bus import Bus, by_event, open_bus
from tests.faults.processes import environment
from tests.signing import a_public_key, a_signer, a_signing_tenant, private_key

if TYPE_CHECKING:
    from countersign.local import Stack

PATIENCE = timedelta(seconds=30)
CODE = "a-made-up-return-code"


@pytest.fixture
async def bus(stack: Stack) -> AsyncIterator[Bus]:
    """A bus of the test's own."""
    async with open_bus(stack) as opened:
        yield opened


def a_client(bus: Bus, signer: Signer | None) -> CountersignClient:
    """Return a relying party's client on the bus."""
    return CountersignClient(
        bus.settings.kafka_bootstrap,
        source=SOURCE,
        tenant=ACME,
        topics=topic_names(bus.settings),
        signer=signer,
    )


async def send(bus: Bus, *arguments: str) -> tuple[int | None, str]:
    """Run `countersign send` and return its status and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "countersign", "send", *arguments),
        env=environment(bus),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_signing_client_goes_the_whole_way_and_another_nowhere(bus: Bus) -> None:
    """Login, return and "forget" are signed and taken; unsigned, or by another's key, nothing is."""
    tenant = a_signing_tenant(a_public_key("EdDSA"), a_public_key("RS256", "k2"))
    async with bus.decider(tenant):
        for stranger in (None, a_signer("EdDSA", "mallory", kid="k1")):
            async with a_client(bus, stranger) as client:
                with pytest.raises(NoAnswerError):
                    await client.submit(
                        login_data(), event_id="login-1", timeout=timedelta(seconds=0.3)
                    )
        async with a_client(bus, a_signer("EdDSA")) as client:
            decision = await client.submit(login_data(), event_id="login-1", timeout=PATIENCE)
            assert decision.challenged
            await bus.prove((decision.challenge_url or "")[-24:], CODE, Assurance.MFA)
        async with a_client(bus, a_signer("RS256", "k2")) as client:
            outcome = await client.complete("login-1", CODE, user_id=ALICE, timeout=PATIENCE)
            assert outcome.allowed
            assert len(await bus.store.remembered(ACME, ALICE)) == 1
            await client.forget(ALICE, timeout=PATIENCE)
            decision = await client.submit(login_data(), event_id="login-2", timeout=PATIENCE)
            assert decision.challenged
        await bus.until(lambda: len(bus.dead_letters) == 2)
    assert {letter.reason for letter in bus.dead_letters} == {Defect.INVALID_SIGNATURE}


async def test_files_are_sent_signed(bus: Bus, tmp_path: Path) -> None:
    """Each form of event that a file holds, with a key that the tenant lists."""
    now = datetime.now(UTC).isoformat()
    bare = {"id": "bare", "time": now, "tenant": {"id": ACME}, **login_data()}
    structured = {
        "specversion": "1.0",
        "id": "structured",
        "source": SOURCE,
        "type": "countersign.login.attempted.v1",
        "time": now,
        "tenantid": ACME,
        "data": login_data(subject=BOB),
    }
    file = tmp_path / "events.jsonl"
    file.write_text(f"{json.dumps(bare)}\n{json.dumps(structured)}\n")
    (tmp_path / "key.pem").write_bytes(private_key())
    key = ("--sign", str(tmp_path / "key.pem"))
    status, said = await send(bus, str(file), *key, "--kid", "k1")
    assert (status, "2 events sent" in said) == (0, True)
    for wrong, says in (
        ((*key, "--kid", "k1", "--raw"), "give one of the two"),
        (key, "--sign and --kid go together"),
        (("--sign", str(tmp_path / "no.pem"), "--kid", "k1"), "can't be read"),
        (("--sign", str(file), "--kid", "k1"), "is no private key in PEM"),
    ):
        status, said = await send(bus, str(file), *wrong)
        assert (status, says in said) == (1, True)
    async with bus.decider(a_signing_tenant()):
        assert by_event(await bus.answers(2)).keys() == {"bare", "structured"}
    assert bus.dead_letters == []
