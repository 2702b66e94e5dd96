"""What the documents say, held to the code: names, defaults, examples, links. So they can't rot unseen."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cyclopts import App
from prometheus_client.metrics import MetricWrapperBase

from countersign.adapters.kafka.topic_layout import wanted_topics
from countersign.adapters.kafka.topics import TopicNames
from countersign.challenger.metrics import Metrics as ChallengerMetrics
from countersign.cli.app import COMMANDS, build
from countersign.cli.event_files import Entry, to_record
from countersign.client.signing import public_jwk, signer
from countersign.core.errors import Defect
from countersign.core.result import VERDICTS, Assurance, Reason
from countersign.decider.metrics import Metrics
from countersign.settings import Settings, masked
from countersign.settings.loading import SECRETS_DIR_VARIABLE
from countersign.settings.model import variable
from countersign.wire.inbound import read_event
from countersign.wire.keys import public_keys
from countersign.wire.outbound_events import signed
from countersign.wire.results import SOURCE, read_result
from countersign.wire.signatures import verify_event
from countersign.wire.signed_part import HEADER, signed_part

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "schemas").rglob("*.md")]
)
EVENTS = ROOT / "docs" / "events.md"
OPERATIONS = ROOT / "docs" / "operations.md"
ADR = ROOT / "docs" / "adr"

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS]
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_METRIC = re.compile(r"\bcountersign_[a-z_]+")
_SETTING = re.compile(rf"\b{variable('')}[A-Z_]+")


@cache
def _text(document: Path) -> str:
    return document.read_text("utf-8")


def _prose(document: Path) -> str:
    return _FENCE.sub("", _text(document))


def _code(document: Path) -> Iterator[str]:
    """Return what a document shows as code, in blocks and within sentences."""
    yield from (block for _, block in _FENCE.findall(_text(document)))
    yield from re.findall(r"`([^`\n]+)`", _prose(document))


def _section(document: Path, title: str) -> str:
    """Return what stands below a heading, up to the next one of any level."""
    parts = re.split(r"^#+ (.*)\n", _prose(document), flags=re.MULTILINE)
    return parts[parts.index(title) + 1]


def _rows(section: str) -> dict[str, list[str]]:
    """Return a section's tables: the cells of each row by the name in backquotes that comes first."""
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    found = {cells[0].strip().strip("`"): [cell.strip() for cell in cells[1:]] for cells in rows}
    assert len(found) == len(rows)
    return found


