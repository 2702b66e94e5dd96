"""Whatever becomes a dead letter is as the schema says, and reads back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.core.errors import Defect, InvalidEventError
from countersign.wire.dead_letter import (
    MAX_ORIGINAL_BYTES,
    DeadLetter,
    read_dead_letter,
    write_dead_letter,
)
from tests.contract import schema_files as files
from tests.contract.schema_files import complaints
from tests.contract.schema_records import Example, Record, examples, headers_object

unhurried = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def _complaints(record: Record) -> list[str]:
    return complaints(files.DEAD_LETTER, headers_object(record.headers))


@pytest.mark.parametrize("example", examples("dead-letter", "valid"))
def test_a_valid_example_is_read(example: Example) -> None:
    """The schema accepts it; the reader gives back the record that it was."""
    assert _complaints(example.record) == []
    letter = read_dead_letter(*example.record)
    assert (letter.key, letter.value) == (example.record.key, example.record.value)
    added = 7 if letter.omitted else 6
    assert letter.headers == tuple(example.record.headers[:-added])


def test_a_dead_letter_without_its_original_is_as_the_schema_says() -> None:
    """Of a record that no dead letter can hold the story alone is published, and comes back."""
    (example,) = (
        each.values[0] for each in examples("dead-letter", "valid") if each.id == "omitted"
    )
    story = read_dead_letter(*example.record)
    whole = msgspec.structs.replace(story, value=bytes(MAX_ORIGINAL_BYTES + 1), omitted=False)
    record = write_dead_letter("login-events-dlq", whole)
    assert Record(record.key, record.value, record.headers) == example.record
    assert story.omitted


@pytest.mark.parametrize("example", examples("dead-letter", "invalid"))
def test_an_invalid_example_is_refused(example: Example) -> None:
    """The schema refuses it; the reader names its defect, or takes what the example calls lenient."""
    assert _complaints(example.record) != []
    if example.defect is None:
        assert example.lenient
        read_dead_letter(*example.record)
        return
    with pytest.raises(InvalidEventError) as refused:
        read_dead_letter(*example.record)
    assert refused.value.defect is example.defect


_texts = st.text(st.characters(codec="utf-8"), max_size=20)
_names = st.one_of(
    _texts, st.sampled_from(["dlq_topic", "dlq_reason", "dlq_omitted", "ce_id", "content-type"])
)
_letters = st.builds(
    DeadLetter,
    topic=st.from_regex(r"[a-zA-Z0-9._-]{1,40}", fullmatch=True),
    partition=st.integers(0, 2**31 - 1),
    offset=st.integers(0, 2**63 - 1),
    reason=st.sampled_from(Defect),
    error_class=st.from_regex(r"[A-Z][A-Za-z]{0,20}", fullmatch=True),
    detail=_texts,
    key=st.one_of(st.none(), st.binary(max_size=20)),
    value=st.one_of(st.none(), st.binary(max_size=20)),
    headers=st.lists(st.tuples(_names, st.binary(max_size=20)), max_size=4).map(tuple),
)


@unhurried
@given(_letters)
def test_every_dead_letter_is_published_as_the_schema_says(letter: DeadLetter) -> None:
    """Whatever the record was, its dead letter is valid, and the record and the story come back."""
    record = write_dead_letter("login-events-dlq", letter)
    assert _complaints(Record(record.key, record.value, record.headers)) == []
    assert read_dead_letter(record.key, record.value, record.headers) == letter
