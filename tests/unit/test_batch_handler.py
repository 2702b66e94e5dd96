"""A batch as a whole, on the in-memory store and bus: every record answered, failures narrowed down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from countersign.adapters.memory.publisher import MemoryPublisher
from countersign.adapters.memory.store import MemoryStore
from countersign.core.challenge import Challenge
from countersign.core.errors import BusUnavailableError, Defect, StoreUnavailableError
from countersign.core.login import BrowsersForget, LoginAttempted
from countersign.core.result import Decision
from countersign.core.tenant import EventRules, TenantSettings
from countersign.decider.agent import BatchHandler, Topics
from countersign.decider.judge import Judge
from countersign.decider.limit import DeadLetterLimit, DeadLetterLimitError
from countersign.decider.metrics import Metrics
from countersign.logs import set_up_logs
from countersign.ports import Recording, Standing
from countersign.wire.dead_letter import read_dead_letter
from countersign.wire.results import OutboundRecord
from tests.builders import (
    GLOBEX,
    NOW,
    PSEUDONYMS,
    InboundRecord,
    a_forget_record,
    a_login_record,
    a_return_record,
    a_tenant,
)
from tests.bus import FixedTenants
from tests.no_flows import no_effects
from tests.signals import (
    ASSURANCE_LEVEL_CHANGE,
    a_heeding_tenant,
    a_set,
    a_signal_record,
    claims,
)
from tests.signing import a_signer, a_signing_tenant, sign


class Taken(NamedTuple):
    """A record as it comes from the bus."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class FailingStore(MemoryStore):
    """A store that fails for some events.

    Args:
        fails: says for which, and with what.
    """

    def __init__(self, fails: Callable[[str], Exception | None]) -> None:
        super().__init__(PSEUDONYMS)
        self._fails = fails

    async def record(self, recordings: Sequence[Recording]) -> list[Decision | None]:
        """Fail as told, or record."""
        for recording in recordings:
            if error := self._fails(recording.event.identity.event_id):
                raise error
        return await super().record(recordings)


class UntouchedStore(MemoryStore):
    """A store that nothing may be asked of."""

    def __init__(self) -> None:
        super().__init__(PSEUDONYMS)

    async def facts(self, events: Sequence[LoginAttempted]) -> list[Standing]:
        """Be asked for nothing."""
        assert not events
        return []

    async def challenges(self, ids: Sequence[str]) -> list[Challenge | None]:
        """Be asked for nothing."""
        assert not ids
        return []

    async def forget(self, events: Sequence[BrowsersForget]) -> None:
        """Be asked for nothing."""
        assert not events


class AwayPublisher(MemoryPublisher):
    """A bus that can be out of reach."""

    away = False

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """Publish, unless the bus is out of reach."""
        if self.away:
            message = "away"
            raise BusUnavailableError(message)
        await super().publish(records)


class LateTenants(FixedTenants):
    """Knows its tenants only once it has caught up."""

    def get(self, tenant: str) -> TenantSettings | None:
        """Return the settings, if they have been read."""
        return super().get(tenant) if self.caught_up else None


class Bench:
    """A batch handler with its surroundings."""

    def __init__(
        self,
        *,
        store: MemoryStore | None = None,
        tenants: FixedTenants | None = None,
        limit: int = 20,
        at: datetime = NOW,
    ) -> None:
        self.at = at
        self.store = store or MemoryStore(PSEUDONYMS)
        self.publisher = AwayPublisher()
        self.tenants = tenants or FixedTenants(a_tenant())
        self.metrics = Metrics()
        self.handler = BatchHandler(
            judge=Judge(
                self.store,
                no_effects(),
                PSEUDONYMS,
                public_url="https://mfa.example.com/",
                clock=self.now,
            ),
            store=self.store,
            publisher=self.publisher,
            tenants=self.tenants,
            topics=Topics("results", "dead"),
            limit=DeadLetterLimit(limit, timedelta(minutes=10)),
            metrics=self.metrics,
            clock=self.now,
        )

    def now(self) -> datetime:
        """Return the bench's instant."""
        return self.at

    async def handle(self, *records: InboundRecord) -> None:
        """Handle the records as one batch."""
        await self.handler.handle(
            [Taken("events", 0, place, *record) for place, record in enumerate(records)]
        )

    def answered(self) -> list[str]:
        """Return the ids of the events that were decided, in the order of their results."""
        return [
            dict(record.headers)["ce_causationid"].decode()
            for record in self.publisher.records
            if record.topic == "results"
        ]

    def dead(self) -> list[tuple[int, Defect, str]]:
        """Return place, reason and error class of the dead letters."""
        letters = [
            read_dead_letter(record.key, record.value, record.headers)
            for record in self.publisher.records
            if record.topic == "dead"
        ]
        return [(letter.offset, letter.reason, letter.error_class) for letter in letters]


