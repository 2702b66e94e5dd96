"""Every number that the decider shows, in one place; labels hold no id and no secret (law 9)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The decider's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter(
            "countersign_events",
            "Events taken from the bus, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.results = Counter(
            "countersign_results",
            "Results acknowledged by the bus, by type and reason; redeliveries count again.",
            ["type", "reason"],
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "countersign_dead_letters",
            "Dead letters acknowledged by the bus, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            "countersign_batch_seconds",
            "From a batch's arrival to its acknowledgement by the bus.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
            registry=self.registry,
        )
        self.batch_events = Histogram(
            "countersign_batch_events",
            "Events in a batch.",
            buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000),
            registry=self.registry,
        )
        self.retries = Counter(
            "countersign_batch_retries",
            "Batches tried again, by what was out of reach.",
            ["cause"],
            registry=self.registry,
        )
        self.commits_refused = Counter(
            "countersign_commits_refused",
            "Commits that a rebalance refused; their events come again.",
            registry=self.registry,
        )
        self.partitions = Gauge(
            "countersign_partitions",
            "Partitions assigned to this worker.",
            registry=self.registry,
        )
        self.waiting = Gauge(
            "countersign_waiting",
            "1 while something is out of reach and nothing is taken, else 0.",
            registry=self.registry,
        )
        self.halted = Gauge(
            "countersign_halted",
            "1 once too many events failed unexpectedly and none are taken any more, else 0.",
            registry=self.registry,
        )
        self.action_calls = Counter(
            "countersign_action_calls",
            "Runs of tenants' Actions, by how they ended.",
            ["tenant", "action", "outcome"],
            registry=self.registry,
        )
        self.action_seconds = Counter(
            "countersign_action_seconds",
            "Processor time of tenants' Actions.",
            ["tenant", "action"],
            registry=self.registry,
        )
        self.sandbox_restarts = Counter(
            "countersign_sandbox_restarts",
            "Processes for tenants' Actions that ended, or had to be ended, and were replaced.",
            registry=self.registry,
        )


class ActionCounts:
    """`actions.telling.ActionMetrics` on the decider's metrics.

    Args:
        metrics: what is counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # Looking a counter up by its labels costs more than counting.
        self._found: dict[tuple[str, str, str], tuple[Counter, Counter]] = {}

    def count_action(
        self, tenant: str, action: str, outcome: str, *, calls: int, seconds: float
    ) -> None:
        """See `actions.telling.ActionMetrics.count_action`."""
        key = (tenant, action, outcome)
        counters = self._found.get(key)
        if counters is None:
            counters = self._found[key] = (
                self._metrics.action_calls.labels(tenant, action, outcome),
                self._metrics.action_seconds.labels(tenant, action),
            )
        counters[0].inc(calls)
        counters[1].inc(seconds)

    def count_restart(self) -> None:
        """See `actions.telling.ActionMetrics.count_restart`."""
        self._metrics.sandbox_restarts.inc()
