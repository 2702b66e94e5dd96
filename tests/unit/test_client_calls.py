"""The client against a bus in memory: who is answered, by what, and what happens when nothing comes."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import msgspec
import pytest

from countersign.client import CountersignClient, LoginDecision, LoginOutcome
from countersign.client.inbox import Inbox
from countersign.core.errors import BusUnavailableError, InvalidEventError, NoAnswerError
from countersign.core.login import BrowsersForget, LoginAttempted, LoginReturned
from countersign.core.result import ResultType
from countersign.wire.inbound import read_event
from countersign.wire.results import OutboundRecord
from countersign.wire.signatures import verify_event
from countersign.wire.signed_part import signed_part
from tests.builders import ACME, ALICE, BOB, GLOBEX, MALLORY, NOW, SOURCE, an_identity, login_data
from tests.client_bus import MemoryBus, a_result, opened
from tests.signing import a_public_key, a_signer

SOON = timedelta(milliseconds=50)
"""A deadline that a test waits for."""

_ALLOWED = ResultType.LOGIN_ALLOWED
_CHALLENGED = ResultType.LOGIN_CHALLENGED
_PASSED = ResultType.CHALLENGE_PASSED


async def _submitting(
    client: CountersignClient, bus: MemoryBus, event_id: str = "login-1"
) -> asyncio.Task[LoginDecision]:
    """Submit Alice's login; return once it is published, with the call that waits."""
    published = len(bus.records)
    call = asyncio.create_task(client.submit(login_data(), event_id=event_id))
    await bus.events(published + 1)
    return call


async def _completing(client: CountersignClient, bus: MemoryBus) -> asyncio.Task[LoginOutcome]:
    """Complete Alice's login; return once the return is published, with the call that waits."""
    published = len(bus.records)
    call = asyncio.create_task(client.complete("login-1", "the-code", user_id=ALICE))
    await bus.events(published + 1)
    return call


async def test_a_login_is_submitted_challenged_and_completed() -> None:
    """The whole way: the event goes out, a challenge comes back; the return goes out, a pass comes back."""
    async with opened() as (client, bus):
        submitting = await _submitting(client, bus)
        bus.deliver(a_result(_CHALLENGED))
        decision = await submitting
        assert decision.challenged
        assert not decision.allowed

        completing = await _completing(client, bus)
        bus.deliver(a_result(_PASSED))
        assert (await completing).allowed

        attempted, returned = await bus.events(2)
        assert isinstance(attempted, LoginAttempted)
        assert attempted.identity == an_identity()
        assert isinstance(returned, LoginReturned)
        assert returned.login == an_identity()
        assert returned.code == "the-code"
        assert returned.key == attempted.key


async def test_every_login_gets_an_id_of_its_own() -> None:
    """Without an id of the caller's, no two events share one, and the decision names it."""
    async with opened() as (client, bus):
        calls = [asyncio.create_task(client.submit(login_data())) for _ in range(20)]
        events = await bus.events(20)
        for event in events:
            bus.deliver(a_result(_ALLOWED, event.identity))
        decisions = await asyncio.gather(*calls)
        assert {decision.event_id for decision in decisions} == {
            event.identity.event_id for event in events
        }
        assert len({event.identity for event in events}) == 20


async def test_a_call_can_name_another_tenant() -> None:
    """One client serves several tenants, and a result of another tenant under the same id is no answer."""
    async with opened() as (client, bus):
        call = asyncio.create_task(client.submit(login_data(), event_id="login-1", tenant=GLOBEX))
        await bus.events(1)
        bus.deliver(
            a_result(ResultType.LOGIN_DENIED, an_identity(tenant=ACME)),
            a_result(_ALLOWED, an_identity(tenant=GLOBEX)),
        )
        assert (await call).allowed


async def test_forget_publishes_and_awaits_no_result() -> None:
    """`forget` is done when the bus has the event."""
    async with opened() as (client, bus):
        await client.forget(ALICE)
        (event,) = await bus.events(1)
        assert isinstance(event, BrowsersForget)
        assert event.subject == ALICE


