"""The decider on a real Kafka and a real Valkey: what goes in, and what comes out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from countersign.core.errors import Defect
from countersign.core.login import MULTI_FACTOR_ACR
from countersign.core.result import Assurance, Reason, ResultType
from countersign.core.tenant import Factors, Policy
from tests.builders import (
    ALICE,
    BOB,
    GLOBEX,
    InboundRecord,
    a_forget_record,
    a_login_record,
    a_return_record,
    a_tenant,
)
from tests.bus import Bus, by_event, open_bus, order_kept

if TYPE_CHECKING:
    from countersign.core.challenge import Challenge
    from countersign.local import Stack

CODE = "a-made-up-return-code"


@pytest.fixture
async def bus(stack: Stack) -> AsyncIterator[Bus]:
    """A bus of the test's own."""
    async with open_bus(stack) as opened:
        yield opened


def login(event_id: str, **data: Any) -> InboundRecord:  # noqa: ANN401  # a_login_record's own arguments
    """Return the record of a login now."""
    return a_login_record(event_id=event_id, time=datetime.now(UTC), **data)


def back(
    login_id: str, *, code: str = CODE, event_id: str = "", subject: str = ALICE
) -> InboundRecord:
    """Return the record of a browser's return now."""
    return a_return_record(
        event_id=event_id or f"return-of-{login_id}",
        login_id=login_id,
        code=code,
        subject=subject,
        time=datetime.now(UTC),
    )


async def challenge_of(bus: Bus, event_id: str) -> Challenge:
    """Return the challenge of a login that was challenged, once its result is there."""
    await bus.until(lambda: any(_causes(copy.headers, event_id) for copy in bus.results))
    for result in await bus.answers(1):
        if result.identity.event_id == event_id and result.body.challenge_url:
            (challenge,) = await bus.store.challenges([result.body.challenge_url[-24:]])
            assert challenge is not None
            return challenge
    message = f"{event_id} was not challenged"
    raise AssertionError(message)


def _causes(headers: tuple[tuple[str, bytes], ...], event_id: str) -> bool:
    return dict(headers)["ce_causationid"] == event_id.encode()


async def test_each_kind_of_decision(bus: Bus) -> None:
    """Logins come back as decisions: allowed, challenged, delegated, denied, each with its reason."""
    tenants = (
        a_tenant(),
        a_tenant(tenant=GLOBEX, policy=Policy.NEVER),
        a_tenant(tenant="initech", factors=Factors(otp=True)),
        a_tenant(tenant="umbrella", factors=Factors()),
    )
    async with bus.decider(*tenants):
        await bus.send(
            login("challenged"),
            login("allowed", tenant=GLOBEX),
            login("delegated", tenant="initech"),
            login("no-factor", tenant="umbrella"),
            login("elsewhere", return_url="https://evil.example.net/"),
            login("too-late", expires_at=datetime.now(UTC) - timedelta(seconds=1)),
        )
        results = {r.identity.event_id: r for r in await bus.answers(6)}
    assert {name: (r.type, r.body.reason) for name, r in results.items()} == {
        "challenged": (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE),
        "allowed": (ResultType.LOGIN_ALLOWED, Reason.MFA_NOT_DUE),
        "delegated": (ResultType.LOGIN_DELEGATED, Reason.MFA_DUE),
        "no-factor": (ResultType.LOGIN_DENIED, Reason.NO_USABLE_FACTOR),
        "elsewhere": (ResultType.LOGIN_DENIED, Reason.RETURN_URL_NOT_ALLOWED),
        "too-late": (ResultType.LOGIN_DENIED, Reason.LOGIN_EXPIRED),
    }
    assert results["delegated"].body.provider == "google-authenticator"
    assert (results["challenged"].body.challenge_url or "").startswith("https://localhost:8443/c/")
    assert bus.dead_letters == []


