"""Tenants' flows, from the settings that name them to what the decision sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

import msgspec
import pytest
from structlog.testing import capture_logs

from countersign.actions.flows import TenantFlows
from countersign.actions.python_actions import PythonActions
from countersign.actions.python_api import Api
from countersign.actions.python_event import Event
from countersign.actions.sandbox import Sandbox
from countersign.core.action import ActionRules, ActionVersion
from countersign.core.effect import CacheWrite, Effect, Provider
from countersign.core.errors import BusUnavailableError, UnavailableError
from countersign.core.facts import CacheEntry
from countersign.core.result import AccessDenied, Reason, Recorded
from countersign.core.sealed import SealedSecret
from countersign.decider.metrics import ActionCounts, Metrics
from tests.builders import ACME, GLOBEX, NOW, a_login, a_tenant
from tests.flows import (
    SEALER,
    Shelf,
    a_call,
    a_python_ref,
    an_action,
    an_inline_action,
    effect_of,
    flows_of,
    refs,
)
from tests.sandboxes import an_obedient_sandbox

DUO = an_inline_action("api.multifactor.enable('duo', {allowRememberBrowser: true});", name="duo")
SILENT = an_inline_action("", name="silent")
IKEY = "DIAAAAAAAAAAAAAAAAAA"
SKEY = "made-up-secret-of-forty-characters-0001x"
OWN = "api.multifactor.enable('duo', {providerOptions: {ikey: '%s', skey: '%s', host: '%s'}});"


async def _effect(body: str) -> Effect:
    action = an_inline_action(body)
    return await effect_of(action, a_login(), a_tenant(flow=refs(action)))


async def test_what_it_asked_for() -> None:
    """What an Action asks for, and what each said, reaches the decision; a silent one says so."""
    tenant = a_tenant(flow=refs(SILENT, DUO))
    async with flows_of({ACME: [SILENT, DUO]}) as flows:
        (effect,) = await flows.effects([a_call(a_login(), tenant)])
    assert effect == Effect(
        provider=Provider.DUO,
        allow_remember_browser=True,
        trace=("action:silent@1:silent", "action:duo@1:enable-duo"),
    )


@pytest.mark.law(10)
async def test_tenants_are_apart() -> None:
    """Law 10: one name, two tenants: each has its own code, secrets and realm, in one batch."""
    source = (
        "exports.onExecutePostLogin = async (event, api) =>"
        " api.access.deny(`${event.tenant.id} ${event.secrets.WHO === 'the secret of %s'}`);"
    )
    mine, theirs = (
        an_action("who", source % who, secrets={"WHO": f"the secret of {who}"})
        for who in (ACME, GLOBEX)
    )
    calls = [
        a_call(a_login(event_id=f"login-{n}", tenant=name), a_tenant(tenant=name, flow=refs(mine)))
        for n, name in enumerate([ACME, GLOBEX] * 50)
    ]
    async with flows_of({ACME: [mine], GLOBEX: [theirs]}) as flows:
        effects = await flows.effects(calls)
    reasons = [effect.access_denied.reason for effect in effects if effect.access_denied]
    assert reasons == [f"{ACME} true", f"{GLOBEX} true"] * 50


async def test_a_denial() -> None:
    """A denial keeps what was recorded and cached before it."""
    effect = await _effect(
        "api.user.setAppMetadata('seen', true); api.cache.set('n', '1', {ttl: 1000});"
        "api.access.deny('no-entry', 'Not from here');"
    )
    assert effect.denied is Reason.ACTION_DENIED
    assert effect.access_denied == AccessDenied(reason="Not from here", code="no-entry")
    assert effect.recorded == (Recorded(call="user.setAppMetadata", arguments=("seen", True)),)
    (write,) = effect.cache
    assert (write.key, write.value) == ("n", "1")
    assert write.expires_at == NOW + timedelta(seconds=1)


async def test_a_redirect() -> None:
    """A redirect ends the login, with the address."""
    effect = await _effect("api.redirect.sendUserTo('https://example.com/why');")
    assert (effect.denied, effect.redirect_url) == (
        Reason.REDIRECTED,
        "https://example.com/why",
    )


async def test_a_failure_keeps_nothing_but_the_trace() -> None:
    """An Action that throws denies the login, whatever was asked for before."""
    actions = [DUO, an_inline_action("api.user.setAppMetadata('a', 1); throw new Error('no');")]
    async with flows_of({ACME: actions}) as flows:
        (effect,) = await flows.effects([a_call(a_login(), a_tenant(flow=refs(*actions)))])
    assert effect.trace[0] == "action:duo@1:enable-duo"
    assert effect.trace[1].endswith("error-threw")
    assert effect == Effect(denied=Reason.ACTION_ERROR, trace=effect.trace)


@pytest.mark.law(9)
async def test_its_own_duo_account() -> None:
    """Law 9: an Action's own account is sealed for its client id at once, and the same one only once."""
    action = an_inline_action(OWN % (IKEY, SKEY, "api-1.example.com"))
    async with flows_of({ACME: [action]}) as flows:
        call = a_call(a_login(), a_tenant(flow=refs(action)))
        first, second = await flows.effects([call, call])
    assert first.duo is not None
    assert first.duo is second.duo
    assert (first.duo.client_id, first.duo.api_host) == (IKEY, "api-1.example.com")
    assert SEALER.unseal(first.duo.client_secret, tenant=ACME, purpose=IKEY) == SKEY
    assert SKEY not in repr(first)


