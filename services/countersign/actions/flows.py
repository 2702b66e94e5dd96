"""Runs tenants' flows of Actions: JavaScript in the sandbox, then the operator's Python Actions in here.

Law 12: a flow's clock and chance follow from its event, and its answer is made from event, settings and
cache alone. Whatever goes wrong in one denies its own login; only what is out of reach makes the others wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
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
from countersign.core.instants import milliseconds_of
from countersign.core.login import LoginAttempted
from countersign.core.tenant import TenantSettings
from countersign.ports import FlowCall, PublishedActions, Secrets

_NOTHING: Final = FlowReport()


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
        found = await self._found(calls)
        teller = Teller(self._metrics)
        effects = [NO_EFFECT] * len(calls)
        flows: list[tuple[int, BoundFlow, FlowLogin]] = []
        for place, call in enumerate(calls):
            bound = found[id(call.tenant)]
            if isinstance(bound, BoundFlow):
                flows.append((place, bound, flow_login(call.event, call.cache)))
            else:
                effects[place] = self._lack(call.tenant, bound, teller)
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

    async def _found(self, calls: Sequence[FlowCall]) -> dict[int, BoundFlow | MissingError]:
        """Return each flow, or why it can't be run, by the id of its settings.

        What was just published is read first, once a version of settings that names what isn't there.
        """
        settings = {id(call.tenant): call.tenant for call in calls}
        found = {key: self._get(one) for key, one in settings.items()}
        for key, one in settings.items():
            missing = isinstance(found[key], MissingError)
            if missing and self._lacking.get(one.tenant) != one.version:
                await self._published.catch_up()
                return {key: self._get(one) for key, one in settings.items()}
        return found

    def _get(self, settings: TenantSettings) -> BoundFlow | MissingError:
        try:
            return self._bound.get(settings)
        except MissingError as error:
            return error

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


def flow_login(event: LoginAttempted, cache: Mapping[str, CacheEntry]) -> FlowLogin:
    """Return a login as a flow takes it.

    Args:
        event: the login.
        cache: what the Actions of its tenant keep.
    """
    return FlowLogin(
        tenant=event.identity.tenant,
        event=event.data,
        at=milliseconds_of(event.time),
        seed=_seed_of(event.identity),
        cache={
            key: (entry.value, milliseconds_of(entry.expires_at)) for key, entry in cache.items()
        },
    )


def _seed_of(identity: EventIdentity) -> bytes:
    """Return what a flow's random numbers follow from; the parts are joined with their lengths."""
    tenant, source, event_id = identity.tenant, identity.source, identity.event_id
    name = f"{len(tenant)}:{tenant}{len(source)}:{source}{len(event_id)}:{event_id}"
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
