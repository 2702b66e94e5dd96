"""Dead letters: the original record untouched, and what was wrong with it beside it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import murmur2
from countersign.wire.dead_letter import (
    MAX_ORIGINAL_BYTES,
    PREFIX,
    DeadLetter,
    read_dead_letter,
    write_dead_letter,
)
from countersign.wire.inbound import read_event
from tests.builders import a_login_record

TOPIC = "login-events-dlq"


def a_dead_letter(**changes: Any) -> DeadLetter:  # noqa: ANN401  # DeadLetter's own fields
    """Return the dead letter of a record that was cut off."""
    record = a_login_record()
    fields: dict[str, Any] = {
        "topic": "login-events",
        "partition": 3,
        "offset": 42,
        "reason": Defect.NOT_JSON,
        "error_class": "InvalidEventError",
        "detail": "Input data was truncated; send one JSON object in UTF-8",
        "key": record.key,
        "value": b'{"user"',
        "headers": tuple(record.headers),
    }
    return DeadLetter(**{**fields, **changes})


letters = st.builds(
    DeadLetter,
    topic=st.text(min_size=1, max_size=20),
    partition=st.integers(0, 2**31 - 1),
    offset=st.integers(0, 2**63 - 1),
    reason=st.sampled_from(Defect),
    error_class=st.text(max_size=20),
    detail=st.text(max_size=80),
    key=st.one_of(st.none(), st.binary(max_size=40)),
    value=st.one_of(st.none(), st.binary(max_size=60)),
    headers=st.lists(
        st.tuples(
            st.one_of(st.text(max_size=8), st.sampled_from((PREFIX + "topic", PREFIX + "offset"))),
            st.binary(max_size=8),
        ),
        max_size=8,
    ).map(tuple),
)


@pytest.mark.law(1)
@given(letters)
def test_a_dead_letter_is_read_as_it_was_written(letter: DeadLetter) -> None:
    """Law 1: key, value and headers come back untouched, with place and reason."""
    record = write_dead_letter(TOPIC, letter)
    assert (record.topic, record.key, record.value) == (TOPIC, letter.key, letter.value)
    assert read_dead_letter(record.key, record.value, record.headers) == letter


def test_a_dead_letter_has_these_headers() -> None:
    """Operators filter on them, so their names and forms stay."""
    letter = a_dead_letter()
    record = write_dead_letter(TOPIC, letter)
    assert list(record.headers) == [
        *letter.headers,
        ("dlq_topic", b"login-events"),
        ("dlq_partition", b"3"),
        ("dlq_offset", b"42"),
        ("dlq_reason", b"not_json"),
        ("dlq_error_class", b"InvalidEventError"),
        ("dlq_detail", b"Input data was truncated; send one JSON object in UTF-8"),
    ]


def test_a_letter_that_came_back_keeps_its_story() -> None:
    """Replayed and refused again, a letter has both stories, and the last one counts."""
    first = write_dead_letter(TOPIC, a_dead_letter())
    again = a_dead_letter(
        topic="login-events", offset=99, reason=Defect.KEY_MISMATCH, headers=tuple(first.headers)
    )
    record = write_dead_letter(TOPIC, again)
    letter = read_dead_letter(record.key, record.value, record.headers)
    assert (letter.offset, letter.reason) == (99, Defect.KEY_MISMATCH)
    before = read_dead_letter(letter.key, letter.value, letter.headers)
    assert before == a_dead_letter()


def test_a_repaired_letter_can_be_replayed_as_it_stands() -> None:
    """The added headers don't stand in the reader's way."""
    good = a_login_record()
    record = write_dead_letter(
        TOPIC, a_dead_letter(key=good.key, value=good.value, headers=tuple(good.headers))
    )
    assert read_event(record.key, record.value, record.headers) == read_event(*good)


@pytest.mark.law(3)
def test_a_users_dead_letters_keep_to_one_partition() -> None:
    """Law 3: a letter's key chooses its partition, as it did before; no key goes anywhere."""
    assert write_dead_letter(TOPIC, a_dead_letter()).key_hash == murmur2(b"acme:auth0|alice")
    assert write_dead_letter(TOPIC, a_dead_letter(key=None)).key_hash is None
    assert write_dead_letter(TOPIC, a_dead_letter(key=b"k" * 100_000)).key_hash is None


@pytest.mark.law(1)
def test_no_text_stops_a_dead_letter() -> None:
    """Law 1: an exception's text that is no UTF-8 is written with marks in its place."""
    record = write_dead_letter(TOPIC, a_dead_letter(error_class="E\ud800", detail="\udfff!"))
    letter = read_dead_letter(record.key, record.value, record.headers)
    assert (letter.error_class, letter.detail) == ("E?", "?!")


GOOD = write_dead_letter(TOPIC, a_dead_letter())


@pytest.mark.parametrize(
    "headers",
    [
        [],
        list(GOOD.headers)[:-1],
        [*list(GOOD.headers)[:-1], ("other", b"x")],
        [*list(GOOD.headers), ("other", b"x")],
        [(name, b"\xff") for name, _ in GOOD.headers],
        [(name, None) for name, _ in GOOD.headers],
        [(name, b"-" if name == "dlq_offset" else text) for name, text in GOOD.headers],
        [(name, b"unheard" if name == "dlq_reason" else text) for name, text in GOOD.headers],
    ],
)
def test_what_is_no_dead_letter_is_refused(headers: list[tuple[str, bytes]]) -> None:
    """A record that was not written as a dead letter is not taken for one."""
    with pytest.raises(InvalidEventError, match="no dead letter"):
        read_dead_letter(b"key", b"value", headers)


@pytest.mark.law(1)
def test_an_original_that_no_dead_letter_holds_is_left_where_it_is() -> None:
    """Law 1: a record of more than Kafka's batch becomes a dead letter that names its place alone."""
    letter = a_dead_letter(value=b"x" * (MAX_ORIGINAL_BYTES + 1))
    record = write_dead_letter(TOPIC, letter)
    assert (record.key, record.value) == (None, None)
    read = read_dead_letter(record.key, record.value, record.headers)
    assert read.omitted
    assert (read.topic, read.partition, read.offset) == ("login-events", 3, 42)
    assert read.reason is Defect.NOT_JSON


def test_a_sender_can_not_pretend_an_omission() -> None:
    """A header of the sender's own by that name is the original's, and omits nothing."""
    letter = a_dead_letter(headers=((PREFIX + "omitted", b"all"),))
    record = write_dead_letter(TOPIC, letter)
    assert read_dead_letter(record.key, record.value, record.headers) == letter
