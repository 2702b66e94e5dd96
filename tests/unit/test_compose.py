"""The compose file and the image, as far as they can be judged where no container engine runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from jsonschema import Draft202012Validator

from countersign.cli.app import build
from countersign.local.jars import listed_jars
from countersign.settings import Settings, load_settings
from countersign.settings.loading import SECRETS_DIR_VARIABLE
from countersign.settings.model import variable

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
OURS = ("topics", "decider", "simulator", "challenger", "relying-party", "cli")
KEYED = ("decider", "challenger", "cli")
"""Those that are given keys."""


class Instruction(NamedTuple):
    """An instruction of a Dockerfile, its lines joined."""

    name: str
    text: str


@cache
def _compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return document


def _service(name: str) -> dict[str, Any]:
    service: dict[str, Any] = _compose()["services"][name]
    return service


def _stages() -> list[list[Instruction]]:
    lines = DOCKERFILE.read_text("utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    stages: list[list[Instruction]] = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append(Instruction(name, rest.strip()))
    return stages


def _texts(stage: list[Instruction], name: str) -> list[str]:
    return [instruction.text for instruction in stage if instruction.name == name]


def _copied() -> Iterator[str]:
    """Return what the image takes from the build's context."""
    for stage in _stages():
        for text in _texts(stage, "COPY"):
            if not text.startswith("--from="):
                yield from text.split()[:-1]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder of secrets, made in a copy of the tree as the compose file says to make it."""
    assert "deploy/make-secrets" in COMPOSE.read_text("utf-8")
    script = tmp_path / "deploy" / "make-secrets"
    script.parent.mkdir()
    shutil.copy(ROOT / "deploy" / "make-secrets", script)
    subprocess.run([script], check=True, capture_output=True)  # noqa: S603  # our own script
    return script.parent / "secrets"


def test_compose_file_keeps_the_specification() -> None:
    """The compose file is valid by the Compose specification's own schema."""
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text("utf-8"))
    errors = Draft202012Validator(schema).iter_errors(_compose())
    assert [f"{'.'.join(map(str, e.path))}: {e.message}" for e in errors] == []


def test_compose_itself_takes_the_file() -> None:
    """Where docker compose is at hand, it reads the file without a complaint; it needs no engine."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("there is no docker command here")
    if subprocess.run([docker, "compose", "version"], check=False, capture_output=True).returncode:  # noqa: S603  # found above
        pytest.skip("docker has no compose plugin here")
    done = subprocess.run(  # noqa: S603  # found above
        [docker, "compose", "--file", COMPOSE, "config", "--quiet"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def _commands() -> Iterator[list[str]]:
    for name in OURS:
        yield _service(name)["command"]
    for line in COMPOSE.read_text("utf-8").splitlines():
        if found := re.match(r"#   docker compose run --rm cli ([^#]+)#", line):
            yield found[1].split()


@pytest.mark.parametrize("tokens", list(_commands()), ids=" ".join)
def test_command_line_takes_each_command(tokens: list[str]) -> None:
    """Every command of the compose file and of its comments is one of `countersign`, as written."""
    build(tokens[0]).parse_args(tokens, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("name", OURS)
def test_settings_are_settings(name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each COUNTERSIGN_ variable is a setting, and together with the secrets they are whole."""
    environment = _service(name).get("environment", {})
    known = {variable(field) for field in Settings.model_fields} | {SECRETS_DIR_VARIABLE}
    assert set(environment) <= known
    for key in known & os.environ.keys():
        monkeypatch.delenv(key)
    for key, value in environment.items():
        monkeypatch.setenv(key, str(secrets) if key == SECRETS_DIR_VARIABLE else str(value))
    if variable("duo_ca_file") in environment:  # made by the simulator, before this one starts
        monkeypatch.setenv(variable("duo_ca_file"), str(secrets / "countersign_settings_key"))
    settings = load_settings()
    given = {key.upper() for key in _service(name).get("secrets", [])}
    assert (variable("identifier_key") in given) is (name in KEYED)
    if given:
        settings.identifier_key_bytes()
        settings.settings_keys()


def test_secrets_are_where_the_compose_file_looks(secrets: Path) -> None:
    """Each secret's file is made by the script, for containers to read and no other user to reach."""
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for name, secret in _compose()["secrets"].items():
        made = secrets.parents[1] / secret["file"]
        assert made == secrets / name
        assert stat.S_IMODE(made.stat().st_mode) == 0o444


def test_a_second_call_changes_no_secret(secrets: Path) -> None:
    """Keys that are there stay: a new identifier key would forget every remembered browser."""
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    assert len(set(before.values())) == len(before) == len(_compose()["secrets"])
    subprocess.run([secrets.parent / "make-secrets"], check=True, capture_output=True)  # noqa: S603  # our own script
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before


def test_no_secret_can_be_committed_or_built_in() -> None:
    """Git ignores whatever is made in deploy/secrets, and the build never sees it."""
    ignored = (ROOT / "deploy" / "secrets" / ".gitignore").read_text("utf-8").splitlines()
    assert [line for line in ignored if not line.startswith("#")] == ["*", "!.gitignore"]
    assert not any(source.startswith("deploy") for source in _copied())