def logins(count: int) -> list[InboundRecord]:
    """Return logins of as many users."""
    return [a_login_record(event_id=f"login-{n}", subject=f"auth0|{n}") for n in range(count)]


async def test_answers_stand_in_the_order_of_the_batch() -> None:
    """Results and dead letters come in the order in which their events stand."""
    bench = Bench()
    first, second, third = logins(3)
    await bench.handle(first, second._replace(value=b"{"), third)
    assert bench.answered() == ["login-0", "login-2"]
    assert [record.topic for record in bench.publisher.records] == ["results", "dead", "results"]


@pytest.mark.law(1)
async def test_unexpected_failure_is_narrowed_down() -> None:
    """Law 1: the event that this program fails on is the one dead letter; the others are decided."""
    bench = Bench(store=FailingStore(lambda i: KeyError("a bug") if i == "login-3" else None))
    await bench.handle(*logins(6))
    assert bench.answered() == ["login-0", "login-1", "login-2", "login-4", "login-5"]
    assert bench.dead() == [(3, Defect.UNEXPECTED, "KeyError")]


@pytest.mark.law(8)
async def test_outage_answers_nothing() -> None:
    """Law 8: where the store is out of reach, nothing is published and nothing dead-lettered."""
    bench = Bench(store=FailingStore(lambda _: StoreUnavailableError("away")))
    with pytest.raises(StoreUnavailableError):
        await bench.handle(*logins(3))
    assert bench.publisher.records == []


async def test_outcome_counts_as_published_only_once_it_is() -> None:
    """A challenge whose outcome the bus has not acknowledged stays due; with the acknowledgement it isn't."""
    bench = Bench()
    await bench.handle(a_login_record())
    (due,) = bench.store.unpublished
    acknowledge = bench.publisher.publish

    async def away(records: Sequence[OutboundRecord]) -> None:
        message = f"away, and {len(records)} wait"
        raise BusUnavailableError(message)

    bench.publisher.publish = away  # type: ignore[method-assign]  # the outage
    with pytest.raises(BusUnavailableError):
        await bench.handle(a_return_record())
    assert bench.store.unpublished == {due}
    bench.publisher.publish = acknowledge  # type: ignore[method-assign]  # its end
    await bench.handle(a_return_record())
    assert bench.store.unpublished == set()


async def test_too_many_failures_of_our_own_stop_the_worker() -> None:
    """Past the limit nothing of the batch is published: the worker stops instead."""
    bench = Bench(store=FailingStore(lambda _: KeyError("a bug")), limit=4)
    with pytest.raises(DeadLetterLimitError):
        await bench.handle(*logins(5))
    assert bench.publisher.records == []


@pytest.mark.law(8)
async def test_an_outage_charges_the_limit_once() -> None:
    """Law 8: a batch that is tried again and again for an outage is charged once, when it is published."""
    bench = Bench(
        store=FailingStore(lambda i: KeyError("a bug") if i == "login-0" else None), limit=2
    )
    bench.publisher.away = True
    for _ in range(5):
        with pytest.raises(BusUnavailableError):
            await bench.handle(*logins(2))
    bench.publisher.away = False
    await bench.handle(*logins(2))
    assert bench.dead() == [(0, Defect.UNEXPECTED, "KeyError")]


async def test_bad_input_never_trips_the_limit() -> None:
    """However many events are bad, the limit counts none of them."""
    bench = Bench(limit=1)
    await bench.handle(*(record._replace(value=b"{") for record in logins(50)))
    assert len(bench.dead()) == 50
    await bench.handle(*logins(1))
    assert bench.answered() == ["login-0"]


