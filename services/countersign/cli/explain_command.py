"""`countersign explain`: why a login is, or would be, decided as it is."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from countersign.adapters.memory.caches import MemoryCaches
from countersign.adapters.publishing import reading
from countersign.adapters.redis.configured import redis_caches, redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.cli.app import FAILED, OK
from countersign.cli.login_file import instant, read_login
from countersign.cli.output import answers, notes
from countersign.cli.session import begin
from countersign.cli.shown import one_line
from countersign.core import budget, remember
from countersign.core.identity import Pseudonyms
from countersign.core.login import LoginAttempted
from countersign.core.tenant import TenantSettings
from countersign.decider.configured import running_flows
from countersign.decider.effects import Effects
from countersign.decider.explanation import Explainer, Explanation, Part
from countersign.ports import Caches, Store
from countersign.wire.results import OutboundRecord, write_result

_MARKS: Final = {
    Part.ENDED: ("■", "bold green"),
    Part.SPOKE: ("●", "bold"),
    Part.SILENT: ("·", "dim"),
    Part.NOT_REACHED: (" ", "dim"),
}


async def explain(
    event: Path,
    /,
    *,
    tenant: str | None = None,
    now: datetime | None = None,
    store: bool = True,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Show how a login would be decided, or was: step by step, by the code that decides.

    Reads the tenant's settings and Actions from Kafka and what is remembered from Redis, runs the flow
    and walks the decision table. Nothing is written and nobody is asked: no challenge opens, no budget
    is charged. A login that was decided already is explained by the decision that stands.

    Args:
        event: A file with one login event in JSON: Auth0's `event` as it is, or as it stands on the topic.
        tenant: Whose login it is, where the event doesn't say so.
        now: The instant to decide at, such as 2026-11-24T12:00:00Z; now, where it isn't given.
        store: Whether what is remembered counts; without it, the user and browser are new.
        as_json: Print JSON, for programs.
    """
    at = instant(now)
    settings = begin()
    login = read_login(event, tenant, at)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(reading(settings, actions=True))
        found = reader.get(login.identity.tenant)
        if found is None:
            known = ", ".join(reader.versions()) or "none"
            notes().print(
                f"Error: {login.identity.tenant} has no settings. Tenants with settings: {known}."
            )
            return FAILED
        kept: Store | None = None
        caches: Caches = MemoryCaches()
        if store:
            redis = connect_redis(settings)
            stack.push_async_callback(redis.aclose)
            kept, caches = redis_store(settings, redis), redis_caches(settings, redis)
        flows = await stack.enter_async_context(running_flows(settings, reader))
        explainer = Explainer(
            kept,
            Effects(flows, caches),
            Pseudonyms(settings.identifier_key_bytes()),
            public_url=settings.public_url,
        )
        explanation = await explainer.explain(login, found, at)
    decision = explanation.decision
    record = write_result(
        settings.mfa_results_topic,
        login.identity,
        login.subject,
        login.event.client.client_id,
        decision,
        traceparent=decision.traceparent or login.traceparent,
    )
    if as_json:
        answers().print(_json(login, found, explanation, record), end="")
    else:
        _show(answers(), login, found, explanation, record)
    return OK


def _show(
    console: Console,
    login: LoginAttempted,
    tenant: TenantSettings,
    explanation: Explanation,
    record: OutboundRecord,
) -> None:
    decision = explanation.decision
    console.print(
        f"Login {one_line(login.identity.event_id)} of {one_line(login.subject)} at"
        f" {one_line(login.event.client.client_id)}, tenant {tenant.tenant}"
    )
    if explanation.standing.conflict:
        console.print(
            "Another event came first under the same source and id: this one would be a dead letter."
        )
    if explanation.standing.decided is not None:
        console.print(
            f"It was decided at {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC, by version"
            f" {decision.settings_version} of the settings; that decision stands."
        )
    _title(console, f"Settings, version {tenant.version}")
    factors = ", ".join(tenant.factors.enabled()) or "none"
    console.print(f"  policy {tenant.mfa.policy.value}; factors that are on: {factors}")
    _title(console, "Facts")
    for fact in _facts(tenant, explanation):
        console.print(f"  {fact}")
    _title(console, "Actions, in the order in which they spoke")
    for said in explanation.actions or ("none",):
        console.print(f"  {one_line(said)}")
    _title(console, "The decision table")
    for rule, means, part in explanation.steps:
        mark, style = _MARKS[part]
        console.print(Text(f"  {mark} {rule:<24} {means}", style=style))
    console.print(Text("  ■ gave the decision   ● spoke for it   · did not hold", style="dim"))
    _title(
        console,
        f"Published on {record.topic}"
        if explanation.standing.decided
        else f"Would be published on {record.topic}",
    )
    headers = dict(record.headers)
    console.print(f"  {headers['ce_type'].decode()}, id {headers['ce_id'].decode()}")
    console.print(msgspec.json.format(record.value or b"", indent=2).decode())


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _facts(tenant: TenantSettings, explanation: Explanation) -> list[str]:
    now, facts = explanation.decision.decided_at, explanation.standing.facts
    browser = facts.remembered
    if browser is None:
        told = ["the browser is not remembered"]
    else:
        ends = remember.ends_at(browser, tenant.remember)
        live = remember.is_live(browser, tenant.remember, now)
        told = [
            f"the browser was remembered at {browser.since:%Y-%m-%d %H:%M} UTC, last used at"
            f" {browser.renewed:%Y-%m-%d %H:%M}, and {'ends' if live else 'ended'} at {ends:%Y-%m-%d %H:%M}"
        ]
    limits = tenant.push_budget
    recent = sum(at > now - limits.window for at in facts.prompts)
    told.append(f"{recent} of {limits.prompts} prompts of the push budget are used")
    if facts.refusals:
        cooling = budget.is_cooling_down(facts.refusals, limits, now)
        told.append(
            f"{len(facts.refusals)} prompts were refused lately;"
            f" the user is {'in a cool-down' if cooling else 'not in a cool-down'}"
        )
    if explanation.cache:
        told.append(
            f"the Actions' cache holds {', '.join(map(one_line, sorted(explanation.cache)))}"
        )
    return told


def _json(
    login: LoginAttempted,
    tenant: TenantSettings,
    explanation: Explanation,
    record: OutboundRecord,
) -> str:
    facts = explanation.standing.facts
    document: dict[str, Any] = {
        "event_id": login.identity.event_id,
        "source": login.identity.source,
        "tenant": tenant.tenant,
        "subject": login.subject,
        "decided_at": explanation.decision.decided_at,
        "settings_version": explanation.decision.settings_version,
        "stands": explanation.standing.decided is not None,
        "conflict": explanation.standing.conflict,
        "facts": {
            "remembered": facts.remembered,
            "prompts": facts.prompts,
            "refusals": facts.refusals,
            "cached": sorted(explanation.cache),
        },
        "actions": explanation.actions,
        "steps": [
            {"rule": rule, "means": means, "part": part.value}
            for rule, means, part in explanation.steps
        ],
        "result": {
            "topic": record.topic,
            "headers": {name: value.decode() for name, value in record.headers},
            "body": msgspec.Raw(record.value or b"null"),
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