@pytest.mark.parametrize(
    ("ikey", "host"), [("too-short", "api-1.example.com"), (IKEY, "https://api/x")]
)
async def test_an_account_that_is_none(ikey: str, host: str) -> None:
    """An account that settings would refuse fails the Action, and its secret is told to nobody."""
    with capture_logs() as logs:
        effect = await _effect(OWN % (ikey, SKEY, host))
    assert effect.denied is Reason.ACTION_ERROR
    assert effect.trace == ("action:ask@1:error-invalid-call",)
    (failed,) = (entry for entry in logs if entry["event"] == "action_failed")
    assert failed["kind"] == "invalid-call"
    assert SKEY not in str(logs)


async def test_its_cache() -> None:
    """An Action reads the tenant's cache as it was fetched."""
    action = an_inline_action("api.access.deny(api.cache.get('k').value);")
    cache = {"k": CacheEntry("kept", NOW + timedelta(minutes=1))}
    async with flows_of({ACME: [action]}) as flows:
        tenant = a_tenant(flow=refs(action))
        (effect,) = await flows.effects([a_call(a_login(), tenant, cache)])
        assert flows.uses_cache(tenant)
    assert effect.access_denied == AccessDenied(reason="kept")


async def test_who_uses_the_cache() -> None:
    """A flow may ask for the cache where its code or a module mentions it, or Python runs."""
    module = an_action("m", "require('x');", modules={"x": "exports.f = a => a.cache;"})
    async with flows_of({ACME: [SILENT, module]}) as flows:
        assert not flows.uses_cache(a_tenant(flow=refs(SILENT)))
        assert flows.uses_cache(a_tenant(flow=refs(module)))
        assert flows.uses_cache(a_tenant(flow=(a_python_ref("anything"),)))


async def test_a_cache_write_that_deletes() -> None:
    """What an Action deletes is deleted."""
    effect = await _effect("api.cache.set('k', 'v'); api.cache.delete('k');")
    assert effect.cache[-1] == CacheWrite(key="k")


@pytest.mark.law(12)
async def test_the_same_event_has_the_same_chance() -> None:
    """Law 12: clock and chance follow from the event; another event's are others."""
    action = an_inline_action("api.access.deny(`${Date.now()} ${Math.random()}`);")
    logins = [a_login(event_id="a"), a_login(event_id="b"), a_login(event_id="a")]
    tenant = a_tenant(flow=refs(action))
    reasons = []
    for _ in range(2):
        async with flows_of({ACME: [action]}) as flows:
            for effect in await flows.effects([a_call(login, tenant) for login in logins]):
                assert effect.access_denied is not None
                reasons.append(effect.access_denied.reason)
    assert reasons[0] == reasons[2] == reasons[3] == reasons[5] != reasons[1] == reasons[4]
    assert reasons[0].startswith(str(int(NOW.timestamp() * 1000)))


# -- what isn't there ------------------------------------------------------------------------------


async def test_what_was_just_published_is_waited_for() -> None:
    """Settings that came before their Action: the topic is read on, and the flow runs."""
    shelves: list[Shelf] = []
    async with flows_of({}, shelf=shelves.append) as flows:
        shelves[0].arriving.append((ACME, DUO))
        tenant = a_tenant(flow=refs(DUO))
        assert flows.uses_cache(tenant)
        (effect,) = await flows.effects([a_call(a_login(), tenant)])
    assert effect.provider is Provider.DUO
    assert shelves[0].caught_up == 1


