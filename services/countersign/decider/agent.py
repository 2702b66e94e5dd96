"""A batch: read, cut into waves, judged, published.

Law 1: each record ends as one decision or one dead letter. Law 4: this returns only when the broker
has acknowledged every one of them. An unexpected exception is narrowed down to the events that cause
it, and those alone become dead letters, up to a limit.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple

import structlog

from countersign.core.errors import Defect, InvalidEventError, UnavailableError
from countersign.decider.channel import BusRecord
from countersign.decider.judge import Answer, Decided, Forgotten, Judge, Settled
from countersign.decider.limit import DeadLetterLimit
from countersign.decider.metrics import Metrics
from countersign.decider.proof import needs_proof, verify
from countersign.decider.waves import Entry, cut_into_waves
from countersign.logs import where_it_failed
from countersign.ports import Clock, Publisher, Store, TenantDirectory
from countersign.wire.dead_letter import DeadLetter, write_dead_letter
from countersign.wire.inbound import read_event
from countersign.wire.results import OutboundRecord, write_result

log = structlog.get_logger(__name__)

_PART = 125
"""Events that are judged together; a wave's users differ, so its parts may overtake each other."""
_AT_ONCE = 50
"""Signatures that are verified in one go; each takes some hundred microseconds."""


class Unexpected(NamedTuple):
    """An event that this program failed on, by a fault of its own."""

    error: Exception


class Topics(NamedTuple):
    """Where the answers go."""

    results: str
    dead_letters: str


