"""Writes and reads dead letters: the original record untouched, and headers that say what and why."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import murmur2
from countersign.wire.results import OutboundRecord

# A tenant's 63 characters, a colon, and a subject's 512 in UTF-8. A longer key is nobody's, so it has no
# order to keep, and is neither hashed nor kept in the hash's cache.
_LONGEST_KEY = 63 + 1 + 4 * 512

PREFIX = "dlq_"
"""Starts the name of every header that a dead letter gets on top of the original's own."""

MAX_ORIGINAL_BYTES = 1_048_588
"""The largest original that a dead letter holds: Kafka's default for a whole batch, uncompressed."""


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
        omitted: whether key, value and headers were left out, since no dead letter could hold them;
            the original still stands at its place, for as long as its topic keeps it.
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
    omitted: bool = False


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
    if _bytes(letter) > MAX_ORIGINAL_BYTES:
        # A compressed batch can hold it where a dead letter can't; stuck on it, the partition would be.
        headers = _encoded({**added, "omitted": "key, value and headers"})
        return OutboundRecord(topic, None, None, headers, None)
    headers = [*letter.headers, *_encoded(added)]
    key = letter.key
    key_hash = murmur2(key) if key is not None and len(key) <= _LONGEST_KEY else None
    return OutboundRecord(topic, letter.key, letter.value, headers, key_hash)


def _bytes(letter: DeadLetter) -> int:
    named = sum(len(name.encode()) + len(text or b"") for name, text in letter.headers)
    return len(letter.key or b"") + len(letter.value or b"") + named


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
    omitted = bool(headers) and headers[-1][0] == _OMITTED
    count = _ADDED + omitted
    added = dict(headers[-count:])
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
            headers=tuple(headers[:-count]),
            omitted=omitted,
        )
    except (AttributeError, KeyError, ValueError) as error:  # a header's value may be null
        raise InvalidEventError(
            Defect.INVALID_HEADERS, "the record is no dead letter; its dlq_ headers are missing"
        ) from error


_ADDED = 6
_OMITTED = PREFIX + "omitted"
