"""`countersign dead-letters`: what could not be taken, why, and back onto the bus with it."""

from __future__ import annotations

import heapq
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Annotated, Final, NamedTuple

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.table import Table
from rich.text import Text

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.cli.app import FAILED, OK
from countersign.cli.output import answers, notes
from countersign.cli.session import begin
from countersign.cli.shown import inline, lines, one_line
from countersign.cli.stored_records import Place, StoredRecord, TopicReader, open_topic
from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import murmur2
from countersign.settings import Settings
from countersign.wire.dead_letter import DeadLetter, read_dead_letter
from countersign.wire.results import OutboundRecord

_BATCH: Final = 500
_WRONG_USAGE: Final = 2
_PLACE: Final = re.compile(r"(\d{1,9}):(\d{1,18})")


def _check_place(_type: object, text: str) -> None:
    if not _PLACE.fullmatch(text):
        message = "Write PARTITION:OFFSET, as the list does; 0:17 for example"
        raise ValueError(message)


PlaceText = Annotated[str, Parameter(validator=_check_place)]

app = App(
    name="dead-letters",
    help="""\
List, show and replay the events that no decider could take.

A dead letter is the event as it came, with the reason. Mend what the reason says, a tenant's missing
settings for example, and replay it.""",
)


class _Letter(NamedTuple):
    """A dead letter, and the record that it stands in."""

    record: StoredRecord
    letter: DeadLetter


@app.command(name="list")
async def list_(
    *,
    reason: Defect | None = None,
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 50,
) -> None:
    """List the newest dead letters, the newest last.

    Args:
        reason: Only those with this reason.
        limit: How many at most.
    """
    newest: list[tuple[datetime, Place, DeadLetter]] = []
    count = 0
    async with _opened(begin()) as topic:
        async for record, letter in _letters(topic, reason):
            count += 1
            heapq.heappush(newest, (record.time, record.place, letter))
            if len(newest) > limit:
                heapq.heappop(newest)
    table = Table(box=None, pad_edge=False)
    for heading in ("Place", "Since", "Reason", "Key", "Detail"):
        table.add_column(heading, overflow="fold")
    for time, place, letter in sorted(newest, key=lambda found: found[:2]):
        table.add_row(
            str(place),
            f"{time:%Y-%m-%dT%H:%M:%S}Z",
            letter.reason.value,
            inline(letter.key),
            one_line(letter.detail),
        )
    answers().print(table)
    notes().print(f"{len(newest):,} of {count:,} dead letters.")


@app.command
async def show(place: PlaceText, /) -> int:
    """Show one dead letter: why, and the event as it came.

    Args:
        place: PARTITION:OFFSET, as the list shows it.
    """
    async with _opened(begin()) as topic:
        found = await _letter(topic, place)
    if found is None:
        return FAILED
    record, letter = found
    facts = {
        "Reason": letter.reason.value,
        "Detail": letter.detail,
        "Error": letter.error_class,
        "Came from": f"{letter.topic}, {letter.partition}:{letter.offset}",
        "Since": record.time.isoformat(timespec="milliseconds"),
        "Key": inline(letter.key),
    }
    for name, text in facts.items():
        answers().print(Text.assemble((f"{name}: ", "bold"), one_line(text)))
    answers().print(Text("Headers:", "bold"))
    for name, value in letter.headers:
        answers().print(f"  {one_line(name)}: {inline(value)}")
    answers().print(Text("Value:", "bold"))
    for line in lines(letter.value) if letter.value is not None else ["(none)"]:
        answers().print(line)
    return OK


@app.command
async def replay(
    *places: PlaceText,
    every: Annotated[bool, Parameter(name="--all", negative=())] = False,
    reason: Defect | None = None,
) -> int:
    """Put dead letters back on the topic that they came from: same key, same value, same headers.

    They stay among the dead letters, too. To replay one again within the dedupe window does no harm: the
    decision that was recorded first stands.

    Args:
        places: PARTITION:OFFSET of each, as the list shows it.
        every: Replay all that stand there now.
        reason: With --all, only those with this reason.
    """
    if bool(places) == every or (reason is not None and not every):
        notes().print(
            "Error: name dead letters by PARTITION:OFFSET, or give --all [--reason REASON]."
        )
        return _WRONG_USAGE
    settings = begin()
    publisher = KafkaPublisher(kafka_connection(settings))
    left_out = replayed = 0
    try:
        async with _opened(settings) as topic:
            found = _letters(topic, reason) if every else _named(topic, places)
            async for batch in _batches(found):
                ready = [each for each in batch if _can_be_replayed(each, settings)]
                await publisher.publish([_original(each.letter) for each in ready])
                for each in ready:
                    answers().print(f"{each.record.place} is on {each.letter.topic} again.")
                replayed += len(ready)
                left_out += len(batch) - len(ready)
    finally:
        await publisher.close()
        notes().print(f"{replayed:,} replayed.")
    return FAILED if left_out or replayed < len(places) else OK


def _opened(settings: Settings) -> AbstractAsyncContextManager[TopicReader]:
    return open_topic(kafka_connection(settings), settings.dead_letters_topic)


async def _letters(topic: TopicReader, reason: Defect | None) -> AsyncIterator[_Letter]:
    """Return the dead letters that stand there now; what is none is told and passed over."""
    async for record in topic.to_the_end():
        found = _read(record)
        if found is not None and reason in {None, found.letter.reason}:
            yield found


async def _named(topic: TopicReader, places: Sequence[str]) -> AsyncIterator[_Letter]:
    for place in places:
        found = await _letter(topic, place)
        if found is not None:
            yield found


async def _letter(topic: TopicReader, text: str) -> _Letter | None:
    place = Place(*map(int, text.split(":")))
    record = await topic.at(place)
    if record is None:
        notes().print(
            f"Error: there is no dead letter at {place}; see `countersign dead-letters list`."
        )
        return None
    return _read(record)


def _read(record: StoredRecord) -> _Letter | None:
    try:
        return _Letter(record, read_dead_letter(record.key, record.value, record.headers))
    except InvalidEventError as error:
        notes().print(f"{record.place}: {error.detail}")
        return None


async def _batches(letters: AsyncIterator[_Letter]) -> AsyncIterator[list[_Letter]]:
    batch: list[_Letter] = []
    async for letter in letters:
        batch.append(letter)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _can_be_replayed(found: _Letter, settings: Settings) -> bool:
    place, letter = found.record.place, found.letter
    if letter.key is None and letter.value is None:
        notes().print(f"{place} has neither key nor value: there is nothing to replay.")
        return False
    if letter.topic != settings.login_events_topic:
        # Its headers name the topic, and nobody else's topic is to be written to.
        notes().print(
            f"{place} came from {one_line(letter.topic)}, and {settings.login_events_topic} is this"
            " process's topic. Where that is right, set COUNTERSIGN_LOGIN_EVENTS_TOPIC."
        )
        return False
    return True


def _original(letter: DeadLetter) -> OutboundRecord:
    key_hash = murmur2(letter.key) if letter.key is not None else None
    return OutboundRecord(letter.topic, letter.key, letter.value, list(letter.headers), key_hash)