async def test_one_browser_can_be_forgotten() -> None:
    """`forget` names a browser by what stands for it, and refuses what can stand for none."""
    async with opened() as (client, bus):
        await client.forget(ALICE, browser="3f9Qk2m_7wZx-0aBcDeFgH")
        (event,) = await bus.events(1)
        assert isinstance(event, BrowsersForget)
        assert event.browser == "3f9Qk2m_7wZx-0aBcDeFgH"
        for browser in ("", "alices-laptop-4f2a9c", "3f9Qk2m_7wZx-0aBcDeFgH\n"):
            with pytest.raises(InvalidEventError, match="browser"):
                await client.forget(ALICE, browser=browser)
        assert len(bus.records) == 1


async def test_a_signer_signs_every_event() -> None:
    """With a signer each kind of event carries a signature that holds for the key's public half."""
    bus = MemoryBus()
    async with CountersignClient(
        "unused", source=SOURCE, tenant=ACME, signer=a_signer(), bus=lambda *_: bus
    ) as client:
        for call in (
            client.submit(login_data(), timeout=SOON),
            client.complete("login-1", "the-code", user_id=ALICE, timeout=SOON),
        ):
            with pytest.raises(NoAnswerError):
                await call
        await client.forget(ALICE)
    assert len(bus.records) == 3
    for record in bus.records:
        assert read_event(record.key, record.value, record.headers)
        part = signed_part(record.value or b"", record.headers, ACME)
        verify_event(part, [a_public_key()])


async def test_silence_is_an_error_and_never_an_allow() -> None:
    """Without a result in time, a call ends in an error that names the event and says what to do."""
    async with opened() as (client, _):
        with pytest.raises(NoAnswerError, match=r"'login-1' within 0\.05 s; don't allow.*decider"):
            await client.submit(login_data(), event_id="login-1", timeout=SOON)
        with pytest.raises(NoAnswerError, match="don't allow the login"):
            await client.complete("login-1", "the-code", user_id=ALICE, timeout=SOON)


async def test_a_bus_that_acknowledges_nothing_is_told_apart_from_silence() -> None:
    """When the event was never acknowledged, the error points at Kafka and not at the decider."""
    async with opened() as (client, bus):
        bus.stuck = True
        with pytest.raises(NoAnswerError, match="Kafka has not acknowledged"):
            await client.submit(login_data(), timeout=SOON)
        with pytest.raises(BusUnavailableError, match="not acknowledged"):
            await client.forget(ALICE, timeout=SOON)


async def test_a_bus_that_is_down_is_an_error() -> None:
    """Where the event can't be published, every call says so at once."""
    async with opened() as (client, bus):
        bus.down = True
        with pytest.raises(BusUnavailableError):
            await client.submit(login_data())
        with pytest.raises(BusUnavailableError):
            await client.complete("login-1", "the-code", user_id=ALICE)
        with pytest.raises(BusUnavailableError):
            await client.forget(ALICE)


async def test_an_answer_counts_before_the_acknowledgement() -> None:
    """A result can overtake the broker's acknowledgement, and is the proof that the event arrived."""
    async with opened() as (client, bus):
        bus.stuck = True
        call = await _submitting(client, bus)
        bus.deliver(a_result(_ALLOWED))
        assert (await call).allowed


@pytest.mark.parametrize("subject", [BOB, MALLORY])
async def test_a_result_for_another_user_is_no_answer(subject: str) -> None:
    """A result under the right event id that names another user is refused, and the call waits on."""
    async with opened() as (client, bus):
        call = await _submitting(client, bus)
        bus.deliver(a_result(_ALLOWED, subject=subject))
        assert not call.done()
        bus.deliver(a_result(ResultType.LOGIN_DENIED))
        assert (await call).denied
        assert client.counts.malformed == 1


