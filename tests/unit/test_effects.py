"""What tenants' Actions ask for reaches the decision, and their caches, as it should."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from countersign.adapters.memory.caches import MemoryCaches
from countersign.adapters.memory.store import MemoryStore
from countersign.core.action import ActionKind, ActionRef
from countersign.core.effect import NO_EFFECT, CacheWrite, Effect, Provider
from countersign.core.errors import UnavailableError
from countersign.core.facts import CacheEntry
from countersign.core.login import LoginAttempted
from countersign.core.result import AccessDenied, Decision, Reason, Recorded, ResultType
from countersign.core.sealed import SealedSecret
from countersign.core.tenant import DuoAccount, TenantSettings
from countersign.decider.effects import Effects
from countersign.decider.explanation import Explainer, Part
from countersign.decider.judge import Answer, Decided, Judge
from countersign.decider.waves import Entry
from countersign.ports import FlowCall, Recording
from tests.builders import (
    ACME,
    ALICE,
    BOB,
    CHALLENGER,
    GLOBEX,
    NOW,
    PSEUDONYMS,
    a_login,
    a_tenant,
    decided,
)

FLOW = (ActionRef(name="ask", kind=ActionKind.ACTION, version=3),)
ASKED = Effect(provider=Provider.DUO, trace=("action:ask@3:enable-duo",))


class Scripted:
    """`ports.Flows` that says what a test wants, and keeps what it was asked."""

    def __init__(self, script: Callable[[FlowCall], Effect], *, caching: bool = True) -> None:
        self._script = script
        self._caching = caching
        self.calls: list[FlowCall] = []

    def uses_cache(self, tenant: TenantSettings) -> bool:
        """See `ports.Flows.uses_cache`."""
        return self._caching and bool(tenant.flow)

    async def effects(self, calls: Sequence[FlowCall]) -> list[Effect]:
        """See `ports.Flows.effects`."""
        self.calls += calls
        return [self._script(call) for call in calls]


class Bench:
    """A judge with scripted flows."""

    def __init__(
        self, script: Callable[[FlowCall], Effect], *, store: MemoryStore | None = None
    ) -> None:
        self.flows = Scripted(script)
        self.caches = MemoryCaches()
        self.store = store or MemoryStore(PSEUDONYMS)
        self.effects = Effects(self.flows, self.caches)
        self.judge = Judge(
            self.store, self.effects, PSEUDONYMS, public_url=CHALLENGER, clock=lambda: NOW
        )

    async def answer(self, *logins: LoginAttempted) -> list[Answer]:
        """Return the answers to a wave."""
        entries = [
            Entry(place, login, a_tenant(tenant=login.identity.tenant, flow=FLOW))
            for place, login in enumerate(logins)
        ]
        return [
            answer for _, answer in sorted(await self.judge.answer(entries), key=lambda one: one[0])
        ]

    async def decision(self, login: LoginAttempted) -> Decision:
        """Return the decision on one login."""
        (answer,) = await self.answer(login)
        assert isinstance(answer, Decided)
        return answer.decision


@pytest.mark.law(12)
async def test_an_effect_is_decided_by_and_traced() -> None:
    """Law 12: what the Action said leads the decision, and stands in the trace before the rules."""
    decision = await Bench(lambda _: ASKED).decision(a_login())
    assert decision.type is ResultType.LOGIN_CHALLENGED
    assert decision.trace == ("action:ask@3:enable-duo", "action-asks", "duo-challenge")


async def test_an_actions_own_account_and_name_are_the_challenges() -> None:
    """The challenge carries the Duo account and the user name that the Action gave, sealed as they came."""
    account = DuoAccount(
        client_id="DI" + "A" * 18,
        client_secret=SealedSecret(key_id="k", nonce="n", ciphertext="c"),
        api_host="api-2.example.com",
    )
    bench = Bench(lambda _: Effect(provider=Provider.DUO, duo=account, duo_username="alice@corp"))
    decision = await bench.decision(a_login())
    assert decision.challenge is not None
    (challenge,) = await bench.store.challenges([decision.challenge.id])
    assert challenge is not None
    assert (challenge.duo, challenge.duo_username) == (account, "alice@corp")


@pytest.mark.parametrize(
    ("effect", "kind"),
    [
        (
            Effect(denied=Reason.ACTION_DENIED, access_denied=AccessDenied(reason="no")),
            Reason.ACTION_DENIED,
        ),
        (Effect(denied=Reason.REDIRECTED, redirect_url="https://x.example.com"), Reason.REDIRECTED),
        (Effect(denied=Reason.ACTION_ERROR), Reason.ACTION_ERROR),
        (Effect(provider=Provider.DUO, duo_username=" "), Reason.DUO_USERNAME_MISSING),
    ],
)
async def test_what_an_action_refuses_is_denied(effect: Effect, kind: Reason) -> None:
    """A denial, a redirect, an error and a missing name each deny the login, each with its own reason."""
    decision = await Bench(lambda _: effect).decision(a_login())
    assert (decision.type, decision.reason) == (ResultType.LOGIN_DENIED, kind)
    assert decision.access_denied == effect.access_denied
    assert decision.redirect_url == effect.redirect_url


async def test_a_login_that_has_expired_runs_no_flow() -> None:
    """What is void already costs no tenant's code its time."""
    bench = Bench(lambda _: ASKED)
    decision = await bench.decision(a_login(expires_at=NOW - timedelta(seconds=1)))
    assert decision.reason is Reason.LOGIN_EXPIRED
    assert bench.flows.calls == []


@pytest.mark.law(2)
async def test_a_login_that_was_decided_runs_no_flow_again() -> None:
    """Law 2: a redelivery gets the decision that stands, whatever the flow would say by now."""
    says = iter([ASKED, NO_EFFECT])
    bench = Bench(lambda _: next(says))
    first = await bench.decision(a_login())
    assert await bench.decision(a_login()) == first
    assert len(bench.flows.calls) == 1