class BatchHandler:
    """Handles batches, one at a time.

    Args:
        judge: answers the waves.
        store: is told which outcomes are on the bus.
        publisher: the way onto the bus.
        tenants: the tenants' settings.
        topics: where the answers go.
        limit: how many unexpected failures become dead letters.
        metrics: what is counted.
        clock: the time.
    """

    def __init__(  # noqa: PLR0913  # everything that a batch passes through
        self,
        *,
        judge: Judge,
        store: Store,
        publisher: Publisher,
        tenants: TenantDirectory,
        topics: Topics,
        limit: DeadLetterLimit,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._judge = judge
        self._store = store
        self._publisher = publisher
        self._tenants = tenants
        self._topics = topics
        self._limit = limit
        self._metrics = metrics
        self._clock = clock

    async def handle(self, records: Sequence[BusRecord]) -> None:
        """Answer every record of a batch, and see the answers acknowledged.

        Raises:
            UnavailableError: the store or the bus is out of reach; handle the batch again.
            DeadLetterLimitError: too many unexpected failures; take no more events.
        """
        started = perf_counter()
        answers: list[Answer | Unexpected | None] = [None] * len(records)
        for wave in cut_into_waves(await self._read(records, answers)):
            for place, answer in await self._answered(wave):
                answers[place] = answer
        failures = [answer for answer in answers if isinstance(answer, Unexpected)]
        self._refuse_too_many(failures, len(records))
        outbound = [
            written
            for record, answer in zip(records, answers, strict=True)
            for written in self._written(record, answer)
        ]
        await self._publisher.publish(outbound)
        await self._store.published(
            [answer.challenge.id for answer in answers if isinstance(answer, Settled)]
        )
        # Last, since an outage in any step before has the whole batch come again.
        self._limit.charge(len(failures), self._clock())
        self._count(answers, perf_counter() - started)

    async def _read(
        self, records: Sequence[BusRecord], answers: list[Answer | Unexpected | None]
    ) -> Iterable[Entry]:
        """Return the events, and answer the records that hold none."""
        events = []
        for place, record in enumerate(records):
            try:
                events.append((place, read_event(record.key, record.value, record.headers)))
            except InvalidEventError as error:
                answers[place] = error
            except Exception as error:  # noqa: BLE001  # one event's failure is not its neighbours'
                _tell(error)
                answers[place] = Unexpected(error)
        for kind, count in Counter(type(event).__name__ for _, event in events).items():
            self._metrics.events.labels(kind).inc(count)
        if any(self._tenants.get(event.identity.tenant) is None for _, event in events):
            # Settings published a moment ago count: a tenant is unknown only past the topic's end.
            await self._tenants.catch_up()
        entries = [Entry(p, event, self._tenants.get(event.identity.tenant)) for p, event in events]
        if not any(_needs_proof(entry) for entry in entries):
            return entries
        return await self._proven(records, entries, answers)

    async def _proven(
        self,
        records: Sequence[BusRecord],
        entries: Sequence[Entry],
        answers: list[Answer | Unexpected | None],
    ) -> Iterable[Entry]:
        """Return the events whose sender is known, and answer the others before anything is stored."""
        proven, verified = [], 0
        for entry in entries:
            tenant = entry.tenant
            if tenant is not None and needs_proof(entry.event, tenant):
                verified += 1
                if verified % _AT_ONCE == 0:
                    await asyncio.sleep(0)  # whoever else waits for this process has a turn
                try:
                    verify(records[entry.place], entry.event, tenant)
                except InvalidEventError as error:
                    answers[entry.place] = error
                    continue
                except Exception as error:  # noqa: BLE001  # as in `_read`
                    _tell(error)
                    answers[entry.place] = Unexpected(error)
                    continue
            proven.append(entry)
        return proven

    async def _answered(self, wave: Sequence[Entry]) -> list[tuple[int, Answer | Unexpected]]:
        """Answer a wave by parts: while the store works on one, the next is made ready here."""
        parts = [wave[first : first + _PART] for first in range(0, len(wave), _PART)]
        answered = await asyncio.gather(*map(self._judged, parts), return_exceptions=True)
        for part in answered:
            if isinstance(part, BaseException):
                raise part
        return [one for part in answered if not isinstance(part, BaseException) for one in part]

    async def _judged(self, wave: Sequence[Entry]) -> Iterable[tuple[int, Answer | Unexpected]]:
        try:
            return await self._judge.answer(wave)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it is one event's alone
            if len(wave) == 1:
                _tell(error)
                return [(wave[0].place, Unexpected(error))]
            # Judging again is safe: what was recorded already stands.
            log.warning("wave_failed_unexpectedly", error_class=type(error).__name__)
            return [answer for entry in wave for answer in await self._judged([entry])]

    def _refuse_too_many(self, failures: Sequence[Unexpected], count: int) -> None:
        if failures:
            self._limit.check(len(failures), self._clock(), failures[-1].error)
            log.error("dead_letters_of_our_own_making", count=len(failures), of=count)

    def _written(
        self, record: BusRecord, answer: Answer | Unexpected | None
    ) -> Iterator[OutboundRecord]:
        match answer:
            case Decided(event, decision):
                yield write_result(
                    self._topics.results,
                    event.identity,
                    event.subject,
                    event.event.client.client_id,
                    decision,
                    traceparent=decision.traceparent,
                )
            case Settled(challenge, outcome):
                yield write_result(
                    self._topics.results,
                    challenge.identity,
                    challenge.subject,
                    challenge.client_id,
                    outcome,
                    traceparent=challenge.traceparent,
                )
            case Forgotten():
                return
            case InvalidEventError():
                yield self._dead_letter(record, answer.defect, answer, answer.detail)
            case Unexpected(error):
                detail = "Countersign failed on it; replay it once that is mended"
                yield self._dead_letter(record, Defect.UNEXPECTED, error, detail)
            case None:
                message = "an event went through without an answer"
                raise AssertionError(message)

    def _dead_letter(
        self, record: BusRecord, defect: Defect, error: Exception, detail: str
    ) -> OutboundRecord:
        letter = DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=defect,
            error_class=type(error).__name__,
            detail=detail,
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
        )
        return write_dead_letter(self._topics.dead_letters, letter)

    def _count(self, answers: Sequence[Answer | Unexpected | None], seconds: float) -> None:
        self._metrics.batch_seconds.observe(seconds)
        self._metrics.batch_events.observe(len(answers))
        results: Counter[tuple[str, str]] = Counter()
        dead_letters: Counter[str] = Counter()
        for answer in answers:
            match answer:
                case Decided(_, ruling) | Settled(_, ruling):
                    results[ruling.type.value, ruling.reason.value] += 1
                case InvalidEventError():
                    dead_letters[answer.defect.value] += 1
                case Unexpected():
                    dead_letters[Defect.UNEXPECTED.value] += 1
                case _:
                    pass
        for (kind, reason), count in results.items():
            self._metrics.results.labels(kind, reason).inc(count)
        for reason, count in dead_letters.items():
            self._metrics.dead_letters.labels(reason).inc(count)


def _needs_proof(entry: Entry) -> bool:
    return entry.tenant is not None and needs_proof(entry.event, entry.tenant)


def _tell(error: Exception) -> None:
    log.error(
        "event_failed_unexpectedly",
        error_class=type(error).__name__,
        where=where_it_failed(error),
    )
