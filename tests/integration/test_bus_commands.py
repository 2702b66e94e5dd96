"""`send`, `tail` and `dead-letters` as people call them: processes of their own, on a real Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from countersign.adapters.kafka.topic_layout import TopicNames
from countersign.core.errors import Defect
from countersign.core.result import ResultType
from countersign.local import Stack
from countersign.wire.dead_letter import DeadLetter, write_dead_letter
from countersign.wire.results import OutboundRecord
from tests.builders import ACME, ALICE, BOB, GLOBEX, a_login_record, an_identity, login_data
from tests.client_bus import a_result
from tests.kafka_topics import make_topics, put, take_all

HOSTILE = b'\x1b[2J\x1b]0;owned\x07{"user":\xc2\x9b'
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"


class Finished(NamedTuple):
    """A process that has ended."""

    status: int | None
    out: str
    err: str


class Shell:
    """Calls `countersign` with an environment that names the embedded Kafka and the test's topics."""

    def __init__(self, stack: Stack, topics: TopicNames, directory: Path) -> None:
        self.directory = directory
        self._environment = {
            "PATH": os.environ["PATH"],
            "COLUMNS": "300",
            "COUNTERSIGN_KAFKA_BOOTSTRAP": stack.kafka,
            "COUNTERSIGN_LOGIN_EVENTS_TOPIC": topics.login_events,
            "COUNTERSIGN_MFA_RESULTS_TOPIC": topics.mfa_results,
            "COUNTERSIGN_DEAD_LETTERS_TOPIC": topics.dead_letters,
            "COUNTERSIGN_TENANT_SETTINGS_TOPIC": topics.tenant_settings,
        }

    async def begin(self, *arguments: str, **changes: str) -> asyncio.subprocess.Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "countersign"),
            *arguments,
            cwd=self.directory,
            env={**self._environment, **changes},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *arguments: str, given: bytes = b"", **changes: str) -> Finished:
        """Run a command to its end, with something on its standard input."""
        process = await self.begin(*arguments, **changes)
        out, err = await process.communicate(given)
        return Finished(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def topics(stack: Stack) -> TopicNames:
    """Topics of this test alone."""
    return await make_topics(stack.kafka)


@pytest.fixture
def shell(stack: Stack, topics: TopicNames, tmp_path: Path) -> Shell:
    """A shell in an empty directory."""
    return Shell(stack, topics, tmp_path)


def _read(example: Path) -> Any:  # noqa: ANN401  # whatever JSON it is
    return json.loads(example.read_text())


def a_bare_login(event_id: str, *, subject: str = ALICE, **parts: object) -> dict[str, Any]:
    """Return a login event that needs no envelope."""
    return {
        "id": event_id,
        "time": "2026-03-02T09:00:00Z",
        "tenant": {"id": ACME},
        **login_data(subject=subject),
        **parts,
    }


def a_letter(
    topics: TopicNames,
    reason: Defect,
    *,
    value: bytes | None = None,
    key: bytes | None = b"acme:auth0|alice",
    topic: str | None = None,
    event_id: str = "login-1",
) -> OutboundRecord:
    """Return the record of a dead letter, by default of Alice's login."""
    came = a_login_record(event_id=event_id)
    letter = DeadLetter(
        topic=topic or topics.login_events,
        partition=1,
        offset=17,
        reason=reason,
        error_class="InvalidEventError",
        detail="what is wrong; what to do",
        key=key,
        value=came.value if value is None else value,
        headers=tuple(came.headers),
    )
    return write_dead_letter(topics.dead_letters, letter)


# -- send ------------------------------------------------------------------------------------------


async def test_send_publishes_every_line_of_a_large_file(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """Thousands of lines arrive byte for byte, each user's in their order, and are counted."""
    lines = [
        json.dumps(a_bare_login(f"login-{number}", subject=f"user-{number % 7}"))
        for number in range(3000)
    ]
    (shell.directory / "events.jsonl").write_text("\n".join(lines))
    sent = await shell("send", "events.jsonl")
    assert sent == (0, f"3,000 events sent to {topics.login_events}.\n", "")
    records = await take_all(stack.kafka, topics.login_events)
    assert sorted(record.value.decode() for record in records) == sorted(lines)
    by_user: dict[bytes, list[int]] = {}
    for record in records:
        number = int(json.loads(record.value)["id"].removeprefix("login-"))
        by_user.setdefault(record.key, []).append(number)
    assert len(by_user) == 7
    assert all(numbers == sorted(numbers) for numbers in by_user.values())


async def test_send_tells_file_line_and_remedy_and_sends_the_rest(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """Lines that are no event are named and left out, the others are on the bus, and the status is 1."""
    lines = [
        json.dumps(a_bare_login("login-1")),
        '{"user":',
        json.dumps(a_bare_login("login-2", user={})),
        "",
        json.dumps(a_bare_login("login-3")),
    ]
    (shell.directory / "events.jsonl").write_text("\n".join(lines))
    sent = await shell("send", "events.jsonl")
    assert sent.status == 1
    assert sent.out == f"2 events sent to {topics.login_events}.\n"
    told = sent.err.splitlines()
    assert told[0].startswith("events.jsonl:2: ")
    assert "write one JSON object a line" in told[0]
    assert told[1] == "events.jsonl:3: invalid_event: user.user_id is missing; send it"
    assert "2 lines left out" in told[2]
    records = await take_all(stack.kafka, topics.login_events)
    assert [json.loads(record.value)["id"] for record in records] == ["login-1", "login-3"]


async def test_send_raw_sends_what_no_service_takes(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """With --raw nothing is checked, so that one can see what becomes a dead letter."""
    sent = await shell("send", "-", "--raw", given=b'{"user":\n{"key":"k","value_base64":"//8="}\n')
    assert sent.status == 0
    records = await take_all(stack.kafka, topics.login_events)
    assert {(record.key, record.value) for record in records} == {
        (None, b'{"user":'),
        (b"k", b"\xff\xff"),
    }


async def test_send_takes_the_examples(shell: Shell, stack: Stack, topics: TopicNames) -> None:
    """The records of schemas/examples can be sent as they are, several files at once."""
    names = ("minimal-bare", "minimal-binary", "minimal-structured")
    files = [EXAMPLES / "login.attempted" / "valid" / f"{name}.json" for name in names]
    sent = await shell("send", *map(str, files))
    assert (sent.status, sent.err) == (0, "")
    records = await take_all(stack.kafka, topics.login_events)
    assert len(records) == 3
    assert {record.key.decode() for record in records} == {
        said["key"] for said in map(_read, files)
    }


async def test_send_publishes_while_its_input_is_open(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """Events that come through a pipe are sent at once, not when the pipe ends."""
    process = await shell.begin("send", "-")
    assert process.stdin is not None
    process.stdin.write(json.dumps(a_bare_login("login-1")).encode() + b"\n")
    async with asyncio.timeout(30):
        while not await take_all(stack.kafka, topics.login_events):
            pass
    assert process.returncode is None
    out, _ = await process.communicate(b"")
    assert out.decode() == f"1 event sent to {topics.login_events}.\n"


async def test_send_says_what_it_cannot_read_or_reach(shell: Shell) -> None:
    """A file that isn't there, and a Kafka that isn't, are said with what to do."""
    mistyped = await shell("send", "--rwa", "events.jsonl")
    assert mistyped.status == 2
    assert "There is no option --rwa" in mistyped.err
    missing = await shell("send", "nothing.jsonl")
    assert missing.status == 1
    assert "nothing.jsonl can't be read: No such file or directory" in missing.err
    line = json.dumps(a_bare_login("login-1")).encode()
    unreached = await shell("send", "-", given=line, COUNTERSIGN_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert unreached.status == 1
    assert "0 events sent" in unreached.out
    assert "Error: " in unreached.err
    assert "Traceback" not in unreached.err


# -- tail ------------------------------------------------------------------------------------------


async def test_tail_shows_a_line_a_result(shell: Shell, stack: Stack, topics: TopicNames) -> None:
    """Each result has its line: who, what, why, on what it stands, and where it is on the topic."""
    denied = a_result(ResultType.CHALLENGE_DENIED)._replace(topic=topics.mfa_results)
    (place,) = await put(stack.kafka, [denied])
    shown = await shell("tail", "--from-beginning", "--count", "1")
    assert shown.status == 0
    for part in (ACME, ALICE, "challenge.denied", "deny", "duo_denied", "none", place):
        assert part in shown.out.split()


async def test_tail_chooses_a_tenant_and_prints_json(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """With --tenant others are left out; --json has the whole result, a line each, in ASCII alone."""
    zoe = "auth0|zo\xeb\x9b"
    globex = an_identity(tenant=GLOBEX)
    results = [
        a_result(ResultType.LOGIN_DENIED),
        a_result(ResultType.LOGIN_CHALLENGED, globex, subject=zoe),
        a_result(ResultType.LOGIN_DENIED, globex)._replace(value=b"{"),
        a_result(ResultType.CHALLENGE_PASSED, globex, subject=zoe),
    ]
    await put(stack.kafka, [result._replace(topic=topics.mfa_results) for result in results])
    shown = await shell("tail", "--from-beginning", "--count", "2", "--tenant", GLOBEX, "--json")
    assert shown.out.isascii()
    assert "\x9b" not in shown.out
    said = [json.loads(line) for line in shown.out.splitlines()]
    assert [each["type"] for each in said] == [
        "countersign.login.challenged.v1",
        "countersign.challenge.passed.v1",
    ]
    assert {each["subject"] for each in said} == {zoe}
    assert said[0]["challenge_url"]
    assert {"id", "source", "event_id", "trace", "partition", "offset"} <= said[0].keys()


async def test_tail_follows_what_is_published_later(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """Without --from-beginning the old results are left out, and the next one is shown when it comes."""
    old = a_result(ResultType.LOGIN_DENIED)._replace(topic=topics.mfa_results)
    new = a_result(ResultType.LOGIN_ALLOWED, subject=BOB)._replace(topic=topics.mfa_results)
    await put(stack.kafka, [old])
    process = await shell.begin("tail", "--json", "--count", "1")
    waiting = asyncio.create_task(process.communicate(b""))
    async with asyncio.timeout(30):
        # It doesn't say when it began to listen, so the result is published until it was seen.
        while not waiting.done():
            await put(stack.kafka, [new])
            await asyncio.wait([waiting], timeout=0.2)
    out, _ = await waiting
    assert json.loads(out)["subject"] == BOB


# -- dead-letters ----------------------------------------------------------------------------------


async def test_dead_letters_are_listed_newest_last(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """The list has each letter's place, reason, key and detail; it can be cut to a reason and a number."""
    records = [
        a_letter(topics, Defect.UNKNOWN_TENANT, event_id="login-1"),
        a_letter(topics, Defect.NOT_JSON, value=b"{"),
        a_letter(topics, Defect.UNKNOWN_TENANT, event_id="login-2"),
    ]
    places = await put(stack.kafka, records)
    listed = await shell("dead-letters", "list")
    rows = listed.out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == places
    assert "unknown_tenant" in rows[0]
    assert "acme:auth0|alice" in rows[0]
    assert "what is wrong; what to do" in rows[0]
    assert "3 of 3 dead letters" in listed.err
    cut = await shell("dead-letters", "list", "--reason", "unknown-tenant", "--limit", "1")
    assert [row.split()[0] for row in cut.out.splitlines()[1:]] == [places[2]]
    assert "1 of 2 dead letters" in cut.err


async def test_a_topic_without_dead_letters_is_listed_empty(shell: Shell) -> None:
    """Reading an empty topic ends at once."""
    listed = await shell("dead-letters", "list")
    assert (listed.status, listed.err) == (0, "0 of 0 dead letters.\n")


async def test_a_hostile_dead_letter_does_not_reach_the_terminal(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """Escape sequences in key, value, headers and reasons are shown escaped, and nothing else changes."""
    letter = a_letter(topics, Defect.NOT_JSON, value=HOSTILE, key=b"\x1b[31macme")
    hostile = letter._replace(headers=[("\x1b[5mname", b"\x1b[6mvalue"), *letter.headers])
    (place,) = await put(stack.kafka, [hostile])
    listed = await shell("dead-letters", "list")
    shown = await shell("dead-letters", "show", place)
    assert shown.status == 0
    for out in (listed.out, listed.err, shown.out, shown.err):
        assert all(character.isprintable() or character == "\n" for character in out)
    assert r"\x1b[2J\x1b]0;owned\x07" in shown.out
    assert r"\x1b[5mname: \x1b[6mvalue" in shown.out
    assert "Reason: not_json" in shown.out
    assert f"Came from: {topics.login_events}, 1:17" in shown.out


async def test_a_dead_letter_of_bytes_is_dumped(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """What is no text is shown in hexadecimal."""
    (place,) = await put(stack.kafka, [a_letter(topics, Defect.NOT_JSON, value=b"\xff\x00")])
    shown = await shell("dead-letters", "show", place)
    assert "00000000  ff 00 " in shown.out


async def test_replay_puts_the_original_back(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """Key, value and headers are those that came, without what the dead letter added; others stay away."""
    records = [
        a_letter(topics, Defect.UNKNOWN_TENANT, event_id="login-1"),
        a_letter(topics, Defect.UNKNOWN_TENANT, event_id="login-2"),
    ]
    places = await put(stack.kafka, records)
    replayed = await shell("dead-letters", "replay", places[1])
    assert replayed == (0, f"{places[1]} is on {topics.login_events} again.\n", "1 replayed.\n")
    (record,) = await take_all(stack.kafka, topics.login_events)
    came = a_login_record(event_id="login-2")
    assert (record.key, record.value) == (came.key, came.value)
    assert list(record.headers) == list(came.headers)


async def test_replay_of_all_with_a_reason(shell: Shell, stack: Stack, topics: TopicNames) -> None:
    """All letters of one reason go back, and no other."""
    reasons = [Defect.UNKNOWN_TENANT, Defect.NOT_JSON] * 3
    places = await put(
        stack.kafka,
        [
            a_letter(topics, reason, event_id=f"login-{number}")
            for number, reason in enumerate(reasons)
        ],
    )
    replayed = await shell("dead-letters", "replay", "--all", "--reason", "unknown-tenant")
    assert replayed.status == 0
    assert [line.split()[0] for line in replayed.out.splitlines()] == places[::2]
    records = await take_all(stack.kafka, topics.login_events)
    ids = {dict(record.headers)["ce_id"] for record in records}
    assert ids == {b"login-0", b"login-2", b"login-4"}


async def test_replay_writes_to_no_other_topic(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """A letter whose headers name another topic than the login events' is told and left out."""
    records = [
        a_letter(topics, Defect.NOT_JSON, topic=topics.mfa_results),
        a_letter(topics, Defect.UNKNOWN_TENANT),
    ]
    places = await put(stack.kafka, records)
    replayed = await shell("dead-letters", "replay", "--all")
    assert replayed.status == 1
    assert f"{places[0]} came from {topics.mfa_results}" in replayed.err
    assert f"{places[1]} is on {topics.login_events} again." in replayed.out
    assert await take_all(stack.kafka, topics.mfa_results) == []


async def test_a_place_without_a_letter_is_told(
    shell: Shell, stack: Stack, topics: TopicNames
) -> None:
    """A place beyond the topic, a partition that isn't, and a record that is no dead letter are said so."""
    strange = OutboundRecord(topics.dead_letters, b"k", b"v", [("a", b"b")], None)
    (place,) = await put(stack.kafka, [strange])
    for absent in ("0:999", "99:0"):
        shown = await shell("dead-letters", "show", absent)
        assert shown.status == 1
        assert f"there is no dead letter at {absent}" in shown.err
    shown = await shell("dead-letters", "show", place)
    assert shown.status == 1
    assert "no dead letter" in shown.err
    replayed = await shell("dead-letters", "replay", "0:999")
    assert replayed.status == 1


@pytest.mark.parametrize(
    "arguments", [[], ["--all", "0:1"], ["--reason", "empty"], ["0:1", "--reason", "empty"], ["1"]]
)
async def test_replay_wants_places_or_all(shell: Shell, arguments: list[str]) -> None:
    """Without saying what, or with contradictions, nothing is replayed, and the status is 2."""
    replayed = await shell("dead-letters", "replay", *arguments)
    assert replayed.status == 2
    assert replayed.out == ""