@pytest.mark.law(6)
async def test_passed_browser_is_remembered_and_step_up_ignores_it(bus: Bus) -> None:
    """Laws 6 and 7: challenged, proven, back with the code → passed; then remembered, then stepped up."""
    async with bus.decider():
        await bus.send(login("first"))
        challenge = await challenge_of(bus, "first")
        await bus.prove(challenge.id, CODE, Assurance.MFA)
        await bus.send(back("first"))
        await bus.answers(2)
        await bus.send(login("second"))
        await bus.send(login("third", transaction={"acr_values": [MULTI_FACTOR_ACR]}))
        found = by_event(await bus.answers(4))
    decided, outcome = found["first"]
    assert (decided.type, outcome.type) == (
        ResultType.LOGIN_CHALLENGED,
        ResultType.CHALLENGE_PASSED,
    )
    assert outcome.body.assurance is Assurance.MFA
    assert found["second"][0].type is ResultType.LOGIN_ALLOWED
    assert found["second"][0].body.assurance is Assurance.REMEMBERED
    assert found["third"][0].type is ResultType.LOGIN_CHALLENGED
    assert found["third"][0].body.trace[0] == "step-up-acr"


@pytest.mark.law(6)
@pytest.mark.parametrize("proven", [True, False], ids=["proven", "before the proof"])
async def test_wrong_code_denies(bus: Bus, *, proven: bool) -> None:
    """Law 6: a wrong code, or any code before the proof, denies; the right one afterwards changes nothing."""
    async with bus.decider():
        await bus.send(login("first"))
        challenge = await challenge_of(bus, "first")
        if proven:
            await bus.prove(challenge.id, CODE, Assurance.MFA)
        await bus.send(back("first", code="wrong"))
        await bus.answers(2)
        await bus.send(back("first", event_id="again"))
        await bus.send(login("second"))
        found = by_event(await bus.answers(3))
        await bus.until(lambda: len(bus.results) >= 4)
    outcome = found["first"][1]
    assert outcome.type is ResultType.CHALLENGE_DENIED
    assert outcome.body.reason is Reason.WRONG_RETURN_CODE
    assert len(found["first"]) == 2
    assert found["second"][0].type is ResultType.LOGIN_CHALLENGED


@pytest.mark.law(7)
@pytest.mark.parametrize("assurance", [Assurance.DUO_BYPASS])
async def test_bypass_is_not_remembered(bus: Bus, assurance: Assurance) -> None:
    """Law 7: a bypass passes with its own assurance, and never seeds a remembered browser."""
    async with bus.decider():
        await bus.send(login("first"))
        challenge = await challenge_of(bus, "first")
        await bus.prove(challenge.id, CODE, assurance)
        await bus.send(back("first"))
        await bus.answers(2)
        await bus.send(login("second"))
        found = by_event(await bus.answers(3))
    assert found["first"][1].body.assurance is assurance
    assert found["second"][0].type is ResultType.LOGIN_CHALLENGED


async def test_return_without_a_challenge_is_a_dead_letter(bus: Bus) -> None:
    """A return for an unknown login, or for another user's, is a dead letter and settles nothing."""
    async with bus.decider():
        await bus.send(login("first"))
        challenge = await challenge_of(bus, "first")
        await bus.send(back("never-seen"), back("first", subject=BOB))
        await bus.until(lambda: len(bus.dead_letters) == 2)
        (standing,) = await bus.store.challenges([challenge.id])
    assert {letter.reason for letter in bus.dead_letters} == {Defect.UNKNOWN_CHALLENGE}
    assert standing == challenge


@pytest.mark.law(3)
async def test_forget_between_two_logins_of_one_batch(bus: Bus) -> None:
    """Law 3: login, "forget", login of one user in one batch: the second isn't remembered."""
    async with bus.decider():
        await bus.send(login("seed"))
        challenge = await challenge_of(bus, "seed")
        await bus.prove(challenge.id, CODE, Assurance.MFA)
        await bus.send(back("seed"))
        await bus.answers(2)
    await bus.send(
        login("before"),
        a_forget_record(time=datetime.now(UTC)),
        login("after"),
        login("bob", subject=BOB),
    )
    async with bus.decider():
        found = by_event(await bus.answers(5))
    assert found["before"][0].body.reason is Reason.REMEMBERED_BROWSER
    assert found["after"][0].type is ResultType.LOGIN_CHALLENGED


