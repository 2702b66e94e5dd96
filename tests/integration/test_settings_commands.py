"""The commands as people call them: processes of their own, on a real Kafka and Valkey."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from countersign.local import Stack
from countersign.local.ports import free_port
from tests.settings_bus import KEY, SECRET, SettingsBus
from tests.shell import Shell


@pytest.fixture
def bus(stack: Stack) -> SettingsBus:
    """A topic of this test alone, not created yet."""
    return SettingsBus(stack)


@pytest.fixture
def shell(stack: Stack, bus: SettingsBus, tmp_path: Path) -> Shell:
    """A shell whose environment names the embedded servers and this test's topics."""
    return Shell.of(stack, bus.topic, tmp_path)


def a_file(path: Path, tenant: str, *, prompts: int = 5, secret: str = SECRET) -> str:
    """Write a settings file, and return its name."""
    path.write_text(
        f"""
        tenant = "{tenant}"
        [duo]
        client_id = "DIXXXXXXXXXXXXXXXXXX"
        client_secret = "{secret}"
        api_host = "api-12345678.duosecurity.com"
        [factors]
        duo = true
        [mfa]
        policy = "all-applications"
        [challenge]
        return_urls = ["https://shop.example.com/return"]
        [push_budget]
        prompts = {prompts}
        """
    )
    return path.name


async def test_settings_go_the_whole_way(shell: Shell, bus: SettingsBus) -> None:
    """Topics are created, a file is applied, shown, edited and applied again, and listed."""
    created = await shell("topics", "create", "--partitions", "3")
    assert (created.status, created.err) == (0, "")
    assert bus.topic in created.out

    file = a_file(shell.directory / "acme.toml", bus.tenant)
    assert (await shell("settings", "validate", file)).status == 0
    applied = await shell("settings", "apply", file)
    assert applied == (0, f"{bus.tenant}: version 1 is in force.\n", "")
    again = await shell("settings", "apply", file)
    assert again == (0, f"{bus.tenant}: unchanged, version 1 stays in force.\n", "")

    shown = await shell("settings", "show", bus.tenant)
    assert shown.status == 0
    assert 'client_secret = "********"' in shown.out
    edited = shell.directory / "edited.toml"
    edited.write_text(shown.out)
    assert "unchanged" in (await shell("settings", "apply", "edited.toml")).out
    edited.write_text(shown.out.replace("prompts = 5", "prompts = 4"))
    assert "version 2 is in force" in (await shell("settings", "apply", "edited.toml")).out

    as_json = json.loads((await shell("settings", "show", bus.tenant, "--json")).out)
    assert (as_json["version"], as_json["push_budget"]["prompts"]) == (2, 4)
    assert as_json["duo"]["client_secret"] == "********"

    listed = (await shell("settings", "list")).out.splitlines()
    assert len(listed) == 2
    assert listed[1].split()[:2] == [bus.tenant, "2"]


async def test_one_wrong_file_of_three_publishes_nothing(shell: Shell, bus: SettingsBus) -> None:
    """A wrong file is refused whole, with every problem of it, and so are the good ones beside it."""
    await bus.create()
    names = [
        a_file(shell.directory / "one.toml", bus.tenant),
        a_file(shell.directory / "two.toml", f"{bus.tenant}-two", prompts=1000, secret="short"),
        a_file(shell.directory / "three.toml", f"{bus.tenant}-three"),
    ]
    refused = await shell("settings", "apply", *names)
    assert (refused.status, refused.out) == (1, "")
    assert "push_budget.prompts" in refused.err
    assert "Traceback" not in refused.err
    a_file(shell.directory / "two.toml", f"{bus.tenant}-two", secret="")
    refused = await shell("settings", "apply", *names)
    assert (refused.status, refused.out) == (1, "")
    assert "duo.client_secret: is missing" in refused.err
    assert await bus.records() == []
    assert (await shell("settings", "validate", names[0])).status == 0


async def test_unknown_tenant_is_told(shell: Shell, bus: SettingsBus) -> None:
    """A tenant without settings is status 1, with the names of those that have some."""
    await bus.create()
    shown = await shell("settings", "show", "globex")
    assert shown == (1, "", "Error: globex has no settings. Tenants with settings: none.\n")


async def test_missing_topic_and_key_are_told(shell: Shell, bus: SettingsBus) -> None:
    """What is missing before anything can be applied is told, with what to do, at once."""
    file = a_file(shell.directory / "acme.toml", bus.tenant)
    no_topic = await shell("settings", "apply", file)
    assert no_topic.status == 1
    assert "countersign topics create" in no_topic.err
    no_key = await shell("settings", "apply", file, COUNTERSIGN_SETTINGS_KEY="")
    assert no_key.status == 1
    assert "COUNTERSIGN_SETTINGS_KEY: is not set" in no_key.err
    assert "openssl rand" in no_key.err


async def test_absent_servers_are_told(shell: Shell, bus: SettingsBus) -> None:
    """Nobody at Kafka's or Redis' address is said in clear words, and nothing is published."""
    await bus.create()
    nobody = f"127.0.0.1:{free_port()}"
    no_kafka = await shell("settings", "list", COUNTERSIGN_KAFKA_BOOTSTRAP=nobody)
    assert no_kafka.status == 1
    assert "Connect call failed" in no_kafka.err
    assert no_kafka.err.endswith(f"Error: Kafka at {nobody} can't be reached\n")
    assert "Traceback" not in no_kafka.err
    file = a_file(shell.directory / "acme.toml", bus.tenant)
    no_redis = await shell("settings", "apply", file, COUNTERSIGN_REDIS_URL=f"redis://{nobody}/0")
    assert no_redis.status == 1
    assert "Redis can't be reached" in no_redis.err
    assert "Traceback" not in no_redis.err
    assert await bus.records() == []


async def test_topics_are_listed_with_what_differs(shell: Shell, bus: SettingsBus) -> None:
    """What is missing or differs is told with a remedy, and makes the status 1."""
    await bus.create()
    listed = await shell("topics", "list")
    assert listed.status == 1
    assert "missing" in listed.out
    assert "as wanted" in listed.out
    assert "countersign topics create" in listed.err
    assert (await shell("topics", "create", "--partitions", "2")).status == 0
    other = await shell("topics", "create", "--partitions", "4")
    assert other.status == 1
    assert "partitions is 2, and should be 4" in other.err
    assert (await shell("topics", "create", "--partitions", "0")).status == 2


async def test_config_shows_what_is_in_force(shell: Shell, stack: Stack) -> None:
    """Every setting is shown with its origin, no secret, and what was probably misspelt."""
    shown = await shell("config", COUNTERSIGN_BATCHSIZE="7")
    assert shown.status == 0
    rows = {line.split()[0]: line.split()[1:] for line in shown.out.splitlines()[1:]}
    assert rows["COUNTERSIGN_KAFKA_BOOTSTRAP"] == [stack.kafka, "environment"]
    assert rows["COUNTERSIGN_SETTINGS_KEY"] == ["********", "environment"]
    assert b64encode(KEY).decode() not in shown.out
    assert "did you mean COUNTERSIGN_BATCH_SIZE?" in shown.err
