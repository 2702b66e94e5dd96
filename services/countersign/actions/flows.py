"""Runs tenants' flows of Actions: JavaScript in the sandbox, then the operator's Python Actions in here.

Law 12: a flow's clock and chance follow from its event, and its answer is made from event, settings and
cache alone. Whatever goes wrong in one denies its own login; only what is out of reach makes the others wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from countersign.actions.bound_flow import BoundFlow, BoundFlows, MissingError
from countersign.actions.child import Job
from countersign.actions.flow import ErrorKind, Failure, FlowLogin, FlowReport
from countersign.actions.python_actions import PythonActions
from countersign.actions.reported import not_run, read_report
from countersign.actions.sandbox import Sandbox
from countersign.actions.telling import ActionMetrics, Teller
from countersign.core.effect import NO_EFFECT, Effect
from countersign.core.facts import CacheEntry
from countersign.core.identity import EventIdentity
from countersign.core.tenant import TenantSettings
from countersign.ports import FlowCall, PublishedActions, Secrets

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_NOTHING: Final = FlowReport()

_Cache = dict[str, tuple[str, int]]


class TenantFlows:
    """`ports.Flows` on a sandbox.

    Args:
        sandbox: runs JavaScript; its owner starts and closes it.
        published: the versions of Actions.
        secrets: unseals their secrets, and seals Duo accounts that they give.
        python: the operator's Python Actions.
        metrics: what is counted.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        published: PublishedActions,
        secrets: Secrets,
        python: PythonActions,
        *,
        metrics: ActionMetrics | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._published = published
        self._bound = BoundFlows(published, secrets)
        self._python = python
        self._metrics = metrics
        self._lacking: dict[str, int] = {}

    def uses_cache(self, tenant: TenantSettings) -> bool:
        """See `ports.Flows.uses_cache`."""
        try:
            return self._bound.get(tenant).uses_cache
        except MissingError:
            # It may be there by the time it is run.
            return True

    async def effects(self, calls: Sequence[FlowCall]) -> list[Effect]:
        """See `ports.Flows.effects`.

        Raises:
            UnavailableError: no process can be started for them, or an Action is missing and Kafka can't be
                asked for it.
        """
        await self._wait_for_new(calls)
        teller = Teller(self._metrics)
        effects = [NO_EFFECT] * len(calls)
        flows: list[tuple[int, BoundFlow, FlowLogin]] = []
        missing: dict[int, MissingError] = {}
        caches: dict[int, _Cache] = {}
        for place, call in enumerate(calls):
            bound = self._get(call.tenant, missing)
            if bound is None:
                effects[place] = self._lack(call.tenant, missing[id(call.tenant)], teller)
                continue
            cache = caches.get(id(call.cache))
            if cache is None:
                cache = caches[id(call.cache)] = _cache_of(call.cache)
            flows.append((place, bound, _login(call, cache)))
        jobs = [Job(bound.code, login) for _, bound, login in flows if bound.code is not None]
        reports = iter(await self._sandbox.run(jobs)) if jobs else iter(())
        for place, bound, login in flows:
            report = _NOTHING if bound.code is None else next(reports)
            if bound.python:
                report = self._and_python(bound, login, report)
            effect, failure, position = read_report(report, bound, self._bound.account)
            teller.report(bound, report, failure, position)
            effects[place] = effect
        teller.done()
        return effects

    def _and_python(self, bound: BoundFlow, login: FlowLogin, report: FlowReport) -> FlowReport:
        """Run a flow's Python Actions, unless it has ended before."""
        for position, name in bound.python:
            if _has_ended(report):
                break
            report = self._python.run(name, login, report, position, rules=bound.rule_names)
        return report

    async def _wait_for_new(self, calls: Sequence[FlowCall]) -> None:
        """Have what was just published read, once a version of settings that names what isn't there."""
        missing: dict[int, MissingError] = {}
        for settings in {id(call.tenant): call.tenant for call in calls}.values():
            known = self._lacking.get(settings.tenant) == settings.version
            if not known and self._get(settings, missing) is None:
                await self._published.catch_up()
                return

    def _get(self, settings: TenantSettings, missing: dict[int, MissingError]) -> BoundFlow | None:
        """Return a flow; None where it can't be run, and `missing` says why, by the settings' id."""
        if id(settings) in missing:
            return None
        try:
            return self._bound.get(settings)
        except MissingError as error:
            missing[id(settings)] = error
            return None

    def _lack(self, settings: TenantSettings, error: MissingError, teller: Teller) -> Effect:
        """Deny a login whose flow can't be run; that is logged once a version of the settings."""
        ref = settings.flow[error.position]
        failure = Failure(kind=ErrorKind.MISSING, message=str(error))
        if self._lacking.get(settings.tenant) != settings.version:
            self._lacking[settings.tenant] = settings.version
            teller.failed(settings.tenant, ref.name, ref.version, failure)
        teller.not_run(settings.tenant, ref.name, failure)
        return not_run(failure, f"{ref.kind.value}:{ref.name}@{ref.version}:")


def _has_ended(report: FlowReport) -> bool:
    return bool(
        report.failure is not None
        or report.access_denied is not None
        or report.redirect_url is not None
        or report.factors
    )


def _login(call: FlowCall, cache: _Cache) -> FlowLogin:
    event = call.event
    return FlowLogin(
        tenant=call.tenant.tenant,
        event=event.data,
        at=(event.time - _EPOCH) // _MILLISECOND,
        seed=seed_of(event.identity),
        cache=cache,
    )


def seed_of(identity: EventIdentity) -> bytes:
    """Return what a flow's random numbers follow from; the parts are joined with their lengths."""
    parts = [
        text.encode("utf-8", "surrogatepass")
        for text in (identity.tenant, identity.source, identity.event_id)
    ]
    lengths = b"".join(len(part).to_bytes(4, "big") for part in parts)
    return hashlib.blake2b(lengths + b"".join(parts), digest_size=16).digest()


def _cache_of(cache: Mapping[str, CacheEntry]) -> _Cache:
    return {
        key: (entry.value, (entry.expires_at - _EPOCH) // _MILLISECOND)
        for key, entry in cache.items()
    }
