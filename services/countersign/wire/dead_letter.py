"""Writes and reads dead letters: the original record untouched, and headers that say what and why."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import murmur2
from countersign.wire.results import OutboundRecord

PREFIX = "dlq_"
"""Starts the name of every header that a dead letter gets on top of the original's own."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be taken, and why.

    Attributes:
        topic: where it stood.
        partition: its partition.
        offset: its offset.
        reason: what kind of defect it has.
        error_class: the exception's class.
        detail: the field and the remedy; holds no value of the event.
        key: the original key.
        value: the original value.
        headers: the original headers.
    """

    topic: str
    partition: int
    offset: int
    reason: Defect
    error_class: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def write_dead_letter(topic: str, letter: DeadLetter) -> OutboundRecord:
    """Return the record that goes to the dead letters' topic."""
    added = {
        "topic": letter.topic,
        "partition": str(letter.partition),
        "offset": str(letter.offset),
        "reason": letter.reason.value,
        "error_class": letter.error_class,
        "detail": letter.detail,
    }
    headers = [*letter.headers, *_encoded(added)]
    key_hash = murmur2(letter.key) if letter.key is not None else None
    return OutboundRecord(topic, letter.key, letter.value, headers, key_hash)


def _encoded(added: dict[str, str]) -> list[tuple[str, bytes]]:
    # A dead letter is the last resort, so no text may stop it.
    return [(PREFIX + name, text.encode(errors="replace")) for name, text in added.items()]


def read_dead_letter(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
) -> DeadLetter:
    """Return the dead letter that a record of the dead letters' topic holds.

    The headers that were added are the last ones of their names: a letter that was replayed and came
    back keeps its story.

    Raises:
        InvalidEventError: the headers don't make a dead letter.
    """
    added = dict(headers[-_ADDED:])
    try:
        return DeadLetter(
            topic=added[PREFIX + "topic"].decode(),
            partition=int(added[PREFIX + "partition"]),
            offset=int(added[PREFIX + "offset"]),
            reason=Defect(added[PREFIX + "reason"].decode()),
            error_class=added[PREFIX + "error_class"].decode(),
            detail=added[PREFIX + "detail"].decode(),
            key=key,
            value=value,
            headers=tuple(headers[:-_ADDED]),
        )
    except (AttributeError, KeyError, ValueError) as error:  # a header's value may be null
        raise InvalidEventError(
            Defect.INVALID_HEADERS, "the record is no dead letter; its dlq_ headers are missing"
        ) from error


_ADDED = 6