async def test_a_result_that_is_not_understood_leaves_the_call_to_its_deadline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A later version's result for a waiting call is counted and logged, and the call ends unanswered."""
    allowed = a_result(_ALLOWED)
    body = msgspec.json.decode(allowed.value or b"")
    strange = allowed._replace(value=msgspec.json.encode({**body, "verdict": "perhaps"}))
    async with opened() as (client, bus):
        call = asyncio.create_task(
            client.submit(login_data(), event_id="login-1", timeout=2 * SOON)
        )
        await bus.events(1)
        with caplog.at_level(logging.WARNING, logger="countersign.client"):
            bus.deliver(strange, allowed._replace(value=None))
        with pytest.raises(NoAnswerError):
            await call
        assert client.counts.malformed == 2
        assert "login-1" in caplog.text
        assert ALICE not in caplog.text


async def test_results_of_others_are_skipped_undecoded() -> None:
    """Records that no call waits for are skipped by their headers: what couldn't be decoded does no harm."""
    async with opened() as (client, bus):
        call = await _submitting(client, bus)
        others = (
            an_identity(source="https://bank.example.com"),
            an_identity(tenant=GLOBEX),
            an_identity(event_id="login-2"),
        )
        for identity in others:
            bus.deliver(a_result(_ALLOWED, identity)._replace(value=b"\xff no JSON"))
        bus.deliver(OutboundRecord("mfa-results", None, None, [], None))
        assert not call.done()
        assert (client.counts.skipped, client.counts.malformed) == (4, 0)
        bus.deliver(a_result(_ALLOWED))
        assert (await call).allowed


async def test_repeats_are_dropped() -> None:
    """A result that comes again, while the call waits or after, changes nothing."""
    async with opened() as (client, bus):
        call = await _submitting(client, bus)
        bus.deliver(*[a_result(_CHALLENGED)] * 3)
        assert (await call).challenged
        bus.deliver(a_result(_CHALLENGED))
        assert client.counts.answered == 1
        assert client.counts.skipped == 3


async def test_a_pending_result_settles_nothing() -> None:
    """A repeated challenge, and any decision at all, is no answer to a browser's return."""
    async with opened() as (client, bus):
        call = await _completing(client, bus)
        bus.deliver(a_result(_CHALLENGED), a_result(ResultType.LOGIN_DELEGATED), a_result(_ALLOWED))
        assert not call.done()
        bus.deliver(a_result(ResultType.CHALLENGE_EXPIRED))
        assert (await call).denied


@pytest.mark.parametrize("denial_first", [True, False])
async def test_a_pending_result_never_overrides_a_terminal_one(*, denial_first: bool) -> None:
    """A denial and a challenge that come together make a denial, in whatever order they come."""
    results = [a_result(ResultType.CHALLENGE_EXPIRED), a_result(_CHALLENGED)]
    async with opened() as (client, bus):
        call = await _submitting(client, bus)
        bus.deliver(*(results if denial_first else reversed(results)))
        assert (await call).denied


async def test_a_challenge_that_was_denied_before_is_not_submitted_again() -> None:
    """Who asks again about a login whose challenge ended gets that end, not the old challenge."""
    async with opened() as (client, bus):
        bus.deliver(a_result(ResultType.CHALLENGE_DENIED))
        decision = await client.submit(login_data(), event_id="login-1")
        assert decision.denied
        assert not decision.challenged
        assert bus.records == []


async def test_a_denial_that_came_before_the_return_is_answered_at_once() -> None:
    """A challenge that was denied while the browser was away needs no more asking."""
    async with opened() as (client, bus):
        bus.deliver(a_result(ResultType.CHALLENGE_EXPIRED))
        outcome = await client.complete("login-1", "the-code", user_id=ALICE)
        assert outcome.denied
        assert bus.records == []


@pytest.mark.law(6)
async def test_an_allow_is_never_answered_from_memory() -> None:
    """A pass belongs to the return that earned it: another return is published, and awaits its answer."""
    async with opened() as (client, bus):
        first = await _completing(client, bus)
        bus.deliver(a_result(_PASSED))
        assert (await first).allowed
        bus.deliver(a_result(_PASSED))
        with pytest.raises(NoAnswerError):
            await client.complete("login-1", "a-guess", user_id=ALICE, timeout=SOON)
        assert len(bus.records) == 2


