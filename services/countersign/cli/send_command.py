"""`countersign send`: login events from files onto the bus."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from cyclopts import Parameter
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.cli.app import FAILED, OK
from countersign.cli.event_files import Entry, RefusedEventError, split, to_record, whole
from countersign.cli.output import answers, notes
from countersign.cli.session import begin
from countersign.cli.shown import one_line
from countersign.cli.signing import chosen_signer
from countersign.core.errors import CountersignError
from countersign.wire.results import OutboundRecord
from countersign.wire.signed_part import Signer

_CHUNK: Final = 64 * 1024
_SHOWN_REFUSALS: Final = 20
_STDIN: Final = "-"


class _Refusal(NamedTuple):
    line: int
    error: RefusedEventError


def _check_file(_type: object, file: str) -> None:
    if file.startswith("-") and file != _STDIN:
        message = f"There is no option {file}. For a file of that name write ./{file}"
        raise ValueError(message)


async def send(
    *files: Annotated[
        str, Parameter(required=True, allow_leading_hyphen=True, validator=_check_file)
    ],
    raw: Annotated[bool, Parameter(negative=())] = False,
    sign: Path | None = None,
    kid: str | None = None,
) -> int:
    """Publish login events from files, and wait until Kafka has acknowledged them.

    A file has one JSON object a line; a file whose name ends in .json is one object. An object is a
    bare login event, a CloudEvent in the structured form, or a record in full with `key`, `headers` and
    `value`, as in schemas/examples. A key that is left out is made from the event. Lines that are no
    such event are told and left out, the others are sent.

    Args:
        files: What to send; - is standard input.
        raw: Don't check anything, as to see what becomes a dead letter.
        sign: Sign each event with this private key (PEM), for a tenant that takes signed ones alone.
        kid: What the tenant's settings call that key.
    """
    if raw and sign is not None:
        message = "--raw sends events as they stand, and --sign adds to them; give one of the two"
        raise CountersignError(message)
    signer = chosen_signer(sign, kid)
    settings = begin()
    topic = settings.login_events_topic
    publisher = KafkaPublisher(kafka_connection(settings))
    sent = refused = 0
    try:
        with _progress() as (progress, task):
            for file in files:
                async for entries in _entries(file, progress, task):
                    records, refusals = _sorted_out(topic, entries, raw=raw, signer=signer)
                    for refusal in refusals:
                        refused += 1
                        _tell(file, refusal, refused, progress)
                    await publisher.publish(records)
                    sent += len(records)
                    progress.update(task, sent=sent)
    finally:
        await publisher.close()
        answers().print(f"{_counted(sent, 'event')} sent to {topic}.")
    if refused:
        notes().print(f"Error: {_counted(refused, 'line')} left out; none of that was sent.")
    return FAILED if refused else OK


def _sorted_out(
    topic: str, entries: list[Entry], *, raw: bool, signer: Signer | None
) -> tuple[list[OutboundRecord], list[_Refusal]]:
    records, refusals = [], []
    for entry in entries:
        try:
            records.append(to_record(topic, entry, raw=raw, signer=signer))
        except RefusedEventError as error:
            refusals.append(_Refusal(entry.line, error))
    return records, refusals


async def _entries(file: str, progress: Progress, task: TaskID) -> AsyncIterator[list[Entry]]:
    """Return what stands in a file, bit by bit, and move the bar."""
    chunks = _standard_input() if file == _STDIN else _file(Path(file), progress, task)
    document = Path(file).suffix.lower() == ".json"
    async for entries in whole(chunks) if document else split(chunks):
        yield entries


async def _file(path: Path, progress: Progress, task: TaskID) -> AsyncIterator[bytes]:
    try:
        progress.update(task, total=_size(path), completed=0)
        for chunk in _chunks(path):
            yield chunk
            progress.advance(task, len(chunk))
    except OSError as error:
        message = (
            f"{one_line(str(path))} can't be read: {error.strerror}. Give a file, or - for input"
        )
        raise CountersignError(message) from error


def _size(path: Path) -> int:
    return path.stat().st_size


def _chunks(source: Path | int) -> Iterator[bytes]:
    with open(source, "rb", closefd=not isinstance(source, int)) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


async def _standard_input() -> AsyncIterator[bytes]:
    """Return what comes on standard input as soon as it comes, so that a pipe can be left open."""
    reader = asyncio.StreamReader()
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
    except ValueError:  # a regular file is no pipe
        for chunk in _chunks(sys.stdin.fileno()):
            yield chunk
        return
    try:
        while chunk := await reader.read(_CHUNK):
            yield chunk
    finally:
        transport.close()


@contextlib.contextmanager
def _progress() -> Iterator[tuple[Progress, TaskID]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[sent]} sent"),
    )
    console = notes()
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield progress, progress.add_task("Sending", total=None, sent=0)


def _tell(file: str, refusal: _Refusal, number: int, progress: Progress) -> None:
    if number <= _SHOWN_REFUSALS:
        text = one_line(f"{file}:{refusal.line}: {refusal.error}")
        progress.console.print(text)
    elif number == _SHOWN_REFUSALS + 1:
        progress.console.print("… further lines are counted only.")


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
