"""`countersign explain` as people call it, beside a decider that decides the same logins."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from countersign.adapters.kafka.actions_writer import ActionsWriter
from countersign.adapters.publishing import writing, writing_actions
from countersign.core.tenant import Factors, Mfa, Policy
from countersign.local import Stack
from countersign.wire.actions_file import ActionDraft, FlowDraft
from countersign.wire.tenant_file import TenantDraft
from tests.builders import ACME, ALICE, RETURN_URL, a_login_record, login_data
from tests.bus import Bus, open_bus
from tests.faults.processes import environment
from tests.settings_bus import a_draft
from tests.shell import Shell

SOURCE = """
exports.onExecutePostLogin = async (event, api) => {
  console.log('secret is', event.secrets.KEY);
  if (event.client.client_id === 'payroll') api.multifactor.enable('duo', { allowRememberBrowser: true });
  if (event.client.client_id === 'blocked') api.access.deny('blocked', 'Not this one.');
};
"""
VALUE = "canary-of-explain"


@pytest.fixture
async def bus(stack: Stack) -> AsyncIterator[Bus]:
    """A bus with Acme's settings and an Action."""
    async with open_bus(stack) as opened:
        async with writing(opened.settings) as settings:
            await settings.apply([a_quiet_draft()])
        async with writing_actions(opened.settings) as actions:
            await deploy(actions)
        yield opened


def a_quiet_draft() -> TenantDraft:
    """Return settings that ask for nothing by themselves."""
    draft = a_draft(tenant=ACME)
    return TenantDraft(
        source="test",
        tenant=ACME,
        duo=draft.duo,
        factors=Factors(duo=True),
        mfa=Mfa(policy=Policy.NEVER),
        challenge=draft.challenge,
    )


async def deploy(writer: ActionsWriter) -> None:
    """Put the Action in force."""
    action = ActionDraft(name="ask", source=SOURCE, secrets={"KEY": VALUE})
    await writer.deploy(FlowDraft(source="test", tenant=ACME, actions=(action,)))


@pytest.fixture
def shell(bus: Bus, tmp_path: Path) -> Shell:
    """A shell on that bus."""
    given = {
        name: text for name, text in environment(bus).items() if name.startswith("COUNTERSIGN_")
    }
    shell = Shell(given, tmp_path)
    shell.canaries.append(VALUE)
    return shell


def written(shell: Shell, name: str, event: object) -> str:
    """Write an event to a file, and return its name."""
    (shell.directory / name).write_text(json.dumps(event))
    return name


async def test_each_step_of_a_challenge_is_shown(shell: Shell) -> None:
    """Auth0's own `event`, as it is there, is explained: Actions, rows, facts, what comes out."""
    event = login_data(client_id="payroll", return_url=RETURN_URL)
    name = written(shell, "event.json", event)
    told = await shell("explain", name, "--tenant", ACME)
    assert told.status == 0, told.err
    for part in (
        "action:ask@1:enable-duo",
        "● action-asks",
        "■ duo-challenge",
        "· step-up-acr",
        "the browser is not remembered",
        "0 of 5 prompts of the push budget are used",
        "countersign.login.challenged.v1",
    ):
        assert part in told.out
    assert "Would be published on" in told.out


@pytest.mark.law(12)
async def test_what_is_explained_is_what_is_decided(shell: Shell, bus: Bus) -> None:
    """Law 12: `--json` has the very result that a decider publishes then; afterwards, the one that stands."""
    record = a_login_record(client_id="payroll")
    event = {
        "key": (record.key or b"").decode(),
        "headers": {name: value.decode() for name, value in record.headers},
        "value": json.loads(record.value or b""),
    }
    name = written(shell, "record.json", event)
    before = json.loads(
        (await shell("explain", name, "--json", "--now", "2026-03-02T09:00:00Z")).out
    )
    assert before["stands"] is False
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "countersign"),
        "decider",
        env=shell.environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await bus.send(record)
        await bus.until(lambda: len(bus.results) == 1)
    finally:
        process.terminate()
        await process.wait()
    after = json.loads((await shell("explain", name, "--json")).out)
    assert after["stands"] is True
    (copy,) = bus.results
    assert json.loads(copy.value or b"") == after["result"]["body"]
    ours, theirs = before["result"]["body"], after["result"]["body"]
    for body in (ours, theirs):
        body.pop("decided_at")
        body.pop("challenge_expires_at")
    assert ours == theirs
    assert after["facts"]["prompts"]
    assert [step["rule"] for step in after["steps"] if step["part"] == "ended"] == ["duo-challenge"]


async def test_nothing_is_written_by_it(shell: Shell, bus: Bus) -> None:
    """Explaining claims no identity, charges no budget, and opens no challenge."""
    name = written(shell, "event.json", login_data(client_id="payroll"))
    for _ in range(3):
        assert (await shell("explain", name, "--tenant", ACME)).status == 0
    assert await bus.store.remembered(ACME, ALICE) == {}
    told = json.loads((await shell("explain", name, "--tenant", ACME, "--json")).out)
    assert told["facts"] == {"remembered": None, "prompts": [], "refusals": [], "cached": []}


async def test_it_works_without_the_store(shell: Shell) -> None:
    """With --no-store Redis isn't asked, and the user and the browser are new."""
    name = written(shell, "event.json", login_data(client_id="blocked"))
    away = {"COUNTERSIGN_REDIS_URL": "redis://127.0.0.1:9/0"}
    told = await shell("explain", name, "--tenant", ACME, "--no-store", **away)
    assert told.status == 0, told.err
    assert "■ action-denied" in told.out
    assert "Not this one." in told.out
    asked = await shell("explain", name, "--tenant", ACME, **away)
    assert (asked.status, asked.out) == (1, "")
    assert "Redis" in asked.err


async def test_what_can_not_be_explained_is_told(shell: Shell) -> None:
    """A file that isn't there, is no login, has no tenant or another one's: each says so and what to do."""
    login = written(shell, "login.json", login_data())
    for arguments, told in (
        (("nowhere.json", "--tenant", ACME), "can't be read"),
        ((written(shell, "list.json", []), "--tenant", ACME), "list.json"),
        ((written(shell, "empty.json", {}), "--tenant", ACME), "empty.json"),
        ((written(shell, "half.json", {"user": {}}), "--tenant", ACME), "half.json"),
        ((login,), "tenantid is missing"),
        ((login, "--tenant", "nobody"), "nobody has no settings"),
        ((login, "--tenant", ACME, "--now", "yesterday"), "now"),
    ):
        answer = await shell("explain", *arguments)
        assert answer.status in {1, 2}
        assert answer.out == ""
        assert told in answer.err, (arguments, answer.err)
        assert "Traceback" not in answer.err