def _anchors(document: Path) -> set[str]:
    """Return the names that a reader's browser gives to the headings."""
    headings = re.findall(r"^#+ (.*)$", _prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    """Every link within the tree names a file that is there, and a heading that it has."""
    for link in _LINK.findall(_prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def _subcommands(command: App) -> set[str]:
    return {name for name in command if not name.startswith("-")}


@each_document
def test_commands_are_commands(document: Path) -> None:
    """Every `countersign …` in a document is a command that there is."""
    known = {command.name for command in COMMANDS}
    for code in _code(document):
        for first, second in re.findall(r"\bcountersign ([a-z-]+)(?: ([a-z-]+))?", code):
            assert first in known or first.startswith("--"), code
            if first in known and second and (subcommands := _subcommands(build(first)[first])):
                assert second in subcommands, code


@each_document
def test_make_targets_are_targets(document: Path) -> None:
    """Every `make …` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for code in _code(document):
        named = re.findall(r"(?:^|\$ )make ([a-z]+)", code, re.MULTILINE)
        assert set(named) <= targets


def _metrics() -> dict[str, tuple[str, ...]]:
    """Return the services' metrics as Prometheus names them, with their labels."""
    found: dict[str, tuple[str, ...]] = {}
    for metrics in (Metrics(), ChallengerMetrics()):
        for each in vars(metrics).values():
            if isinstance(each, MetricWrapperBase):
                (family,) = each.describe()
                name = family.name + ("_total" if family.type == "counter" else "")
                labels = tuple(each._labelnames)  # noqa: SLF001  # told nowhere else
                # One name means one thing, whichever service counts it.
                assert found.setdefault(name, labels) == labels
    return found


def test_every_metric_is_documented() -> None:
    """The operations page lists each metric, with its labels, and no other."""
    listed = {
        name: tuple(re.findall(r"`(\w+)`", cells[0]))
        for name, cells in _rows(_section(OPERATIONS, "Metrics")).items()
    }
    assert listed == _metrics()


@each_document
def test_named_metrics_and_settings_exist(document: Path) -> None:
    """A metric or a variable that a document names is one in the code."""
    settings = {variable(name) for name in Settings.model_fields} | {SECRETS_DIR_VARIABLE}
    files = {name.lower() for name in settings}
    assert set(_METRIC.findall(_text(document))) - files <= _metrics().keys()
    assert set(_SETTING.findall(_text(document))) <= settings


def test_every_setting_is_documented_with_its_default() -> None:
    """The operations page lists each setting in order, with the default that it has."""
    rows = _rows(_section(OPERATIONS, "Settings of the process"))
    shown = masked(Settings.model_construct(), environ={})
    assert {name: cells[0].strip("`") for name, cells in rows.items()} == {
        each.variable: each.value for each in shown
    }
    assert list(rows) == [each.variable for each in shown]
    assert SECRETS_DIR_VARIABLE in _text(OPERATIONS)


def test_every_reason_is_documented() -> None:
    """The events page explains each reason of a result, in the order of the code, and no other."""
    assert list(_rows(_section(EVENTS, "Reasons"))) == [reason.value for reason in Reason]


def test_every_defect_is_documented() -> None:
    """The events page explains each reason of a dead letter, with a remedy, and no other."""
    rows = _rows(_section(EVENTS, "Dead letters"))
    assert list(rows) == [defect.value for defect in Defect]
    assert all(cells[1] for cells in rows.values())


def test_every_result_is_documented_with_its_verdict() -> None:
    """The events page lists each type of result with what a relying party does, and each assurance."""
    section = _section(EVENTS, "Read the results")
    rows = {name: cells[0].strip("`") for name, cells in _rows(section).items()}
    assert rows == {kind.value: verdict.value for kind, verdict in VERDICTS.items()}
    assert {assurance.value for assurance in Assurance} <= set(re.findall(r"`(\w+)`", section))


def _examples() -> Iterator[Mapping[str, Any]]:
    for language, block in _FENCE.findall(_text(EVENTS)):
        if language == "json":
            yield json.loads(block)


def test_examples_are_what_they_say() -> None:
    """Each example of the events page is read by the code that reads such records."""
    kinds = []
    for example in _examples():
        if example.get("headers", {}).get("ce_source") == SOURCE:
            headers = [(name, text.encode()) for name, text in example["headers"].items()]
            result = read_result(json.dumps(example["value"]).encode(), headers)
            kinds.append(result.type.value)
        else:
            record = to_record("topic", Entry(1, json.dumps(example).encode()), raw=False)
            event = read_event(record.key, record.value, record.headers)
            kinds.append(type(event).__name__)
    assert kinds == [
        *["LoginAttempted"] * 3,
        "LoginReturned",
        *["BrowsersForget"] * 2,
        *["SecuritySignal"] * 2,
        "BrowsersForget",
        "login.challenged",
        "login.denied",
    ]


def test_the_signed_example_verifies() -> None:
    """What the page signs, by what key, and what comes out: each as it says, to the byte."""
    blocks = [block for _, block in _FENCE.findall(_text(EVENTS))]
    keys = public_keys(
        next(json.loads(block)["keys"] for block in blocks if block.startswith('{ "keys"'))
    )
    private = next(json.loads(block) for block in blocks if '"d":' in block)
    content = next(block for block in blocks if block.startswith("forget-2")).removesuffix("\n")
    (example,) = (each for each in _examples() if "ce_signature" in each.get("headers", {}))
    record = to_record("topic", Entry(1, json.dumps(example).encode()), raw=False)
    part = signed_part(record.value or b"", record.headers, "acme")
    assert part.content == content.encode()
    verify_event(part, keys)
    seed = base64.urlsafe_b64decode(private["d"] + "=")
    pem = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    assert signer(pem, "shop-2026")(part.content) == part.signature
    assert list(public_keys([public_jwk(pem, "shop-2026")])) == list(keys)
    headers = [(name, text) for name, text in record.headers if name != HEADER]
    again = signed(record._replace(headers=headers), "acme", signer(pem, "shop-2026"))
    assert again == record


def test_the_sample_in_node_signs_likewise(tmp_path: Path) -> None:
    """Run as the page shows it, with the page's key, it makes the page's signature."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node here")
    blocks = _FENCE.findall(_text(EVENTS))
    (sample,) = (block for language, block in blocks if language == "js")
    private = next(json.loads(block) for _, block in blocks if '"d":' in block)
    public = next(
        json.loads(block)["keys"][0] for _, block in blocks if block.startswith('{ "keys"')
    )
    (example,) = (each for each in _examples() if "ce_signature" in each.get("headers", {}))
    headers = example["headers"]
    names = {name: headers[f"ce_{name}"] for name in ("id", "source", "type", "time")}
    given = {**names, "tenant": headers["ce_tenantid"], "data": example["value_text"]}
    program = tmp_path / "sign.mjs"
    program.write_text(
        "import { createPrivateKey, sign } from 'node:crypto'\n"
        f"const key = {json.dumps({**private, 'x': public['x']})}\n"
        "const privateKey = createPrivateKey({ key, format: 'jwk' })\n"
        f"const {{ id, source, type, time, tenant, data }} = {json.dumps(given)}\n"
        f"const headers = {{}}\n{sample}console.log(headers.ce_signature)\n"
    )
    run = subprocess.run(  # noqa: S603  # our own program
        [node, str(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == headers["ce_signature"]


def test_every_topic_is_documented() -> None:
    """The operations page lists each topic with what the command line makes of it."""
    rows = _rows(_section(OPERATIONS, "Kafka"))
    days = {str(days * 86_400_000): f"`retention.ms` {days} days" for days in (7, 30)}
    for topic in wanted_topics(TopicNames(), partitions=12, replication_factor=1):
        partitions, settings, _ = rows.pop(topic.name)
        assert partitions == ("1" if topic.partitions == 1 else "`--partitions`")
        said = {
            days[value] if key == "retention.ms" else f"`{key}={value}`"
            for key, value in topic.configs.items()
            if key != "min.insync.replicas"
        }
        assert set(settings.split(", ")) == said
    assert rows == {}


def test_what_is_called_at_redis_is_granted_and_no_more() -> None:
    """The least rights at Redis that the operations page gives are what scripts and connections call."""
    rights = _section(OPERATIONS, "Redis").partition("; in a cluster also")[0]
    scripts = (ROOT / "services/countersign/adapters/redis/lua").rglob("*.lua")
    called = {
        command.lower()
        for script in scripts
        for command in re.findall(r"redis\.call\('(\w+)'", script.read_text("utf-8"))
    }
    ours = {"evalsha", "eval", "info", "ping", "select", "set", "hgetall", "zrem", "pexpire"}
    assert set(re.findall(r"\+(\w+)", rights)) == called | ours


def test_decisions_are_listed_and_whole() -> None:
    """The architecture decisions are numbered without a gap, are all listed, and have all their parts."""
    pages = sorted(ADR.glob("[0-9]*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    assert [page.name for page in pages] == re.findall(
        r"\]\((\d{4}-[^)]*)\)", _text(ADR / "README.md")
    )
    for page in pages:
        headings = re.findall(r"^(#+ .*)$", _prose(page), re.MULTILINE)
        assert headings[0].startswith(f"# {page.name[:4]}: ")
        parts = ["## Status", "## Context", "## Decision", "## Consequences", "## Evidence"]
        assert headings[1:] == parts
