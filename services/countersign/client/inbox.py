"""Matches the results on the bus with the calls that wait for them. No I/O; one thread.

Law: a call is answered by a result that names its event and its user, and by nothing else. A result is
decoded only where a call waits for it or it denies one of this relying party's logins; every other one,
most of them other relying parties', is skipped by its headers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from countersign.client.answers import read_answer
from countersign.core.errors import InvalidEventError, NoAnswerError
from countersign.core.identity import EventIdentity
from countersign.core.result import ResultType
from countersign.wire.forms import Headers
from countersign.wire.results import OutboundRecord, Result, cause

REMEMBERED_DENIALS = 10_000
"""How many outcomes that deny are remembered for a call that comes after them; about 1 kB each."""

_DENIALS = {
    f"countersign.{kind.value}.v1".encode()
    for kind in (
        ResultType.CHALLENGE_DENIED,
        ResultType.CHALLENGE_EXPIRED,
        ResultType.CHALLENGE_FAILED,
    )
}

_logger = logging.getLogger(__name__)


class Counts(msgspec.Struct):
    """What the inbox has done with the results that came.

    Attributes:
        answered: calls that got their answer.
        skipped: results that nobody here waits for: other relying parties', and repeats.
        malformed: results that were refused: not Countersign's, of a later version, or of another user.
    """

    answered: int = 0
    skipped: int = 0
    malformed: int = 0


class Call:
    """One call that waits.

    Args:
        record: what it publishes.
        subject: the user that the result has to name.
        decision: whether a decision answers it; if not, only an outcome does.

    Attributes:
        answer: the result, or why none will come.
    """

    def __init__(self, record: OutboundRecord, subject: str, *, decision: bool) -> None:
        self.record = record
        self.subject = subject
        self.decision = decision
        self.answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def fail_with(self, publishing: asyncio.Task[None]) -> None:
        """End with the error of the publication, if it had one and no answer came before."""
        error = None if publishing.cancelled() else publishing.exception()
        if error is not None and not self.answer.done():
            self.answer.set_exception(error)


class Inbox:
    """The calls in flight, and the denials that came before anybody asked.

    Args:
        source: the relying party's; results for other sources are none of its business.
        remembered_denials: how many denials are remembered.
    """

    def __init__(self, source: str, remembered_denials: int = REMEMBERED_DENIALS) -> None:
        self.counts = Counts()
        self._source = source
        self._most = remembered_denials
        self._calls: dict[EventIdentity, list[Call]] = {}
        self._denials: OrderedDict[EventIdentity, Result] = OrderedDict()

    def __len__(self) -> int:
        """Return how many calls wait."""
        return sum(len(calls) for calls in self._calls.values())

    @contextmanager
    def waiting(self, identity: EventIdentity, call: Call) -> Iterator[None]:
        """Let a call wait for an event's result; it is gone with the context, however that ends."""
        self._calls.setdefault(identity, []).append(call)
        try:
            yield
        finally:
            calls = self._calls[identity]
            calls.remove(call)
            if not calls:
                del self._calls[identity]
            if not call.answer.cancel() and not call.answer.cancelled():
                call.answer.exception()  # somebody has to look at it, or asyncio complains

    def asked(self, identity: EventIdentity) -> OutboundRecord | None:
        """Return the login event that a call is asking about under this id, if one is."""
        calls = self._calls.get(identity, ())
        return next((call.record for call in calls if call.decision), None)

    def denial(self, identity: EventIdentity, subject: str) -> Result | None:
        """Return the outcome that denied a login of this user, if it came and is still remembered.

        An allow is never answered from memory: it belongs to one browser's return with its code.
        """
        result = self._denials.get(identity)
        return result if result is not None and result.body.subject == subject else None

    def take(self, value: bytes | None, headers: Headers) -> None:
        """Take a record of the results' topic; whatever it holds, this doesn't raise."""
        identity = cause(headers)
        if identity is None:
            self.counts.skipped += 1
            return
        calls = self._calls.get(identity, ())
        news = self._is_news(identity, headers)
        if not calls and not news:
            self.counts.skipped += 1
            return
        try:
            result = read_answer(value, headers)
        except InvalidEventError as error:
            self._refuse(identity, error.detail)
            return
        if news:
            self._remember(identity, result)
        for call in calls:
            self._answer(call, identity, result)

    def close(self) -> None:
        """Tell every call that waits that no answer will come."""
        for calls in self._calls.values():
            for call in calls:
                if not call.answer.done():
                    message = "the client was closed before a result came; don't allow the login"
                    call.answer.set_exception(NoAnswerError(message))

    def _answer(self, call: Call, identity: EventIdentity, result: Result) -> None:
        if call.answer.done() or not (call.decision or _is_outcome(result)):
            self.counts.skipped += 1
        elif result.body.subject != call.subject:
            self._refuse(identity, "it names another user")
        else:
            call.answer.set_result(result)
            self.counts.answered += 1

    def _is_news(self, identity: EventIdentity, headers: Headers) -> bool:
        """Say whether a result is a denial of one of our logins, not yet remembered."""
        return (
            identity.source == self._source
            and identity not in self._denials
            and dict(headers).get("ce_type") in _DENIALS
        )

    def _remember(self, identity: EventIdentity, denial: Result) -> None:
        self._denials[identity] = denial
        if len(self._denials) > self._most:
            self._denials.popitem(last=False)

    def _refuse(self, identity: EventIdentity, why: str) -> None:
        self.counts.malformed += 1
        # Only ids and a reason without values (law 9); a result that can't be read is no answer.
        _logger.warning(
            "a result was refused: tenant=%r event_id=%r: %s",
            identity.tenant,
            identity.event_id,
            why,
        )


def _is_outcome(result: Result) -> bool:
    return result.type.value.startswith("challenge.")
