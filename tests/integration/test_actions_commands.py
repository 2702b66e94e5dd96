"""`countersign actions` as people call it: a process of its own, on a real Kafka and Valkey."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from countersign.local import Stack
from countersign.local.ports import free_port
from tests.settings_bus import SettingsBus, a_draft
from tests.shell import Shell

CODE = """exports.onExecutePostLogin = async (event, api) => {
\treturn event.secrets.ADMIN_ROLE + '\x07\u00fc';
};
"""
VALUE = "canary-of-an-action"


@pytest.fixture
async def bus(stack: Stack) -> SettingsBus:
    """A topic and a tenant of this test alone, whose settings are applied."""
    bus = SettingsBus(stack)
    await bus.create()
    async with bus.writer() as writer:
        await writer.apply([a_draft(tenant=bus.tenant)])
    return bus


@pytest.fixture
def shell(stack: Stack, bus: SettingsBus, tmp_path: Path) -> Shell:
    """A shell whose environment names the embedded servers and this test's topic."""
    return Shell.of(stack, bus.topic, tmp_path)


def a_directory(shell: Shell, tenant: str, *, code: str = CODE) -> str:
    """Write a flow of a Rule, an Action with a secret and a Python Action, and return its name."""
    directory = shell.directory / "acme"
    directory.mkdir(exist_ok=True)
    (directory / "actions.toml").write_text(
        f"""
        tenant = "{tenant}"
        [[flow]]
        name = "old-rule"
        kind = "rule"
        [[flow]]
        name = "require-duo"
        secrets = ["ADMIN_ROLE"]
        [[flow]]
        name = "partner_policy"
        kind = "python"
        """
    )
    (directory / "old-rule.js").write_text("function (user, context, callback) { callback(); }")
    (directory / "require-duo.js").write_text(code)
    (shell.directory / "acme.env").write_text(f"ADMIN_ROLE={VALUE}")
    return directory.name


async def test_actions_go_the_whole_way(shell: Shell, bus: SettingsBus) -> None:
    """A flow is previewed, deployed, listed, shown, changed, rolled back; settings stay beside it."""
    name, tenant = a_directory(shell, bus.tenant), bus.tenant
    shell.canaries.append(VALUE)

    missing = await shell("actions", "deploy", name)
    assert (missing.status, missing.out) == (1, "")
    assert "flow[1].secrets: names ADMIN_ROLE" in missing.err
    preview = await shell("actions", "deploy", name, "--secrets", "acme.env", "--dry-run")
    assert preview.status == 0
    assert "nothing was published" in preview.out
    assert len(await bus.records()) == 1

    deployed = await shell("actions", "deploy", name, "--secrets", "acme.env")
    assert deployed == (
        0,
        "old-rule: new in the flow, version 1\n"
        "require-duo: new in the flow, version 1\n"
        "partner_policy: a Python Action, new in the flow\n"
        f"{tenant}: version 2 is in force.\n",
        "",
    )
    again = await shell("actions", "deploy", name)
    assert again.out.endswith(f"{tenant}: unchanged, version 2 stays in force.\n")

    a_directory(shell, tenant, code=CODE + "// more\n")
    changed = await shell("actions", "deploy", name)
    assert "require-duo: version 1 → 2\n" in changed.out
    assert "old-rule: unchanged, version 1\n" in changed.out

    rows = [line.split() for line in (await shell("actions", "list", tenant)).out.splitlines()]
    assert [row[:4] for row in rows[1:3]] == [
        ["1", "old-rule", "rule", "1"],
        ["2", "require-duo", "action", "2"],
    ]
    assert rows[2][-2:] == [str(len((CODE + "// more\n").encode())), "ADMIN_ROLE"]
    assert rows[3] == ["3", "partner_policy", "python"]

    shown = await shell("actions", "show", tenant, "require-duo", "--version", "1")
    assert (shown.status, shown.out) == (0, CODE)
    assert "version 1 (action)" in shown.err
    assert "not in force. Secrets: ADMIN_ROLE. Modules: none. Versions: 1, 2." in shown.err
    as_json = json.loads((await shell("actions", "show", tenant, "require-duo", "--json")).out)
    assert (as_json["version"], as_json["in_force"], as_json["versions"]) == (2, 2, [1, 2])
    assert as_json["secrets"] == {"ADMIN_ROLE": "********"}
    assert as_json["source"] == CODE + "// more\n"

    back = await shell("actions", "rollback", tenant, "require-duo", "--to", "1")
    assert "require-duo: version 2 → 1\n" in back.out
    assert f"{tenant}: version 4 is in force.\n" in back.out

    settings = await shell("settings", "show", tenant)
    assert "#   require-duo (action, version 1)" in settings.out
    (shell.directory / "acme.toml").write_text(settings.out.replace("PT0.1S", "PT0.2S"))
    assert "version 5 is in force" in (await shell("settings", "apply", "acme.toml")).out
    shown = await shell("settings", "show", tenant, "--json")
    assert [each["name"] for each in json.loads(shown.out)["flow"]] == [
        "old-rule",
        "require-duo",
        "partner_policy",
    ]