def test_named_paths_exist() -> None:
    """What is built and mounted from this tree is there."""
    for name in OURS:
        service = _service(name)
        context = ROOT / service["build"]["context"]
        assert (context / service["build"]["dockerfile"]).samefile(DOCKERFILE)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in _compose()["volumes"] or (ROOT / source).exists()


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_little(name: str) -> None:
    """Each of our containers has a read-only file system, no capabilities and gains no rights."""
    service = _service(name)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_nothing_is_open_to_the_network() -> None:
    """Whatever is published is published on the loopback alone: it knows neither TLS nor passwords."""
    ports = [
        port for service in _compose()["services"].values() for port in service.get("ports", [])
    ]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_services_wait_for_what_they_need() -> None:
    """A decider starts when the topics are made and the store answers; both servers say so themselves."""
    assert {need: how["condition"] for need, how in _service("decider")["depends_on"].items()} == {
        "topics": "service_completed_successfully",
        "valkey": "service_healthy",
    }
    assert {
        need: how["condition"] for need, how in _service("challenger")["depends_on"].items()
    } == {
        "topics": "service_completed_successfully",
        "valkey": "service_healthy",
        "simulator": "service_healthy",  # which has made its certificates by then
    }
    assert _service("topics")["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert all(
        _service(name)["healthcheck"]
        for name in ("kafka", "valkey", "decider", "simulator", "challenger", "relying-party")
    )


def test_browsers_find_what_they_are_sent_to() -> None:
    """Deciders hand out the challenger's published address, and Duo's is the same inside and outside."""
    defaults = Settings.model_construct()
    published = {port.split(":")[1]: port.split(":")[2] for port in _service("simulator")["ports"]}
    assert published[str(defaults.challenger_port)] == str(defaults.challenger_port)
    for name in ("decider", "challenger"):
        address = _service(name)["environment"]["COUNTERSIGN_PUBLIC_URL"]
        assert address == f"http://localhost:{defaults.challenger_port}"
    (host,) = [_service("challenger")["environment"]["COUNTERSIGN_DUO_HOSTS"]]
    name, _, port = host.partition(":")
    assert (name, published[port]) == ("localhost", port)
    assert _service("challenger")["network_mode"] == "service:simulator"


def test_probe_is_asked_where_it_listens() -> None:
    """Health check, published port and the image's own all name the port of the settings."""
    port = Settings.model_construct().probe_port
    assert f":{port}/ready" in _service("decider")["healthcheck"]["test"][-1]
    assert _service("decider")["ports"][0].endswith(f":{port}")
    assert _texts(_stages()[-1], "EXPOSE") == [
        f"{Settings.model_construct().challenger_port} {port}"
    ]


def test_decider_may_finish_its_batch() -> None:
    """The time until a container is killed is longer than the batch in hand may take."""
    grace = re.fullmatch(r"(\d+)s", _service("decider")["stop_grace_period"])
    assert grace is not None
    assert int(grace[1]) > Settings.model_construct().drain_timeout.total_seconds()


def test_store_never_evicts() -> None:
    """The store's command line has the policy that deciders insist on."""
    command = _service("valkey")["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_broker_is_the_tested_release() -> None:
    """The broker's image is of the release that the embedded stack runs."""
    tag = _service("kafka")["image"].partition(":")[2]
    assert any(jar.coordinate.startswith("org.apache.kafka:kafka_") for jar in listed_jars())
    assert {
        jar.coordinate.rpartition(":")[2]
        for jar in listed_jars()
        if jar.coordinate.startswith("org.apache.kafka:kafka_")
    } == {tag}


def test_image_is_built_in_stages() -> None:
    """What builds stays behind: the last stage takes the finished environment, and runs no installer."""
    first, last = _stages()
    assert _texts(first, "FROM") == ["python:3.12-slim AS build"]
    assert _texts(last, "FROM") == ["python:3.12-slim"]
    assert _texts(last, "COPY") == ["--from=build /opt/countersign /opt/countersign"]
    assert not re.search(r"\binstall\b|apt-get|gcc", " ".join(_texts(last, "RUN")))
    assert "pip uninstall" in _texts(last, "RUN")[0]


def test_image_runs_as_a_numbered_user() -> None:
    """The image's user isn't root, and is given by number, so that an orchestrator can tell."""
    (user,) = _texts(_stages()[-1], "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)


def test_image_runs_the_command_line() -> None:
    """The image's entry point is the command that the package installs."""
    assert json.loads(_texts(_stages()[-1], "ENTRYPOINT")[0]) == ["countersign"]


def test_image_takes_what_is_there() -> None:
    """Each path that is copied exists, and .dockerignore lets it through and nothing else."""
    sources = set(_copied())
    assert all((ROOT / source).exists() for source in sources)
    text = (ROOT / ".dockerignore").read_text("utf-8")
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == {
        source.removeprefix("./") for source in sources
    }


def test_image_installs_by_hash() -> None:
    """Every install names a lock and demands hashes, or takes nothing but what was built just before."""
    runs = " && ".join(_texts(_stages()[0], "RUN"))
    installs = [
        command for command in runs.split("&&") if re.search(r"\bpip\b.*\binstall\b", command)
    ]
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes" in command or {"--no-deps", "--no-index"} <= set(command.split())
    assert "--require-hashes --requirement requirements.lock" in runs


def test_build_backend_is_found_in_its_lock() -> None:
    """What the build takes from the developers' lock is the build backend alone, with its hashes."""
    (run,) = (text for text in _texts(_stages()[0], "RUN") if "backend.lock" in text)
    program = re.search(r"awk '([^']*)'", run)
    awk = shutil.which("awk")
    assert program is not None
    assert awk is not None
    found = subprocess.run(  # noqa: S603  # the Dockerfile's own words
        [awk, program[1], ROOT / "requirements-dev.lock"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert re.findall(r"^[^ ]+", found, re.MULTILINE) == [found.split()[0]]
    assert found.startswith("uv-build==")
    assert "--hash=sha256:" in found
