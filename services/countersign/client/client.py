"""For relying parties: ask whether a login needs MFA, and settle it when the browser is back.

Law: a login is allowed only by an answer that says so. Silence, an outage, a closed client and a result
that can't be understood all end in an error.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topic_layout import TopicNames
from countersign.client.answers import LoginDecision, LoginOutcome, decision_of, outcome_of
from countersign.client.asking import answered, in_seconds
from countersign.client.bus import Bus, KafkaBus
from countersign.client.inbox import Call, Counts, Inbox
from countersign.core.errors import BusUnavailableError, Defect, InvalidEventError, NoAnswerError
from countersign.core.identity import EventIdentity
from countersign.core.login import PostLoginEvent
from countersign.wire.outbound_events import (
    signed,
    write_browsers_forget,
    write_login_attempted,
    write_login_returned,
)
from countersign.wire.results import OutboundRecord, Result
from countersign.wire.signed_part import Signer

ANSWER_TIMEOUT = timedelta(seconds=5)
"""How long a call waits for its answer, where it doesn't say otherwise."""

_CLOSED = "the client is not open; use it inside `async with`, and don't allow the login"


def _new_event_id() -> str:
    return str(uuid.uuid4())


def _now() -> datetime:
    return datetime.now(UTC)


class CountersignClient:
    """A relying party's connection to Countersign; one for a process serves all of its logins.

    Use it as an asynchronous context manager. Every method may be called by many tasks at once.

    Args:
        connection: how to reach Kafka; a string is its bootstrap address, without TLS.
        source: names the relying party, as a URI; the same in all of its processes, since results
            are told apart by it.
        tenant: whose rules decide, where a call doesn't name another.
        topics: what the topics are called.
        signer: signs each event, where the tenant takes signed ones alone; `client.signing` has one.
        new_event_id: makes the ids of events; they must never repeat.
        now: the time.
        bus: makes the way onto the bus; for tests without a Kafka.
    """

    def __init__(  # noqa: PLR0913  # what a relying party is made of, and what tests replace
        self,
        connection: KafkaConnection | str,
        *,
        source: str,
        tenant: str,
        topics: TopicNames | None = None,
        signer: Signer | None = None,
        new_event_id: Callable[[], str] = _new_event_id,
        now: Callable[[], datetime] = _now,
        bus: Callable[[KafkaConnection, TopicNames], Bus] = KafkaBus,
    ) -> None:
        if isinstance(connection, str):
            connection = KafkaConnection(bootstrap=connection)
        self._source = source
        self._tenant = tenant
        self._topics = topics or TopicNames()
        self._signer = signer
        self._new_event_id = new_event_id
        self._now = now
        self._inbox = Inbox(source)
        self._make_bus = partial(bus, connection, self._topics)
        self._bus: Bus | None = None  # None = not open

    async def __aenter__(self) -> Self:
        """Connect; from here on no result is missed.

        Raises:
            BusUnavailableError: Kafka can't be reached, or lacks a topic.
            SettingsError: the connection's certificates can't be used.
        """
        bus = self._make_bus()
        await bus.open(self._inbox.take)
        self._bus = bus
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect; calls that still wait end in `NoAnswerError`."""
        bus, self._bus = self._bus, None
        self._inbox.close()
        if bus is not None:
            await bus.close()

    @property
    def counts(self) -> Counts:
        """What has become of the results that came, for the relying party's metrics."""
        return self._inbox.counts

    @property
    def waiting(self) -> int:
        """How many calls wait for their answer."""
        return len(self._inbox)

    async def submit(
        self,
        login: PostLoginEvent | Mapping[str, Any],
        *,
        event_id: str | None = None,
        time: datetime | None = None,
        tenant: str | None = None,
        traceparent: str | None = None,
        timeout: timedelta = ANSWER_TIMEOUT,  # noqa: ASYNC109  # a part of the question, told in the error
    ) -> LoginDecision:
        """Ask what a login owes.

        To ask again about the same login, give the same `event_id`, `time` and data: the decision that
        stands is given again, and no second challenge is opened. Two calls at once for one event id
        share the answer, if their data are the same.

        Args:
            login: Auth0's post-login `event` plus `login` (`browser_id`, `return_url`, `expires_at`).
                Of a mapping every field is sent, known or not.
            event_id: the login's own id; keep it in the browser's session, `complete` needs it.
            time: when the user passed the first factor; aware. Now, by default.
            tenant: whose rules decide.
            traceparent: W3C trace context to pass through.
            timeout: how long to wait for the answer.

        Raises:
            NoAnswerError: none came in time, or the client was closed.
            BusUnavailableError: Kafka has not taken the event.
            InvalidEventError: the login lacks a field or has a wrong one; the error names it. Or
                another login is being asked about under this event id.
        """
        identity = self._identity(tenant, self._new_event_id() if event_id is None else event_id)
        record = write_login_attempted(
            self._topics.login_events,
            identity,
            time or self._now(),
            login,
            traceparent=traceparent,
        )
        record = self._signed(record, identity)
        subject = _subject(record, identity)
        if denial := self._inbox.denial(identity, subject):
            return decision_of(denial)
        asked = self._inbox.asked(identity) or record
        if asked.value != record.value:
            raise InvalidEventError(
                Defect.CONFLICT,
                "another login is being asked about under this event id; give each login its own",
            )
        call = Call(asked, subject, decision=True)
        result = await self._ask(identity, call, timeout)
        # A denial may have come in the same moment, and a challenge never hides one.
        return decision_of(self._inbox.denial(identity, subject) or result)

    async def complete(
        self,
        event_id: str,
        code: str,
        *,
        user_id: str,
        tenant: str | None = None,
        traceparent: str | None = None,
        timeout: timedelta = ANSWER_TIMEOUT,  # noqa: ASYNC109  # as above
    ) -> LoginOutcome:
        """Settle a challenged login with the one-time code that the browser came back with.

        Any process of the relying party may do so. A challenge that has been denied meanwhile is
        answered at once; everything else is Countersign's to say.

        Args:
            event_id: the login event, from the session of this very browser. Never from the URL: that
                would let a thief have a victim pass the thief's challenge.
            code: the query parameter `mfa_code` of the return URL.
            user_id: the login's `user.user_id`, from the same session.
            tenant: the login's tenant.
            traceparent: W3C trace context to pass through.
            timeout: how long to wait for the answer.

        Raises:
            NoAnswerError: none came in time, or the client was closed. The same call may be tried
                again; the outcome that stands is given.
            BusUnavailableError: Kafka has not taken the event.
            InvalidEventError: an argument is empty or too long; the error names it.
        """
        login = self._identity(tenant, event_id)
        record = write_login_returned(
            self._topics.login_events,
            self._identity(tenant, self._new_event_id()),
            self._now(),
            user_id,
            login_event_id=event_id,
            code=code,
            traceparent=traceparent,
        )
        if denial := self._inbox.denial(login, user_id):
            return outcome_of(denial)
        call = Call(self._signed(record, login), user_id, decision=False)
        return outcome_of(await self._ask(login, call, timeout))

    async def forget(
        self,
        user_id: str,
        *,
        browser: str | None = None,
        tenant: str | None = None,
        timeout: timedelta = ANSWER_TIMEOUT,  # noqa: ASYNC109  # as above
    ) -> None:
        """Have remembered browsers of a user forgotten, before the next login is decided.

        Args:
            user_id: the user.
            browser: what stands for the one to forget, as `countersign remembered list` shows it; all by
                default.
            tenant: the user's tenant.
            timeout: how long to wait for Kafka.

        Raises:
            BusUnavailableError: Kafka has not taken the event in time; ask again.
            InvalidEventError: `user_id` is empty or too long, or `browser` stands for none.
        """
        identity = self._identity(tenant, self._new_event_id())
        record = write_browsers_forget(
            self._topics.login_events, identity, self._now(), user_id, browser=browser
        )
        if self._bus is None:
            raise BusUnavailableError(_CLOSED)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._bus.publish(self._signed(record, identity))
        except TimeoutError as error:
            message = f"Kafka has not acknowledged within {in_seconds(timeout)}; ask again"
            raise BusUnavailableError(message) from error

    def _identity(self, tenant: str | None, event_id: str) -> EventIdentity:
        return EventIdentity(self._tenant if tenant is None else tenant, self._source, event_id)

    def _signed(self, record: OutboundRecord, identity: EventIdentity) -> OutboundRecord:
        return record if self._signer is None else signed(record, identity.tenant, self._signer)

    async def _ask(self, login: EventIdentity, call: Call, within: timedelta) -> Result:
        if self._bus is None:
            raise NoAnswerError(_CLOSED)
        return await answered(self._bus, self._inbox, login, call, within)


def _subject(record: OutboundRecord, identity: EventIdentity) -> str:
    key = record.key or b""
    return key[len(identity.tenant) + 1 :].decode()