async def test_code_that_would_deny_logins_is_refused(shell: Shell, bus: SettingsBus) -> None:
    """What lint finds is told by file, line and column, and keeps the whole flow off the topic."""
    name = a_directory(shell, bus.tenant, code="exports.onExecutePostLogin = async (event => {\n")
    refused = await shell("actions", "deploy", name, "--secrets", "acme.env")
    assert (refused.status, refused.out) == (1, "")
    assert f"{name}/require-duo.js:" in refused.err
    assert "Traceback" not in refused.err
    assert len(await bus.records()) == 1
    a_directory(shell, bus.tenant, code="exports.onExecutePostLogin = async () => {};\n")
    warned = await shell("actions", "deploy", name, "--secrets", "acme.env")
    assert warned.status == 0
    assert f"Warning: {name}/require-duo.js:1:1: The secret ADMIN_ROLE" in warned.err


async def test_action_that_was_taken_out_is_still_listed(shell: Shell, bus: SettingsBus) -> None:
    """An emptied flow is told, and what is published is shown below it."""
    name = a_directory(shell, bus.tenant)
    assert (await shell("actions", "deploy", name, "--secrets", "acme.env")).status == 0
    manifest = shell.directory / name / "actions.toml"
    manifest.write_text(f'tenant = "{bus.tenant}"\nflow = []')
    emptied = await shell("actions", "deploy", name)
    assert "require-duo: taken out of the flow\n" in emptied.out
    listed = await shell("actions", "list", bus.tenant)
    assert [line.split()[:2] for line in listed.out.splitlines()[1:]] == [
        ["·", "old-rule"],
        ["·", "require-duo"],
    ]
    assert f"{bus.tenant} has no Actions in force." in listed.err
    assert (await shell("actions", "show", bus.tenant, "require-duo")).out == CODE


async def test_what_is_not_there_is_told(shell: Shell, bus: SettingsBus) -> None:
    """A tenant, an Action, a version, a directory that isn't there: status 1, and what there is."""
    name = a_directory(shell, bus.tenant)
    assert (await shell("actions", "deploy", name, "--secrets", "acme.env")).status == 0
    for arguments, said in (
        (("list", "globex"), f"Tenants with settings: {bus.tenant}."),
        (("show", "globex", "a"), "globex has no settings"),
        (("show", bus.tenant, "a"), "has no Action a"),
        (("show", bus.tenant, "partner_policy"), "is a Python Action"),
        (("show", bus.tenant, "require-duo", "--version", "7"), "no version 7. Versions: 1."),
        (("rollback", bus.tenant, "require-duo", "--to", "7"), "7 is not published"),
        (("rollback", "globex", "require-duo", "--to", "1"), "countersign settings apply"),
        (("deploy", "missing"), "is no directory"),
        (("deploy", name, "--secrets", "missing.env"), "missing.env can't be read"),
    ):
        told = await shell("actions", *arguments)
        assert (told.status, told.out) == (1, ""), arguments
        assert said in told.err
        assert "Traceback" not in told.err
    a_directory(shell, "globex")
    stranger = await shell("actions", "deploy", name, "--secrets", "acme.env")
    assert stranger.status == 1
    assert "is globex, which has no settings" in stranger.err
    assert (await shell("actions", "rollback", bus.tenant, "require-duo")).status == 2


async def test_absent_servers_are_told(shell: Shell, bus: SettingsBus) -> None:
    """Nobody at Kafka's or Redis' address, or no settings key, is said in clear words."""
    name = a_directory(shell, bus.tenant)
    nobody = f"127.0.0.1:{free_port()}"
    deploy = ("actions", "deploy", name, "--secrets", "acme.env")
    no_kafka = await shell(*deploy, COUNTERSIGN_KAFKA_BOOTSTRAP=nobody)
    assert f"Kafka at {nobody} can't be reached" in no_kafka.err
    no_redis = await shell(*deploy, COUNTERSIGN_REDIS_URL=f"redis://{nobody}/0")
    assert "Redis can't be reached" in no_redis.err
    no_key = await shell(*deploy, COUNTERSIGN_SETTINGS_KEY="")
    assert "COUNTERSIGN_SETTINGS_KEY: is not set" in no_key.err
    for told in (no_kafka, no_redis, no_key):
        assert (told.status, told.out) == (1, "")
        assert "Traceback" not in told.err
    assert len(await bus.records()) == 1