async def test_tenant_is_unknown_only_past_the_end_of_its_topic() -> None:
    """Settings that were published but not yet read are read before an event is refused."""
    tenants = LateTenants(a_tenant())
    bench = Bench(tenants=tenants)
    await bench.handle(*logins(2), a_login_record(event_id="nobody", tenant="nobody"))
    assert tenants.caught_up == 1
    assert bench.answered() == ["login-0", "login-1"]
    assert bench.dead() == [(2, Defect.UNKNOWN_TENANT, "InvalidEventError")]


async def test_known_tenants_cost_no_reading() -> None:
    """A batch of known tenants' events asks the topic nothing."""
    tenants = FixedTenants(a_tenant())
    await Bench(tenants=tenants).handle(*logins(2))
    assert tenants.caught_up == 0


@pytest.mark.law(10)
async def test_a_forgery_touches_nothing() -> None:
    """Law 10: an event without its tenant's signature is a dead letter, and claims no identity."""
    bench = Bench(store=UntouchedStore(), tenants=FixedTenants(a_signing_tenant()))
    genuine = a_login_record()
    forged = sign(genuine, a_signer(name="mallory", kid="k1"))
    changed = sign(genuine)._replace(value=(genuine.value or b"") + b" ")
    replayed = sign(genuine)._replace(
        headers=[*genuine.headers, sign(a_forget_record()).headers[-1]]
    )
    others = [a_forget_record(), a_return_record()]
    await bench.handle(genuine, forged, changed, replayed, *others)
    assert bench.dead() == [(n, Defect.INVALID_SIGNATURE, "InvalidEventError") for n in range(6)]
    after = Bench(tenants=FixedTenants(a_signing_tenant()))
    await after.handle(forged, sign(genuine), forged)
    assert after.answered() == ["login-1"]
    assert [place for place, _, _ in after.dead()] == [0, 2]


async def test_a_tenant_that_does_not_ask_is_not_asked() -> None:
    """Beside a tenant that takes signed events alone, another one's are taken with and without."""
    tenants = FixedTenants(a_signing_tenant(), a_tenant(tenant=GLOBEX))
    bench = Bench(tenants=tenants)
    await bench.handle(
        a_login_record(event_id="plain", tenant=GLOBEX),
        sign(a_login_record(event_id="signed", subject="auth0|bob", tenant=GLOBEX)),
        sign(a_login_record(event_id="asked")),
        a_login_record(event_id="forged", subject="auth0|carol"),
    )
    assert bench.answered() == ["plain", "signed", "asked"]
    assert [place for place, _, _ in bench.dead()] == [3]


@pytest.mark.law(2)
async def test_a_signed_event_may_come_again_with_another_signature() -> None:
    """Law 2: ECDSA signs anew each time; the event is what was signed, and its answer the same bytes."""
    bench = Bench(tenants=FixedTenants(a_signing_tenant()))
    for _ in range(2):
        await bench.handle(sign(a_login_record()))
    first, second = bench.publisher.records
    assert first == second


@pytest.mark.law(1)
async def test_a_failure_while_verifying_is_one_events_alone() -> None:
    """Law 1: an event whose verification fails by our own fault is the one dead letter."""
    broken = EventRules(signed=True, keys=5)  # type: ignore[arg-type]  # no settings are like this
    tenants = FixedTenants(a_tenant(tenant=GLOBEX, events=broken), a_signing_tenant())
    bench = Bench(tenants=tenants)
    await bench.handle(
        sign(a_login_record(event_id="one", subject="auth0|one", tenant=GLOBEX)),
        sign(a_login_record(event_id="two", subject="auth0|two")),
    )
    assert bench.answered() == ["two"]
    assert bench.dead() == [(0, Defect.UNEXPECTED, "TypeError")]


@pytest.mark.law(1)
async def test_a_batch_of_many_signed_events_has_its_order() -> None:
    """Law 1: each of some hundred is answered, good and bad ones mixed, where it stands."""
    bench = Bench(tenants=FixedTenants(a_signing_tenant()))
    await bench.handle(*(sign(one) if n % 3 else one for n, one in enumerate(logins(160))))
    assert bench.answered() == [f"login-{n}" for n in range(160) if n % 3]
    assert [place for place, _, _ in bench.dead()] == list(range(0, 160, 3))


