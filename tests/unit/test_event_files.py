"""What `countersign send` makes of files: any chunks, any shape of event, and clear refusals."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.cli.event_files import (
    MAX_LINE_BYTES,
    Entry,
    RefusedEventError,
    split,
    to_record,
    whole,
)
from countersign.core.identity import murmur2
from countersign.core.login import LoginAttempted
from countersign.wire.inbound import read_event
from countersign.wire.results import OutboundRecord
from countersign.wire.signatures import verify_event
from countersign.wire.signed_part import signed_part
from tests.builders import ACME, ALICE, a_login_record, login_data
from tests.signing import a_public_key, a_signer

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
KEY = f"{ACME}:{ALICE}".encode()
_BARE: dict[str, Any] = {
    "id": "login-1",
    "time": "2026-03-02T09:00:00Z",
    "tenant": {"id": ACME},
    **login_data(),
}
_STRUCTURED: dict[str, Any] = {
    "specversion": "1.0",
    "id": "login-1",
    "source": "https://shop.example.com",
    "type": "countersign.login.attempted.v1",
    "time": "2026-03-02T09:00:00Z",
    "tenantid": ACME,
    "data": login_data(),
}


async def _read(chunks: Sequence[bytes], *, document: bool = False) -> list[Entry]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    entries = whole(stream()) if document else split(stream())
    return [entry async for some in entries for entry in some]


def _record(event: object, *, raw: bool = False) -> OutboundRecord:
    text = event if isinstance(event, bytes) else json.dumps(event).encode()
    return to_record("login-events", Entry(1, text), raw=raw)


@given(
    st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    st.lists(st.integers(0, 80), max_size=6),
)
async def test_lines_come_out_whole_however_they_are_chunked(
    texts: list[bytes], cuts: list[int]
) -> None:
    """The entries are the lines with their numbers, wherever the chunks are cut, without the empty ones."""
    data = b"\n".join(texts)
    marks = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    chunks = [data[start:end] for start, end in pairwise(marks)]
    expected = [Entry(number, text.strip()) for number, text in enumerate(texts, 1) if text.strip()]
    assert await _read(chunks) == expected


@pytest.mark.parametrize(
    "event",
    [
        _BARE,
        _STRUCTURED,
        {
            "headers": {name: text.decode() for name, text in a_login_record().headers},
            "value": login_data(),
        },
    ],
)
def test_an_event_of_any_shape_can_be_signed(event: dict[str, Any]) -> None:
    """It is sent with a signature that holds; what is signed already is refused."""
    text = json.dumps(event).encode()
    record = to_record("login-events", Entry(1, text), raw=False, signer=a_signer())
    verify_event(signed_part(record.value or b"", record.headers, ACME), [a_public_key()])
    assert read_event(record.key, record.value, record.headers).subject == ALICE
    signed_already = {**_STRUCTURED, "signature": "a..b"}
    with pytest.raises(RefusedEventError, match="signed already"):
        to_record(
            "login-events",
            Entry(1, json.dumps(signed_already).encode()),
            raw=False,
            signer=a_signer(),
        )


async def test_an_overlong_line_is_refused_and_the_next_one_read() -> None:
    """A line beyond the limit is never kept whole, and doesn't shift the numbers of the lines after it."""
    chunk = b"x" * 65536
    entries = await _read([b"a\n", *[chunk] * 40, b"\nb\n"])
    assert entries == [Entry(1, b"a"), Entry(2, None), Entry(3, b"b")]
    with pytest.raises(RefusedEventError, match=str(MAX_LINE_BYTES)):
        to_record("login-events", entries[1], raw=True)


async def test_a_document_is_one_entry() -> None:
    """A .json file is one object over many lines; too large a one is refused unread."""
    text = json.dumps(_BARE, indent=2).encode()
    assert await _read([text[:20], text[20:] + b"\n"], document=True) == [Entry(1, text)]
    assert await _read([b"x" * MAX_LINE_BYTES, b"x"], document=True) == [Entry(1, None)]


@pytest.mark.parametrize("event", [_BARE, _STRUCTURED, {"value": _BARE}])
def test_bare_structured_and_whole_events_become_records(event: dict[str, Any]) -> None:
    """Each form gets the key that it has to have, and reads back as the login."""
    record = _record(event)
    assert record.key == KEY
    assert record.key_hash == murmur2(KEY)
    read = read_event(record.key, record.value, record.headers)
    assert isinstance(read, LoginAttempted)
    assert read.subject == ALICE