async def test_an_action_that_is_missing() -> None:
    """What isn't there denies its tenant's logins alone; it is waited for and told once a version."""
    shelves: list[Shelf] = []
    metrics = Metrics()
    lost, there = a_tenant(flow=refs(DUO)), a_tenant(tenant=GLOBEX, flow=refs(DUO))
    calls = [a_call(a_login(), lost), a_call(a_login(tenant=GLOBEX), there)] * 3
    async with flows_of(
        {GLOBEX: [DUO]}, shelf=shelves.append, metrics=ActionCounts(metrics)
    ) as flows:
        with capture_logs() as logs:
            effects = [*await flows.effects(calls), *await flows.effects(calls)]
        assert shelves[0].caught_up == 1
        assert sum(entry["event"] == "action_failed" for entry in logs) == 1
        shelves[0].put(ACME, DUO)
        (later,) = await flows.effects(calls[:1])
    denied = Effect(denied=Reason.ACTION_ERROR, trace=("action:duo@1:error-missing",))
    assert effects[::2] == [denied] * 6
    assert {effect.provider for effect in effects[1::2]} == {Provider.DUO}
    assert later.provider is Provider.DUO
    labels = {"tenant": ACME, "action": "duo", "outcome": "missing"}
    assert metrics.registry.get_sample_value("countersign_action_calls_total", labels) == 6


async def test_a_secret_that_cannot_be_unsealed() -> None:
    """A secret that was sealed for something else denies the login; its flow doesn't run without it."""

    class Foreign(Shelf):
        def action(self, tenant: str, name: str, version: int) -> ActionVersion | None:
            found = super().action(tenant, name, version)
            sealed: SealedSecret = SEALER.seal("x", tenant=tenant, purpose="something else")
            return found and msgspec.structs.replace(found, secrets={"KEY": sealed})

    async with Sandbox() as sandbox:
        flows = TenantFlows(sandbox, Foreign({ACME: [DUO]}), SEALER, PythonActions({}))
        (effect,) = await flows.effects([a_call(a_login(), a_tenant(flow=refs(DUO)))])
    assert effect.trace == ("action:duo@1:error-missing",)
    assert effect.denied is Reason.ACTION_ERROR


@pytest.mark.law(8)
async def test_kafka_is_away_while_an_action_is_missing() -> None:
    """Law 8: as long as nobody can say whether the Action is there, its logins wait."""

    class Away(Shelf):
        async def catch_up(self) -> None:
            raise BusUnavailableError

    async with Sandbox() as sandbox:
        flows = TenantFlows(sandbox, Away({}), SEALER, PythonActions({}))
        with pytest.raises(UnavailableError):
            await flows.effects([a_call(a_login(), a_tenant(flow=refs(DUO)))])


async def test_other_settings_other_code() -> None:
    """A new version, or other limits, are in force with the settings that name them."""
    deny = an_action(
        "duo", "exports.onExecutePostLogin = async (e, a) => a.access.deny('2');", version=2
    )
    loop = an_inline_action("for (;;) {}", name="loop")
    long = ActionRules(time_limit=timedelta(milliseconds=10), flow_time_limit=timedelta(seconds=1))
    async with flows_of({ACME: [DUO, deny, loop]}) as flows:
        told: list[str] = []
        for version, flow in enumerate([refs(DUO), refs(deny), refs(DUO), refs(loop)], 1):
            tenant = a_tenant(version=version, flow=flow, actions=long)
            (effect,) = await flows.effects([a_call(a_login(), tenant)])
            told += effect.trace
    assert told == [
        "action:duo@1:enable-duo",
        "action:duo@2:deny",
        "action:duo@1:enable-duo",
        "action:loop@1:error-time",
    ]


# -- what a process says that is no longer to be trusted -------------------------------------------


@pytest.mark.law(6)
@pytest.mark.parametrize(
    "report",
    ["nobody's", "shouts", "unknown-provider", "no-json", "endless-cache", "raise", "huge", "die"],
)
async def test_a_report_that_cannot_be(report: str) -> None:
    """A report that no flow makes denies its login; the next one is read as ever."""
    async with an_obedient_sandbox() as sandbox:
        flows = TenantFlows(sandbox, Shelf({ACME: [DUO]}), SEALER, PythonActions({}))
        tenant = a_tenant(flow=refs(DUO))
        bad, good = await flows.effects(
            [a_call(a_login(do=report), tenant), a_call(a_login(event_id="2"), tenant)]
        )
    assert (bad.denied, bad.trace[-1]) == (Reason.ACTION_ERROR, "action:duo@1:error-crashed")
    assert bad == Effect(denied=bad.denied, trace=bad.trace)
    assert good == Effect(trace=("action:duo@1:silent",))


