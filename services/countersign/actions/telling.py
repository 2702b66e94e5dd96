"""Tells the operator what tenants' Actions did: their console lines, their failures, counts and times.

Law 9: none of it goes onto the bus. What comes from the sandbox was masked there; it is cut here once more,
since tenants' code has run in that process.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, Protocol

import structlog

from countersign.actions.bound_flow import BoundFlow
from countersign.actions.flow import MAX_LINE, MAX_LINES, Failure, FlowReport, Spoken

_MAX_MESSAGE: Final = 500
_MAX_WORD: Final = 64
_OK: Final = "ok"

log = structlog.get_logger(__name__)


class ActionMetrics(Protocol):
    """What is counted of Actions."""

    def count_action(
        self, tenant: str, action: str, outcome: str, *, calls: int, seconds: float
    ) -> None:
        """Count runs of an Action.

        Args:
            tenant: whose it is.
            action: its name.
            outcome: `ok`, or the kind of its failure.
            calls: how many runs ended so.
            seconds: the processor time of all of them.
        """
        ...

    def count_restart(self) -> None:
        """Count a process that was replaced."""
        ...


class Teller:
    """Tells of one batch; what is counted is handed over at its end, all at once.

    Args:
        metrics: gets the counts, if anybody wants them.
    """

    def __init__(self, metrics: ActionMetrics | None) -> None:
        self._metrics = metrics
        self._calls: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._seconds: defaultdict[tuple[str, str, str], float] = defaultdict(float)

    def report(
        self, bound: BoundFlow, report: FlowReport, failure: Failure | None, position: int
    ) -> None:
        """Tell what a flow did for a login.

        Args:
            bound: the flow.
            report: what it reported.
            failure: why it failed, if it did.
            position: the Action that failed.
        """
        tenant, refs = bound.tenant, bound.refs
        failed = None if failure is None else position
        for spoken in report.spoken:
            if not 0 <= spoken.position < len(refs) or spoken.position == failed:
                continue
            self._count(tenant, refs[spoken.position].name, _OK, spoken.seconds)
        if failure is not None:
            seconds = sum(one.seconds for one in report.spoken if one.position == position)
            self._count(tenant, refs[position].name, failure.kind.value, seconds)
            self.failed(bound.tenant, refs[position].name, refs[position].version, failure)
        for spoken in report.spoken:
            if spoken.console and 0 <= spoken.position < len(refs):
                _console(bound, spoken)

    def not_run(self, tenant: str, action: str, failure: Failure) -> None:
        """Count a login whose flow could not be run."""
        self._count(tenant, action, failure.kind.value, 0.0)

    def failed(self, tenant: str, action: str, version: int, failure: Failure) -> None:
        """Log a failure."""
        log.warning(
            "action_failed",
            tenant=tenant,
            action=action,
            version=version,
            kind=failure.kind.value,
            member=None if failure.member is None else failure.member[:_MAX_WORD],
            message=failure.message[:_MAX_MESSAGE],
        )

    def done(self) -> None:
        """Hand over what was counted."""
        if self._metrics is not None:
            for key, calls in self._calls.items():
                tenant, action, outcome = key
                seconds = self._seconds[key]
                self._metrics.count_action(tenant, action, outcome, calls=calls, seconds=seconds)

    def _count(self, tenant: str, action: str, outcome: str, seconds: float) -> None:
        key = (tenant, action, outcome)
        self._calls[key] += 1
        # Not what is no time at all; a counter would refuse it.
        if 0 < seconds < _LONGEST:
            self._seconds[key] += seconds


_LONGEST: Final = 86_400.0


def _console(bound: BoundFlow, spoken: Spoken) -> None:
    ref = bound.refs[spoken.position]
    for level, line in spoken.console[:MAX_LINES]:
        log.info(
            "action_console",
            tenant=bound.tenant,
            action=ref.name,
            version=ref.version,
            console=level[:_MAX_WORD],  # `level` is the log's own
            line=line[:MAX_LINE],
        )