async def test_a_tenant_without_a_flow_is_not_asked() -> None:
    """Only the logins of tenants with a flow cross over to the sandbox, in one call."""
    bench = Bench(lambda _: ASKED)
    logins = [a_login(subject=ALICE, event_id="a"), a_login(subject=BOB, event_id="b")]
    entries = [Entry(0, logins[0], a_tenant(flow=FLOW)), Entry(1, logins[1], a_tenant())]
    await bench.judge.answer(entries)
    assert [call.event.subject for call in bench.flows.calls] == [ALICE]


async def test_a_judgement_that_starts_anew_keeps_the_effect() -> None:
    """Where the store wants a login judged anew, its flow isn't run again."""

    class Anew(MemoryStore):
        turns = 0

        async def record(self, recordings: Sequence[Recording]) -> list[Decision | None]:
            self.turns += 1
            if self.turns == 1:
                return [None for _ in recordings]
            return await super().record(recordings)

    bench = Bench(lambda _: ASKED, store=Anew(PSEUDONYMS))
    decision = await bench.decision(a_login())
    assert decision.type is ResultType.LOGIN_CHALLENGED
    assert len(bench.flows.calls) == 1


class TestCaches:
    """What Actions write to their cache."""

    WRITE = CacheWrite(key="k", value="v", expires_at=NOW + timedelta(minutes=15))

    async def test_a_write_is_read_by_the_next_login_of_the_tenant(self) -> None:
        """What one login's Action cached, the next one's finds; another tenant's doesn't."""
        bench = Bench(lambda _: Effect(cache=(self.WRITE,)))
        await bench.decision(a_login(event_id="1"))
        await bench.decision(a_login(event_id="2"))
        await bench.decision(a_login(event_id="3", tenant=GLOBEX))
        read = [dict(call.cache) for call in bench.flows.calls]
        assert read == [{}, {"k": CacheEntry("v", NOW + timedelta(minutes=15))}, {}]

    async def test_a_write_is_applied_once(self) -> None:
        """Who comes second with a decision applies nothing, since the first one has."""
        writes = iter([CacheWrite(key="k"), self.WRITE])
        login = a_login()

        class Slow(MemoryStore):
            async def record(self, recordings: Sequence[Recording]) -> list[Decision | None]:
                theirs = [Recording(event=login, decision=decided(login))]
                await super().record(theirs)
                return await super().record(recordings)

        bench = Bench(lambda _: Effect(cache=(next(writes),)), store=Slow(PSEUDONYMS))
        await bench.caches.cache([])
        await bench.decision(login)
        assert await bench.caches.cached([ACME]) == {ACME: {}}

    async def test_a_flow_that_never_reads_its_cache_costs_no_call(self) -> None:
        """Caches are read only for tenants whose code mentions one."""
        flows = Scripted(lambda _: NO_EFFECT, caching=False)
        caches = MemoryCaches()
        await caches.cache([])
        cached = await Effects(flows, caches).cached([a_tenant(flow=FLOW), a_tenant(), None])
        assert cached == {}


@pytest.mark.law(8)
async def test_flows_that_cannot_be_run_are_waited_for() -> None:
    """Law 8: where the sandbox can't be had, nothing is decided."""

    def away(_: FlowCall) -> Effect:
        message = "no sandbox"
        raise UnavailableError(message)

    bench = Bench(away)
    with pytest.raises(UnavailableError):
        await bench.decision(a_login())
    assert not (await bench.store.look(a_login())).decided


class TestExplained:
    """`explain` says what the live path does."""

    @pytest.mark.law(12)
    async def test_it_is_the_live_decision(self) -> None:
        """Law 12: what is explained is what is decided then, to the byte, and nothing is written by it."""
        recorded = Effect(
            provider=Provider.DUO,
            recorded=(Recorded(call="user.setUserMetadata", arguments=("k", 1)),),
            cache=(TestCaches.WRITE,),
            trace=("action:ask@3:enable-duo",),
        )
        bench = Bench(lambda _: recorded)
        explainer = Explainer(bench.store, bench.effects, PSEUDONYMS, public_url=CHALLENGER)
        explained = await explainer.explain(a_login(), a_tenant(flow=FLOW), NOW)
        assert await bench.caches.cached([ACME]) == {ACME: {}}
        assert await bench.decision(a_login()) == explained.decision
        assert explained.actions == ("action:ask@3:enable-duo",)
        spoke = {step.rule: step.part for step in explained.steps if step.part is not Part.SILENT}
        assert spoke == {"action-asks": Part.SPOKE, "duo-challenge": Part.ENDED}

    async def test_a_decision_that_stands_is_the_explanation(self) -> None:
        """A login that was decided is explained by its record, although the settings have changed."""
        bench = Bench(lambda _: ASKED)
        decision = await bench.decision(a_login())
        explainer = Explainer(bench.store, bench.effects, PSEUDONYMS, public_url=CHALLENGER)
        later = await explainer.explain(a_login(), a_tenant(version=9), NOW + timedelta(hours=1))
        assert later.decision == decision
        assert later.standing.decided == decision

    async def test_rows_after_the_end_were_not_reached(self) -> None:
        """The walk is shown to its end and no further; without a store nothing is remembered."""
        bench = Bench(lambda _: NO_EFFECT)
        explainer = Explainer(None, bench.effects, PSEUDONYMS, public_url=CHALLENGER)
        explained = await explainer.explain(a_login(expires_at=NOW), a_tenant(flow=FLOW), NOW)
        assert [step.part for step in explained.steps][:2] == [Part.ENDED, Part.NOT_REACHED]
