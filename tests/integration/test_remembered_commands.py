"""`countersign remembered`: what operators see of a user's browsers, and how they end them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from countersign.core.errors import Defect
from countersign.core.result import Assurance, Reason, ResultType
from countersign.wire.tenant import settings_record, write_settings
from tests.builders import ACME, ALICE, LAPTOP, PHONE, a_login_record, a_return_record, a_tenant
from tests.bus import Bus, by_event, open_bus
from tests.faults.processes import environment
from tests.signing import a_signing_tenant, private_key

if TYPE_CHECKING:
    from countersign.local import Stack


@pytest.fixture
async def bus(stack: Stack) -> AsyncIterator[Bus]:
    """A bus on which Alice's browser is remembered."""
    async with open_bus(stack) as opened:
        topic = opened.settings.tenant_settings_topic
        await opened.publisher.publish([settings_record(topic, ACME, write_settings(a_tenant()))])
        async with opened.decider():
            now = datetime.now(UTC)
            await opened.send(a_login_record(event_id="first", time=now))
            (first,) = await opened.answers(1)
            await opened.prove((first.body.challenge_url or "")[-24:], "a-code", Assurance.MFA)
            await opened.send(a_return_record(login_id="first", code="a-code", time=now))
            await opened.answers(2)
        yield opened


async def command(bus: Bus, *arguments: str) -> tuple[int, str]:
    """Run `countersign` and return its status and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "countersign", *arguments),
        env=environment(bus),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_list_shows_hashes_and_ends(bus: Bus) -> None:
    """The list shows each browser as its keyed hash, since when and until when, and no browser id."""
    status, said = await command(bus, "remembered", "list", ACME, ALICE)
    ((name, browser),) = (await bus.store.remembered(ACME, ALICE)).items()
    assert status == 0
    assert name in said
    assert f"{browser.since:%Y-%m-%d %H:%M}" in said
    assert "alices-laptop" not in said
    status, said = await command(bus, "remembered", "list", ACME, "auth0|nobody")
    assert (status, "No browser" in said) == (0, True)


async def test_forget_goes_over_the_bus(bus: Bus) -> None:
    """A "forget" is in force for the login that comes after it, and the list is empty then."""
    await bus.send(a_login_record(event_id="before", time=datetime.now(UTC)))
    status, _ = await command(bus, "remembered", "forget", ACME, ALICE)
    assert status == 0
    await bus.send(a_login_record(event_id="after", time=datetime.now(UTC)))
    async with bus.decider():
        found = by_event(await bus.answers(4))
    assert found["before"][0].body.reason is Reason.REMEMBERED_BROWSER
    assert found["after"][0].type is ResultType.LOGIN_CHALLENGED
    assert "No browser" in (await command(bus, "remembered", "list", ACME, ALICE))[1]


async def test_one_browser_is_forgotten_and_waited_for(bus: Bus) -> None:
    """By its handle, over the bus; the command ends once it is gone, and the user's others stay."""
    async with bus.decider():
        now = datetime.now(UTC)
        await bus.send(a_login_record(event_id="phone", browser_id=PHONE, time=now))
        decided = by_event(await bus.answers(3))["phone"]
        await bus.prove((decided[0].body.challenge_url or "")[-24:], "b-code", Assurance.MFA)
        await bus.send(a_return_record(event_id="back", login_id="phone", code="b-code", time=now))
        await bus.answers(4)
        laptop, phone = (bus.pseudonyms.browser(ACME, ALICE, name) for name in (LAPTOP, PHONE))
        status, said = await command(bus, "remembered", "list", ACME, ALICE)
        assert (laptop in said, phone in said) == (True, True)
        status, said = await command(
            bus, "remembered", "forget", ACME, ALICE, laptop, "--wait", "30"
        )
        assert status == 0
        assert "gone from the list" in said
        assert set(await bus.store.remembered(ACME, ALICE)) == {phone}
    status, said = await command(bus, "remembered", "forget", ACME, ALICE, "--wait", "0.3")
    assert status == 1
    assert "still on the list after 0.3 s" in said
    assert "look whether a decider is running" in said
    status, said = await command(bus, "remembered", "forget", ACME, ALICE, laptop)
    assert (status, "nothing was published" in said) == (1, True)
    hyphens = f"--{laptop[2:]}"
    status, said = await command(bus, "remembered", "forget", ACME, ALICE, hyphens)
    assert (status, "nothing was published" in said) == (1, True)
    async with bus.decider():
        await bus.all_committed(5)
    assert await bus.store.remembered(ACME, ALICE) == {}


async def test_forget_can_be_signed(bus: Bus, tmp_path: Path) -> None:
    """For a tenant that takes signed events alone the command signs with the operator's key."""
    (tmp_path / "key.pem").write_bytes(private_key())
    options = ("--sign", str(tmp_path / "key.pem"), "--kid", "k1")
    status, said = await command(bus, "remembered", "forget", ACME, ALICE, "--kid", "k1")
    assert (status, "--sign and --kid go together" in said) == (1, True)
    status, _ = await command(bus, "remembered", "forget", ACME, ALICE)
    assert status == 0
    async with bus.decider(a_signing_tenant()):
        await bus.until(lambda: len(bus.dead_letters) == 1)
        assert len(await bus.store.remembered(ACME, ALICE)) == 1
        status, _ = await command(
            bus, "remembered", "forget", ACME, ALICE, "--wait", "30", *options
        )
        assert status == 0
    assert [letter.reason for letter in bus.dead_letters] == [Defect.INVALID_SIGNATURE]
    assert await bus.store.remembered(ACME, ALICE) == {}


async def test_forget_names_what_is_wrong(bus: Bus) -> None:
    """A tenant that can't be one is refused with the field, and nothing is published."""
    status, said = await command(bus, "remembered", "forget", "Not A Tenant", ALICE)
    assert status == 1
    assert "tenant" in said