async def test_effects_that_are_nested_too_deep() -> None:
    """What is nested too deep to be handed on fails the Action, here and not in what comes after."""
    effect = await _effect(
        "let a = []; for (let i = 0; i < 200; i++) a = [a]; api.user.setAppMetadata('k', a);"
    )
    assert effect.denied is Reason.ACTION_ERROR
    assert effect.recorded == ()


# -- Python ----------------------------------------------------------------------------------------


def _deny(_: Event, api: Api) -> None:
    api.access.deny("Python says no")


def _fail(_: Event, __: Api) -> None:
    raise RuntimeError


PYTHON: Mapping[str, Callable[[Event, Api], object]] = {"deny": _deny, "fail": _fail}


@pytest.mark.parametrize(
    ("body", "name", "said"),
    [
        ("", "deny", ["action:ask@1:silent", "python:deny@0:deny"]),
        ("api.access.deny('js');", "deny", ["action:ask@1:deny"]),
        ("throw 1;", "deny", ["action:ask@1:error-threw"]),
        ("api.redirect.sendUserTo('https://example.com');", "deny", ["action:ask@1:redirect"]),
        (
            "api.authentication.challengeWith({type: 'otp'});",
            "deny",
            ["action:ask@1:challenge-with"],
        ),
        ("", "fail", ["action:ask@1:silent", "python:fail@0:error-threw"]),
        ("", "gone", ["action:ask@1:silent", "python:gone@0:error-missing"]),
    ],
)
async def test_python_comes_after_javascript(body: str, name: str, said: list[str]) -> None:
    """Python Actions run last, and only where the flow goes on."""
    action = an_inline_action(body)
    async with flows_of({ACME: [action]}, python=PYTHON) as flows:
        tenant = a_tenant(flow=(*refs(action), a_python_ref(name)))
        (effect,) = await flows.effects([a_call(a_login(), tenant)])
    assert list(effect.trace) == said


async def test_python_alone() -> None:
    """A flow of Python alone needs no sandbox."""
    sandbox = Sandbox(("/nowhere/at/all",))
    flows = TenantFlows(sandbox, Shelf({}), SEALER, PythonActions(PYTHON))
    (effect,) = await flows.effects([a_call(a_login(), a_tenant(flow=(a_python_ref("deny"),)))])
    assert effect.denied is Reason.ACTION_DENIED


# -- what is told ----------------------------------------------------------------------------------


@pytest.mark.law(9)
async def test_console_and_failures_are_logged() -> None:
    """Law 9: the log has what an Action wrote and why it failed, its secrets masked; the effect hasn't."""
    action = an_action(
        "talk",
        "exports.onExecutePostLogin = async (event) => {"
        " console.warn('key', event.secrets.KEY); throw new Error('bad ' + event.secrets.KEY); };",
        secrets={"KEY": SKEY},
    )
    metrics = Metrics()
    with capture_logs() as logs:
        async with flows_of({ACME: [action]}, metrics=ActionCounts(metrics)) as flows:
            (effect,) = await flows.effects([a_call(a_login(), a_tenant(flow=refs(action)))])
    told = {entry["event"]: entry for entry in logs}
    assert told["action_console"]["console"] == "warn"
    assert told["action_console"]["line"].startswith("key ")
    assert told["action_failed"]["kind"] == "threw"
    assert (told["action_failed"]["tenant"], told["action_failed"]["version"]) == (ACME, 1)
    assert SKEY not in f"{logs} {effect}"
    labels = {"tenant": ACME, "action": "talk"}
    value = metrics.registry.get_sample_value
    assert value("countersign_action_calls_total", {**labels, "outcome": "threw"}) == 1
    assert value("countersign_action_seconds_total", labels) is not None


async def test_calls_are_counted_once_a_batch() -> None:
    """What many logins did is handed over at once, by Action and outcome."""
    handed: Counter[tuple[str, str, str]] = Counter()
    times = []

    class Counting:
        def count_action(
            self, tenant: str, action: str, outcome: str, *, calls: int, seconds: float
        ) -> None:
            times.append(seconds)
            handed[tenant, action, outcome] += calls

        def count_restart(self) -> None:
            raise AssertionError

    tenant = a_tenant(flow=refs(SILENT, DUO))
    async with flows_of({ACME: [SILENT, DUO]}, metrics=Counting()) as flows:
        await flows.effects([a_call(a_login(), tenant)] * 100)
    assert handed == {(ACME, "silent", "ok"): 100, (ACME, "duo", "ok"): 100}
    assert len(times) == 2
