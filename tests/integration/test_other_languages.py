"""The samples for relying parties in Node and Java, each on a real Kafka: what they let in, and what not.

Law: a sample runs as the how-to shows it, from the files that the how-to quotes.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer
from msgspec.structs import replace

from countersign.core.identity import EventIdentity, murmur2, partition_of
from countersign.core.login import LoginAttempted, LoginReturned
from countersign.core.result import Assurance, ResultType
from countersign.local.jars import listed_jars
from countersign.wire.inbound import read_event
from countersign.wire.results import OutboundRecord
from tests.builders import ALICE, BOB, LAPTOP, MALLORY, PHONE
from tests.bus import PATIENCE, Bus, open_bus
from tests.client_bus import a_result
from tests.languages import QUIET, cannot, installed_jdk, installed_node, jar_cache, run

if TYPE_CHECKING:
    from countersign.local import Stack

HOW_TO = Path(__file__).parents[2] / "docs" / "relying-parties.md"
SAMPLES = HOW_TO.with_suffix("")
JARS = ("kafka-clients", "jackson-", "slf4j-api", "lz4-java", "snappy-java", "zstd-jni")
CODE = "a-made-up-return-code"
BANK = "https://bank.example.com"
FRANCOISE = "auth0|françoise"
"""Her letters aren't all ASCII, and partitioners that are not quite Kafka's own place her elsewhere."""

_EXCERPT = re.compile(
    r"^From \[`[^`]*`\]\(([^)]*)\):\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE
)


class Shop(NamedTuple):
    """A running sample."""

    process: asyncio.subprocess.Process

    def send(self, *words: str) -> None:
        """Tell it what a browser does."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(words).encode() + b"\n")

    async def answer(self) -> dict[str, Any]:
        """Return what it answers the browser."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self.process.stdout.readline()
        assert line, await self.end()
        found: dict[str, Any] = json.loads(line)
        return found

    async def end(self) -> tuple[int, str]:
        """Return its status, and what it said last of all, once it has ended."""
        async with asyncio.timeout(PATIENCE):
            _, said = await self.process.communicate()
        return self.process.returncode or 0, said.decode()


def node_sample(directory: Path) -> list[str]:
    """Install what the Node sample needs beside a copy of it; return the command that runs it."""
    node, npm = installed_node()
    shutil.copytree(SAMPLES / "node", directory, dirs_exist_ok=True)
    package = json.loads((directory / "package.json").read_text("utf-8"))
    wanted = [f"{name}@{version}" for name, version in package["dependencies"].items()]
    if said := run([npm, "install", "--no-package-lock", *QUIET, *wanted], directory):
        cannot(f"npm can't install {wanted}: {said}", missing=False)
    return [node, str(directory / "sample.js")]


def java_sample(directory: Path) -> list[str]:
    """Compile the Java sample with Kafka's jars of the embedded stack; return the command that runs it."""
    java, javac = installed_jdk()
    cache = jar_cache()
    jars = [str(cache / jar.name) for jar in listed_jars() if jar.name.startswith(JARS)]
    path = os.pathsep.join(jars)
    sources = [str(path) for path in sorted((SAMPLES / "java").glob("*.java"))]
    said = run([javac, "-Xlint:all", "-Werror", "-d", ".", "-cp", path, *sources], directory)
    assert said is None, said
    return [java, "-cp", os.pathsep.join([str(directory), path]), "Sample"]