async def test_a_remembered_denial_is_one_users() -> None:
    """A remembered denial answers only for the user that it names."""
    async with opened() as (client, bus):
        bus.deliver(a_result(ResultType.CHALLENGE_DENIED, subject=BOB))
        call = await _submitting(client, bus)
        bus.deliver(a_result(_ALLOWED))
        assert (await call).allowed


async def test_remembered_denials_are_bounded() -> None:
    """Beyond the limit the oldest denial is let go, and others' are never kept."""
    inbox = Inbox(SOURCE, remembered_denials=2)
    identities = [an_identity(event_id=f"login-{n}") for n in range(3)]
    for identity in (*identities, an_identity(source="https://bank.example.com")):
        record = a_result(ResultType.CHALLENGE_DENIED, identity)
        inbox.take(record.value, record.headers)
    assert [inbox.denial(identity, ALICE) is not None for identity in identities] == [
        False,
        True,
        True,
    ]
    assert inbox.denial(an_identity(source="https://bank.example.com"), ALICE) is None


async def test_two_calls_for_one_event_share_the_answer() -> None:
    """The same login submitted twice at once is one event, same bytes, and both calls are answered."""
    ticks = iter(range(100))
    async with opened(now=lambda: NOW + timedelta(seconds=next(ticks))) as (client, bus):
        first = await _submitting(client, bus)
        second = await _submitting(client, bus)
        assert bus.records[0] == bus.records[1]
        bus.deliver(a_result(_ALLOWED))
        assert (await first).allowed
        assert (await second).allowed


async def test_another_login_under_the_same_event_id_is_refused() -> None:
    """Two different logins can't be asked about under one id: one would get the other's answer."""
    async with opened() as (client, bus):
        call = await _submitting(client, bus)
        with pytest.raises(InvalidEventError, match="give each login its own"):
            await client.submit(login_data(browser_id=None), event_id="login-1")
        bus.deliver(a_result(_ALLOWED))
        assert (await call).allowed


@pytest.mark.parametrize("stuck", [True, False])
async def test_a_cancelled_call_leaves_nothing_behind(*, stuck: bool) -> None:
    """A call that is cancelled, published or not, is gone: no entry, no task, and its result is skipped."""
    async with opened() as (client, bus):
        bus.stuck = stuck
        before = asyncio.all_tasks()
        call = await _submitting(client, bus)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        left = asyncio.all_tasks() - before
        if left:
            await asyncio.wait(left, timeout=1)
        assert asyncio.all_tasks() == before
        bus.deliver(a_result(_ALLOWED))
        assert client.counts.skipped == 1
        assert client.waiting == 0


async def test_closing_fails_the_calls_that_wait() -> None:
    """A call in flight when the client closes ends in an error that says so, and so does a later call."""
    async with opened() as (client, bus):
        bus.stuck = True
        call = await _submitting(client, bus)
    with pytest.raises(NoAnswerError, match="the client was closed"):
        await call
    with pytest.raises(NoAnswerError, match="not open"):
        await client.submit(login_data())
    with pytest.raises(BusUnavailableError, match="not open"):
        await client.forget(ALICE)


async def test_a_client_can_be_opened_again() -> None:
    """After it was closed, a client works again in a new context."""
    async with opened() as (client, bus):
        await client.__aexit__(None, None, None)
        async with client:
            call = await _submitting(client, bus)
            bus.deliver(a_result(_ALLOWED))
            assert (await call).allowed


async def test_a_login_that_would_be_a_dead_letter_is_refused_at_once() -> None:
    """A login that lacks a field is refused with the field's name, and nothing is published."""
    async with opened() as (client, bus):
        with pytest.raises(InvalidEventError, match=r"client is missing"):
            await client.submit({"user": {"user_id": ALICE}})
        with pytest.raises(InvalidEventError, match="code"):
            await client.complete("login-1", "", user_id=ALICE)
        assert bus.records == []