def test_a_binary_record_keeps_its_headers_and_gets_its_key_from_them() -> None:
    """The tenant of a CloudEvent in the binary form is in its headers."""
    came = a_login_record()
    headers = {name: text.decode() for name, text in came.headers}
    record = _record({"headers": headers, "value": json.loads(came.value or b"")})
    assert record.key == KEY
    assert list(record.headers) == list(came.headers)


def test_bytes_are_sent_as_they_stand() -> None:
    """Odd spacing, key order and number spelling survive: the same line is the same event."""
    text = json.dumps(_BARE).replace(": ", " :  ").encode()
    assert _record(text).value == text
    assert _record(b'{"value": ' + text + b' , "about": "x"}').value == text


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (b'{"user":', "JSON object a line"),
        (b"[1]", "JSON object a line"),
        (b"\xff", "JSON object a line"),
        ({**_BARE, "id": ""}, "id: "),
        ({**_BARE, "tenant": None}, "tenantid is missing"),
        ({**_BARE, "user": {}}, "user.user_id is missing"),
        ({"key": "acme:bob", "value": _BARE}, "key is not tenant:user_id"),
        ({"key": None, "value": _BARE}, "key is not tenant:user_id"),
        ({"value": None}, "no value"),
        ({"value": _BARE, "colour": "red"}, "a record has key, headers"),
        ({"value": _BARE, "headers": {"ce_id": 7}}, "header 'ce_id'"),
        ({"value_base64": "!"}, "value_base64 is not base64"),
        ({"headers": {"a": {"base64": "!"}}, "value": _BARE}, "header 'a' is not base64"),
    ],
)
def test_a_refusal_says_what_and_what_to_do(event: object, says: str) -> None:
    """What is no event is refused with the field and the remedy, before anything is sent."""
    with pytest.raises(RefusedEventError, match=says):
        _record(event)


@given(st.binary(max_size=60) | st.from_regex(rb'\{"(value|user|headers|key)": ?[^"]{0,5}\}'))
def test_any_line_is_a_record_or_refused(text: bytes) -> None:
    """Whatever a line holds, it is sent or refused, raw or not."""
    for raw in (True, False):
        try:
            _record(text, raw=raw)
        except RefusedEventError:
            continue


def test_raw_sends_what_no_service_takes() -> None:
    """Without checks a broken line is sent as it is, and a record in full as it says."""
    assert _record(b'{"user":', raw=True) == ("login-events", None, b'{"user":', [], None)
    record = _record({"key": "k", "value_base64": "//8="}, raw=True)
    assert (record.key, record.value) == (b"k", b"\xff\xff")
    assert _record({"value_text": "{"}, raw=True).value == b"{"


def _examples(kind: str) -> list[Path]:
    found = sorted(EXAMPLES.glob(f"*/{kind}/*.json"))
    others = {"action", "dead-letter", "result", "settings"}
    events = [path for path in found if path.parts[-3] not in others]
    return [path for path in events if "stands_for" not in json.loads(path.read_text())]


@pytest.mark.parametrize("path", _examples("valid"), ids=lambda path: path.stem)
def test_the_valid_examples_can_be_sent(path: Path) -> None:
    """Each valid event of schemas/examples is sent with its own key, value and headers."""
    said = json.loads(path.read_text())
    record = to_record("login-events", Entry(1, path.read_bytes()), raw=False)
    assert (record.key or b"").decode() == said["key"]
    if "value_text" in said:
        assert record.value == said["value_text"].encode()
    else:
        assert msgspec.json.decode(record.value or b"") == said["value"]


@pytest.mark.parametrize("path", _examples("invalid"), ids=lambda path: path.stem)
def test_the_invalid_examples_are_refused_unless_raw(path: Path) -> None:
    """Each invalid event of schemas/examples is refused, and `--raw` sends it all the same."""
    entry = Entry(1, path.read_bytes())
    if not json.loads(path.read_text()).get("lenient"):
        with pytest.raises(RefusedEventError):
            to_record("login-events", entry, raw=False)
    assert to_record("login-events", entry, raw=True).topic == "login-events"
