"""The figures as a table for people and as JSON for machines, and which aims they reach."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tests.benchmarks.contender import BY_HAND, FAUST_EACH, OURS
from tests.benchmarks.figures import Latency, Run, StoreBytes, Throughput
from tests.benchmarks.options import Options

AIM_BY_HAND = 1.2
"""Ours is to decide at least so many times as many logins a second as the loop by hand."""
AIM_FAUST_EACH = 15.0
"""Likewise for the Faust agent that takes one at a time."""
AIM_P99 = 1.2
"""Our p99 is to be at most so many times that of the loop by hand."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured.

    Attributes:
        options: how much was asked for.
        load_before: the machine's load average before it began.
        store_bytes: what things cost in the store.
        runs: the runs, in order.
    """

    options: Options
    load_before: float
    store_bytes: StoreBytes
    runs: Sequence[Run]

    def throughput(self, name: str, figure: Callable[[Throughput], float]) -> float | None:
        """Return the median of a figure over a contender's throughput runs, if there is one."""
        found = [r.throughput for r in self.runs if r.contender == name and r.throughput]
        return median(map(figure, found)) if found else None

    def latency(self, name: str, figure: Callable[[Latency], float]) -> float | None:
        """Return the median of a figure over a contender's latency runs, if there is one."""
        found = [r.latency for r in self.runs if r.contender == name and r.latency]
        return median(map(figure, found)) if found else None

    @property
    def void(self) -> list[Run]:
        """The runs that measured nothing."""
        return [run for run in self.runs if run.void is not None]


class Aim(NamedTuple):
    """Something that is to be reached, and what was measured."""

    text: str
    measured: float | None
    reached: bool | None


def aims(report: Report) -> list[Aim]:
    """Return the aims, and whether these figures reach them; None where a figure is missing."""
    ours, by_hand, each = (
        report.throughput(name, per_second) for name in (OURS, BY_HAND, FAUST_EACH)
    )
    ours_p99, by_hand_p99 = (report.latency(name, p99) for name in (OURS, BY_HAND))
    ratios = (
        (f"logins/s at least {AIM_BY_HAND} x by hand", ratio(ours, by_hand), AIM_BY_HAND, 1),
        (
            f"logins/s at least {AIM_FAUST_EACH:g} x Faust each",
            ratio(ours, each),
            AIM_FAUST_EACH,
            1,
        ),
        (f"p99 at most {AIM_P99} x by hand", ratio(ours_p99, by_hand_p99), AIM_P99, -1),
    )
    return [
        Aim(text, found, None if found is None else sign * found >= sign * aim)
        for text, found, aim, sign in ratios
    ]


def table(report: Report) -> RenderableType:
    """Return the report for people."""
    by_hand = report.throughput(BY_HAND, per_second)
    contenders = Table(box=box.SIMPLE_HEAD, title="Medians over the rounds", title_justify="left")
    contenders.add_column("contender", no_wrap=True)
    columns = ("logins/s", "ratio", "CPU µs", "store µs", "p50 ms", "p99 ms", "MB")
    for column in columns:
        contenders.add_column(column, justify="right")
    for name in (OURS, BY_HAND, FAUST_EACH):
        rate = report.throughput(name, per_second)
        contenders.add_row(
            name,
            _shown(rate, ",.0f"),
            _shown(ratio(rate, by_hand), ".2f"),
            _shown(report.throughput(name, lambda t: t.cpu_micros), ".0f"),
            _shown(report.throughput(name, lambda t: t.store_micros), ".0f"),
            _shown(report.latency(name, lambda figures: figures.p50), ".1f"),
            _shown(report.latency(name, p99), ".1f"),
            _shown(report.throughput(name, lambda t: t.peak_bytes / 1e6), ".0f"),
        )
    legend = Text(
        "ratio: to by hand. CPU, store: processor time that a login takes in the contender, and in"
        " Valkey.\np50, p99: from a login's publication to its result's arrival. MB: peak memory of"
        " the contender."
    )
    return Group(contenders, legend, Text(), _store_table(report.store_bytes), *_verdicts(report))


def _store_table(found: StoreBytes) -> Table:
    stored = Table(box=box.SIMPLE_HEAD, title="Bytes in the store, each", title_justify="left")
    stored.add_column("what")
    stored.add_column("bytes", justify="right")
    for what, size in (
        ("login in the dedupe window", found.login),
        ("the same, of a challenged login", found.challenged_login),
        ("open challenge, with its deadline", found.challenge),
        ("push budget of a user, one prompt", found.budget),
        ("remembered user, one browser", found.remembered),
    ):
        stored.add_row(what, f"{size:,.0f}")
    return stored


def _verdicts(report: Report) -> list[Text]:
    lines = []
    words = {True: ("reached", "green"), False: ("missed", "yellow"), None: ("not measured", "red")}
    for aim in aims(report):
        word, style = words[aim.reached]
        lines.append(Text.assemble((f"{word:<8}", style), f" {aim.text}"))
        if aim.measured is not None:
            lines[-1].append(f": {aim.measured:.2f} x")
    lines += [
        Text(f"VOID     round {run.round}, {run.contender}: {run.void}", style="bold red")
        for run in report.void
    ]
    if not report.void:
        lines.append(Text("Every run published exactly one right decision an event."))
    options = report.options
    lines.append(
        Text(
            f"{options.rounds} rounds of {options.events:,} logins (Faust each:"
            f" {options.faust_events:,}), {options.partitions} partitions; latency at"
            f" {options.rate:,}/s for {options.seconds} s; {os.cpu_count()} processors,"
            f" load {report.load_before:.1f} before it began."
        )
    )
    return lines


def write_json(report: Report, path: Path) -> None:
    """Write everything that was measured to a file."""
    path.write_text(json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8")


def as_json(report: Report) -> dict[str, Any]:
    """Return the report for machines."""
    amounts = {k: v for k, v in asdict(report.options).items() if not isinstance(v, Path)}
    return {
        "options": amounts,
        "machine": {
            "processors": os.cpu_count(),
            "system": platform.system(),
            "python": platform.python_version(),
            "load_before": round(report.load_before, 2),
        },
        "valid": not report.void,
        "aims": [aim._asdict() for aim in aims(report)],
        "store_bytes": asdict(report.store_bytes),
        "runs": [asdict(run) for run in report.runs],
    }


def per_second(found: Throughput) -> float:
    """Return the logins a second."""
    return found.per_second


def p99(found: Latency) -> float:
    """Return what 99 % of the logins waited at most, in milliseconds."""
    return found.p99


def ratio(one: float | None, other: float | None) -> float | None:
    """Return how many times the other the one is, where both are known."""
    return one / other if one is not None and other else None


def _shown(figure: float | None, form: str) -> str:
    return "-" if figure is None else format(figure, form)