@pytest.mark.law(10)
async def test_a_forged_signal_touches_nothing() -> None:
    """Law 10: what isn't the issuer's is a dead letter, and asks nothing of the store."""
    bench = Bench(store=UntouchedStore(), tenants=FixedTenants(a_heeding_tenant()))
    await bench.handle(
        a_signal_record(a_set(name="mallory", header={"kid": "k1"})),
        a_signal_record(claims()),
        a_signal_record(a_set(claims(iss="https://other.example.com"))),
    )
    reasons = [reason for _, reason, _ in bench.dead()]
    assert reasons == [Defect.INVALID_SIGNATURE, Defect.INVALID_SIGNATURE, Defect.INVALID_EVENT]


async def test_a_signal_from_the_future_and_an_increase_do_nothing() -> None:
    """The one is a dead letter, the other is acknowledged; neither asks anything of the store."""
    bench = Bench(store=UntouchedStore(), tenants=FixedTenants(a_heeding_tenant()))
    late = claims(iat=(NOW + timedelta(minutes=6)).timestamp())
    up = claims(ASSURANCE_LEVEL_CHANGE, payload={"change_direction": "increase"})
    await bench.handle(a_signal_record(a_set(late)), a_signal_record(a_set(up)))
    assert bench.dead() == [(0, Defect.TIME_IN_FUTURE, "InvalidEventError")]
    value = bench.metrics.registry.get_sample_value
    assert value("countersign_events_total", {"kind": "SecuritySignal"}) == 2


async def test_a_signal_of_an_unknown_tenant_waits_for_its_settings() -> None:
    """It is a dead letter that can be replayed once they are there."""
    bench = Bench()
    await bench.handle(a_signal_record(tenant="nobody"))
    assert [reason for _, reason, _ in bench.dead()] == [Defect.UNKNOWN_TENANT]


async def test_metrics_count_what_was_answered() -> None:
    """Results and dead letters are counted by kind and reason, once each."""
    bench = Bench()
    await bench.handle(*logins(3), a_login_record()._replace(value=None))
    value = bench.metrics.registry.get_sample_value
    challenged = {"type": "login.challenged", "reason": "mfa_due"}
    assert value("countersign_results_total", challenged) == 3
    assert value("countersign_dead_letters_total", {"reason": "empty"}) == 1
    assert value("countersign_events_total", {"kind": "LoginAttempted"}) == 3


@pytest.mark.law(9)
async def test_a_failures_text_reaches_no_log_and_no_dead_letter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Law 9: an unexpected exception's text, which may quote the event, is not logged nor published."""
    canary = "canary-4711"
    bench = Bench(store=FailingStore(lambda _: KeyError(canary)))
    set_up_logs("debug", "json")
    await bench.handle(*logins(2))
    said = capsys.readouterr()
    assert "event_failed_unexpectedly" in said.err
    assert canary not in said.err + said.out
    assert all(canary not in str(record) for record in bench.publisher.records)


@pytest.mark.law(2)
async def test_retry_with_a_trace_of_its_own_gets_the_same_bytes() -> None:
    """Law 2: a sender that sends an event again, traced anew, gets the record that it got before."""
    bench = Bench()
    for trace in ("a", "b"):
        await bench.handle(a_login_record(traceparent=f"00-{trace * 32}-{trace * 16}-01"))
    first, second = bench.publisher.records
    assert first == second


@pytest.mark.law(1)
async def test_what_was_decided_stands_whatever_the_clock_says() -> None:
    """Law 1: an event that was decided isn't dead-lettered by a clock that is behind, or a lost tenant."""
    bench = Bench()
    record = a_login_record(time=NOW + timedelta(minutes=4))
    await bench.handle(record)
    for changes in ({"at": NOW - timedelta(hours=1)}, {"tenants": FixedTenants()}):
        later = Bench(store=bench.store, **changes)
        await later.handle(record)
        assert later.publisher.records == bench.publisher.records
    new = Bench(at=NOW - timedelta(hours=1))
    await new.handle(record)
    assert new.dead() == [(0, Defect.TIME_IN_FUTURE, "InvalidEventError")]
