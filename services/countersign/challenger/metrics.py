"""Every number that the challenger shows, in one place; labels hold no id and no secret (law 9)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram


class Metrics:
    """The challenger's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Counter(
            "countersign_answers",
            "Answers to browsers, by step (visit, callback) and by page, or by where they were sent.",
            ["step", "answer"],
            registry=self.registry,
        )
        self.results = Counter(
            "countersign_results",
            "Results acknowledged by the bus, by type and reason; redeliveries count again.",
            ["type", "reason"],
            registry=self.registry,
        )
        self.duo_seconds = Histogram(
            "countersign_duo_seconds",
            "How long calls to Duo took, by call (check, exchange), those from a cache included.",
            ["call"],
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
            registry=self.registry,
        )
        self.duo_errors = Counter(
            "countersign_duo_errors",
            "Calls to Duo without an answer that counts, by call and by what became of them.",
            ["call", "error"],
            registry=self.registry,
        )
        self.swept = Counter(
            "countersign_swept",
            "Challenges that a sweeper looked after: expired, or published again.",
            ["what"],
            registry=self.registry,
        )