@pytest.fixture(scope="module", params=[node_sample, java_sample], ids=["node", "java"])
def sample(
    request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """The command that runs a sample; the stack has brought Kafka's jars."""
    assert stack
    command: list[str] = request.param(tmp_path_factory.mktemp("sample"))
    return command


@pytest.fixture
async def bus(stack: Stack) -> AsyncIterator[Bus]:
    """A bus of the test's own."""
    async with open_bus(stack) as opened:
        yield opened


@asynccontextmanager
async def running(sample: list[str], bus: Bus, patience_ms: int = 30_000) -> AsyncIterator[Shop]:
    """Run a sample on the bus."""
    names = {
        "KAFKA": bus.settings.kafka_bootstrap,
        "LOGIN_EVENTS": bus.settings.login_events_topic,
        "MFA_RESULTS": bus.settings.mfa_results_topic,
        "PATIENCE_MS": str(patience_ms),
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *sample, env={**os.environ, **names}, stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        yield Shop(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Events:
    """What stands on the login events' topic, read as the decider reads it.

    Args:
        consumer: of that topic, from its beginning.
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def one(self) -> LoginAttempted | LoginReturned:
        """Return the next event, whose partition is the one that Kafka's own client gives its key."""
        async with asyncio.timeout(PATIENCE):
            record = await self._consumer.getone()
        assert record.partition == partition_of(murmur2(record.key), 3)
        event = read_event(record.key, record.value, record.headers)
        assert isinstance(event, LoginAttempted | LoginReturned)
        return event


@asynccontextmanager
async def events_of(bus: Bus) -> AsyncIterator[Events]:
    """Read a bus's login events."""
    consumer = AIOKafkaConsumer(
        bus.settings.login_events_topic,
        bootstrap_servers=bus.settings.kafka_bootstrap,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        yield Events(consumer)
    finally:
        await consumer.stop()


@pytest.mark.law(6)
async def test_a_login_goes_the_whole_way(sample: list[str], bus: Bus) -> None:
    """Challenged, proven, back with the code: passed, then remembered; a wrong code or no login: not."""
    async with bus.decider(), running(sample, bus) as shop:
        shop.send("login", LAPTOP, ALICE)
        challenged = await shop.answer()
        url = challenged.pop("challengeUrl")
        assert challenged == {
            "type": "login.challenged",
            "allowed": False,
            "reason": "mfa_due",
            "assurance": "none",
        }
        await bus.prove(url.rpartition("/")[2], CODE, Assurance.MFA)
        shop.send("return", LAPTOP, CODE)
        assert await shop.answer() == {
            "type": "challenge.passed",
            "allowed": True,
            "reason": "duo_allowed",
            "assurance": "mfa",
        }
        shop.send("login", LAPTOP, ALICE)
        assert await shop.answer() == {
            "type": "login.allowed",
            "allowed": True,
            "reason": "remembered_browser",
            "assurance": "remembered",
        }
        shop.send("login", PHONE, BOB)
        assert (await shop.answer())["type"] == "login.challenged"
        shop.send("return", PHONE, "a-guess")
        assert await shop.answer() == {
            "type": "challenge.denied",
            "allowed": False,
            "reason": "wrong_return_code",
            "assurance": "none",
        }
        shop.send("return", "a-browser-without-a-login", CODE)
        status, said = await shop.end()
    assert status == 1
    assert "not allowed" in said
    assert bus.dead_letters == []


async def test_what_is_no_answer_allows_nobody(sample: list[str], bus: Bus) -> None:
    """Unknown, contradictory and others' results are no answer, a denial is, silence is an error."""
    async with events_of(bus) as events, running(sample, bus, patience_ms=8_000) as shop:

        async def publish(*records: OutboundRecord) -> None:
            topic = bus.settings.mfa_results_topic
            await bus.publisher.publish([record._replace(topic=topic) for record in records])

        async def login(browser: str) -> EventIdentity:
            shop.send("login", browser, BOB)
            return (await events.one()).identity

        laptop = await login(LAPTOP)
        allowed = a_result(ResultType.LOGIN_ALLOWED, laptop, subject=BOB)
        await publish(
            with_type(allowed, "countersign.login.waved_through.v1"),
            with_type(allowed, "countersign.challenge.denied.v1"),
            allowed._replace(value=b"\xff no JSON"),
            allowed._replace(value=None),
            a_result(ResultType.LOGIN_ALLOWED, replace(laptop, source=BANK), subject=BOB),
            a_result(ResultType.LOGIN_ALLOWED, replace(laptop, tenant="globex"), subject=BOB),
            a_result(ResultType.LOGIN_ALLOWED, laptop, subject=MALLORY),
            a_result(ResultType.LOGIN_CHALLENGED, laptop, subject=BOB),
        )
        assert (await shop.answer())["type"] == "login.challenged"

        # While the browser is away Duo denies. That stands before the next answer on this partition.
        phone = await login(PHONE)
        denied = a_result(ResultType.CHALLENGE_DENIED, laptop, subject=BOB)
        await publish(denied, denied, a_result(ResultType.LOGIN_ALLOWED, phone, subject=BOB))
        assert (await shop.answer())["allowed"] is True
        shop.send("return", LAPTOP, CODE)
        assert (await shop.answer())["type"] == "challenge.denied"

        # No return was published for it: the next event is another login.
        shop.send("login", LAPTOP, FRANCOISE)
        silent = await events.one()
        assert isinstance(silent, LoginAttempted)
        assert silent.key == f"acme:{FRANCOISE}".encode()
        status, said = await shop.end()
    assert status == 1
    assert "not allowed: no answer within 8000 ms" in said


def with_type(record: OutboundRecord, name: str) -> OutboundRecord:
    """Return a result with another type in its headers."""
    headers = {**dict(record.headers), "ce_type": name.encode()}
    return record._replace(headers=list(headers.items()))


def test_excerpts_are_true() -> None:
    """Each excerpt of the how-to stands in its file, line by line, and no block is without its file."""
    text = HOW_TO.read_text("utf-8")
    excerpts = _EXCERPT.findall(text)
    for name, excerpt in excerpts:
        assert excerpt in (HOW_TO.parent / name).read_text("utf-8"), excerpt
    assert len(excerpts) == len(re.findall(r"^```(?:js|java)$", text, re.MULTILINE)) > 0