@pytest.mark.law(3)
async def test_users_events_keep_their_order(bus: Bus) -> None:
    """Law 3: however events of users are mixed in a batch, each user's results keep their order."""
    names = [
        (f"{n}-of-{user}", f"auth0|{user}") for n in range(20) for user in ("ann", "ben", "cy")
    ]
    await bus.send(*(login(name, subject=subject) for name, subject in names))
    async with bus.decider(a_tenant(policy=Policy.NEVER)):
        await bus.answers(60)
    for user in ("ann", "ben", "cy"):
        assert order_kept(bus.results, [f"{n}-of-{user}" for n in range(20)])


async def test_ten_logins_in_one_batch_stay_in_the_budget(bus: Bus) -> None:
    """Ten logins of one user in one batch get five prompts and five denials, not ten prompts."""
    await bus.send(*(login(f"login-{n}") for n in range(10)))
    async with bus.decider():
        results = await bus.answers(10)
    reasons = [result.body.reason for result in results]
    assert reasons == [Reason.MFA_DUE] * 5 + [Reason.PUSH_BUDGET_SPENT] * 5


@pytest.mark.law(1)
async def test_conflict_is_dead_lettered_and_the_first_decision_stands(bus: Bus) -> None:
    """Law 1: an event under a taken identity is a dead letter; the first one's answer is untouched."""
    async with bus.decider():
        await bus.send(login("one"))
        await bus.answers(1)
        await bus.send(login("one", return_url=None), login("one", subject=BOB))
        await bus.until(lambda: len(bus.dead_letters) == 2)
        await bus.send(login("two", subject=BOB))
        found = by_event(await bus.answers(2))
    assert {letter.reason for letter in bus.dead_letters} == {Defect.CONFLICT}
    assert len(found["one"]) == 1
    assert found["two"][0].type is ResultType.LOGIN_CHALLENGED


@pytest.mark.law(1)
async def test_bad_neighbours_disturb_nobody(bus: Bus) -> None:
    """Law 1: each defect ends as one dead letter, bytes untouched, and its neighbours are decided."""
    good = login("good-0")
    assert good.value is not None
    bad = [
        InboundRecord(good.key, b"no json at all", []),
        InboundRecord(good.key, good.value[:-9], good.headers),
        InboundRecord(good.key, b" " * 300_000, good.headers),
        InboundRecord(good.key, b"[1, 2]", good.headers),
        InboundRecord(good.key, b'{"user": {}}', good.headers),
        InboundRecord(good.key, None, good.headers),
        InboundRecord(None, None, []),
        InboundRecord(good.key, b"\xff\xfe" + good.value, good.headers),
        InboundRecord(good.key, good.value, [*good.headers, good.headers[4]]),
        InboundRecord(good.key, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", []),
        InboundRecord(b"other:key", good.value, good.headers),
        login("nobody-knows", tenant="nobody"),
        login("in-an-hour")._replace(
            headers=[
                (
                    n,
                    (datetime.now(UTC) + timedelta(hours=1)).isoformat().encode()
                    if n == "ce_time"
                    else v,
                )
                for n, v in login("in-an-hour").headers
            ]
        ),
        login("tenant", tenant="ac{me}"),
        login("nul", subject="auth0|\0"),
        login("long", subject="x" * 10_000),
    ]
    mixed = []
    for n, record in enumerate(bad):
        mixed += [record, login(f"good-{n}", subject=f"auth0|user-{n}")]
    await bus.send(*mixed)
    async with bus.decider() as decider:
        await bus.answers(len(bad))
        await bus.until(lambda: len(bus.dead_letters) == len(bad))
        assert decider.source.failure is None
    assert sorted(
        (letter.key or b"", letter.value or b"") for letter in bus.dead_letters
    ) == sorted((record.key or b"", record.value or b"") for record in bad)
    headers = {letter.headers for letter in bus.dead_letters}
    assert headers == {tuple(record.headers) for record in bad}
    assert await bus.committed() == len(mixed)


@pytest.mark.law(2)
async def test_second_run_over_the_topic_repeats_the_same_bytes(bus: Bus) -> None:
    """Law 2: a group that reads everything again publishes identical records, and no others."""
    await bus.send(*(login(f"login-{n}", subject=f"auth0|user-{n % 7}") for n in range(50)))
    async with bus.decider():
        await bus.answers(50)
    again = bus.settings.model_copy(update={"group_id": f"{bus.settings.group_id}-again"})
    async with bus.decider(settings=again):
        await bus.until(lambda: len(bus.results) == 100)
    assert len(bus.distinct()) == 50
