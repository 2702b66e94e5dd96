"""The challenger's figures as a table for people, and which aims they reach."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tests.benchmarks.challenger_options import Options
from tests.benchmarks.challenger_server import BY_HAND, KEPT_OPEN, OURS, UNCHECKED
from tests.benchmarks.challenger_situations import Situation
from tests.benchmarks.challenger_sweep import Sweep

AIM_TRIPS = 0.5
"""Ours is to make at least so many times as many round trips a second as the routes by hand."""
AIM_VISIT = 50.0
"""Milliseconds that a visit may take at most while overdue challenges are swept."""
AIM_BESIDE = 2.0
"""The p99 of visits, and of callbacks, is to be at most so many times the usual one in each situation."""
NAMES = (OURS, BY_HAND, UNCHECKED, KEPT_OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A contender's run; times in milliseconds, the call to Duo in the callback included.

    Attributes:
        contender: which.
        per_second: round trips a second.
        visit_p50: half of the visits took at most so long; the others accordingly.
        cpu: the contender's own processor time a round trip, in ms.
        duo_cpu: the simulator's, likewise.
    """

    contender: str
    per_second: float
    visit_p50: float
    visit_p99: float
    callback_p50: float
    callback_p99: float
    cpu: float
    duo_cpu: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured."""

    options: Options
    load_before: float
    runs: Sequence[Run]
    situations: Sequence[Situation]
    sweeps: Sequence[Sweep]

    def of(self, name: str, figure: Callable[[Run], float]) -> float:
        """Return the median of a figure over a contender's runs."""
        return median(figure(run) for run in self.runs if run.contender == name)


class Aim(NamedTuple):
    """Something that is to be reached, and what was measured."""

    text: str
    measured: str
    reached: bool


def aims(report: Report) -> list[Aim]:
    """Return the aims, and whether these figures reach them."""
    ours = report.of(OURS, lambda run: run.per_second)
    found = []
    for name in NAMES[1:]:
        ratio = ours / report.of(name, lambda run: run.per_second)
        text = f"round trips/s at least {AIM_TRIPS} x {name}"
        found.append(Aim(text, f"{ratio:.2f} x", ratio >= AIM_TRIPS))
    usual, *others = report.situations
    for one in others:
        for what, ratio in (
            ("visits", one.visit_p99 / usual.visit_p99),
            ("callbacks", one.callback_p99 / usual.callback_p99),
        ):
            text = f"p99 of {what} at most {AIM_BESIDE:g} x the usual while {one.name}"
            found.append(Aim(text, f"{ratio:.2f} x", ratio <= AIM_BESIDE))
    for sweep in report.sweeps:
        text = f"longest visit while {sweep.sweepers} sweep under {AIM_VISIT:.0f} ms"
        found.append(Aim(text, f"{sweep.longest:.0f} ms", sweep.longest < AIM_VISIT))
    return found


def table(report: Report) -> RenderableType:
    """Return the report for people."""
    trips = Table(box=box.SIMPLE_HEAD, title="Medians over the rounds", title_justify="left")
    trips.add_column("contender", no_wrap=True)
    for column in (*("trips/s", "ratio", "visit", "p99", "back", "p99", "CPU", "Duo"),):
        trips.add_column(column, justify="right")
    figures: tuple[Callable[[Run], float], ...] = (
        lambda run: run.visit_p50,
        lambda run: run.visit_p99,
        lambda run: run.callback_p50,
        lambda run: run.callback_p99,
    )
    ours = report.of(OURS, lambda run: run.per_second)
    for name in NAMES:
        rate = report.of(name, lambda run: run.per_second)
        trips.add_row(
            name,
            f"{rate:,.0f}",
            f"{ours / rate:.2f}",
            *(f"{report.of(name, figure):.0f}" for figure in figures),
            f"{report.of(name, lambda run: run.cpu):.1f}",
            f"{report.of(name, lambda run: run.duo_cpu):.1f}",
        )
    legend = Text(
        "ratio: ours to it. visit, back: p50 and p99 of the visit and of the callback in ms, calls to Duo"
        " included:\nin a visit the health check (ours: once in 5 s; by hand: each time; the others:"
        " never), in a callback the\nexchange. CPU, Duo: processor time of the contender, and of the"
        " Duo simulator, for a round trip in ms."
    )
    tables = (_situations(report), _sweeps(report))
    return Group(trips, legend, Text(), *tables, *_verdicts(report))


def _situations(report: Report) -> Table:
    title = "Round trips at a steady rate while something else goes on, p99 in ms"
    found = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    found.add_column("meanwhile", no_wrap=True)
    for column in ("visit", "ratio", "back", "ratio", "trips"):
        found.add_column(column, justify="right")
    usual = report.situations[0]
    for one in report.situations:
        found.add_row(
            one.name,
            f"{one.visit_p99:.0f}",
            f"{one.visit_p99 / usual.visit_p99:.2f}",
            f"{one.callback_p99:.0f}",
            f"{one.callback_p99 / usual.callback_p99:.2f}",
            f"{one.trips:,}",
        )
    return found


def _sweeps(report: Report) -> Table:
    title = f"Visits while {report.options.overdue:,} overdue challenges are swept, ms"
    found = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for column in ("sweepers", "seconds", "a second", "p99 before", "p99", "longest", "visits"):
        found.add_column(column, justify="right")
    for sweep in report.sweeps:
        found.add_row(
            f"{sweep.sweepers}",
            f"{sweep.seconds:.1f}",
            f"{report.options.overdue / sweep.seconds:,.0f}",
            f"{sweep.quiet_p99:.1f}",
            f"{sweep.p99:.1f}",
            f"{sweep.longest:.1f}",
            f"{sweep.visits:,}",
        )
    return found


def _verdicts(report: Report) -> list[Text]:
    words = {True: ("reached", "green"), False: ("missed", "yellow")}
    lines = []
    for aim in aims(report):
        word, style = words[aim.reached]
        lines.append(Text.assemble((f"{word:<8}", style), f" {aim.text}: {aim.measured}"))
    options = report.options
    lines.append(
        Text(
            f"{options.rounds} rounds of {options.trips:,} round trips, {options.walkers} browsers at"
            f" once; {os.cpu_count()} processors, load {report.load_before:.1f} before it began."
        )
    )
    return lines
