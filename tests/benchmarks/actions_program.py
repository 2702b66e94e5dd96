"""The benchmark of Actions from start to end: the call, the stack, the rounds, the report."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from statistics import median
from typing import Final, NamedTuple

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from countersign.local import embedded_stack
from tests.benchmarks.action_call import Call, measure_call
from tests.benchmarks.contender import ACTING, MANY, NO_ACTION, TEMPLATE
from tests.benchmarks.figures import Throughput, VoidRunError
from tests.benchmarks.flows import TENANTS_EACH
from tests.benchmarks.frame import Amount, a_parser, parsed, reported, turned
from tests.benchmarks.ground import Ground
from tests.benchmarks.load import Login, make_logins, utc_now
from tests.benchmarks.throughput import measure_throughput

ABOUT: Final = """\
Measure what tenants' Actions cost: the Duo template's call against bare QuickJS, and the whole
decider without Actions, with the template, with five Actions, and with 200 tenants' mixed.
"""
AFTERWARDS: Final = """\
Figures are medians over the rounds. The table goes to standard output, progress to standard error.
Whether the aims were reached is said, and never fails the program.
"""
AMOUNTS: Final = {
    "events": Amount(40_000, 5_000, "logins in a run of the decider"),
    "rounds": Amount(3, 1, "how often everything is measured"),
    "calls": Amount(1_000_000, 20_000, "calls over which memory is watched"),
    "partitions": Amount(4, 4, "of each topic"),
}
AIM_MICROS: Final = 30.0
"""What the template's call may cost over the bare engine's."""
AIM_SPEED: Final = 0.5
"""What of its speed the decider is to keep with the template."""
AIM_MANY: Final = 1.5
"""What 200 tenants may cost, times one's."""


class Figures(NamedTuple):
    """Everything that was measured."""

    call: Call
    runs: dict[str, list[Throughput]]
    void: list[str]
    load_before: float


def run(arguments: Sequence[str]) -> int:
    """Measure, and report; 0 whatever the figures are, 1 where there are none."""
    parser = a_parser("bench_actions.py", ABOUT, AFTERWARDS, AMOUNTS)
    options = parsed(parser, AMOUNTS, arguments)
    return 0 if reported(lambda progress: _measured(options, progress), table) else 1


async def _measured(options: dict[str, int], progress: Console) -> Figures:
    def say(text: str) -> None:
        progress.print(text, markup=False)

    load_before = os.getloadavg()[0]
    say("measuring the call alone")
    call = measure_call(options["calls"])
    say(f"a call: {call.ours:.1f} µs, in the bare engine {call.bare:.1f} µs")
    runs: dict[str, list[Throughput]] = {name: [] for name in ACTING}
    void: list[str] = []
    async with AsyncExitStack() as cleanup:
        say("starting Kafka and Valkey")
        stack = await cleanup.enter_async_context(embedded_stack())
        few = make_logins(options["events"], utc_now())
        many = make_logins(options["events"], utc_now(), tenants=TENANTS_EACH)
        gc.collect()
        gc.freeze()
        grounds: dict[str, tuple[Ground, list[Login]]] = {
            name: (Ground(stack, logins, partitions=options["partitions"]), logins)
            for name, logins in ((NO_ACTION, few), (MANY, many))
        }
        say("warming up")
        ground, logins = grounds[NO_ACTION]
        await measure_throughput(ground, NO_ACTION, logins[: min(10_000, options["events"])])
        for number in range(options["rounds"]):
            for name in turned(ACTING, number):
                ground, logins = grounds[MANY if name == MANY else NO_ACTION]
                try:
                    measured = await measure_throughput(ground, name, logins)
                except VoidRunError as error:
                    void.append(f"round {number + 1}, {name}: {error}")
                    say(f"VOID: {void[-1]}")
                    continue
                runs[name].append(measured)
                say(f"round {number + 1}, {name}: {measured.per_second:,.0f} logins/s")
    return Figures(call, runs, void, load_before)


def table(figures: Figures) -> RenderableType:
    """Return the report for people."""
    rates = {
        name: median(one.per_second for one in found) if found else None
        for name, found in figures.runs.items()
    }
    shown = Table(box=box.SIMPLE_HEAD, title="Medians over the rounds", title_justify="left")
    shown.add_column("the decider with", no_wrap=True)
    for column in ("logins/s", "of its speed", "CPU µs", "MB"):
        shown.add_column(column, justify="right")
    for name, found in figures.runs.items():
        rate, of = rates[name], _ratio(rates[name], rates[NO_ACTION])
        shown.add_row(
            name,
            "-" if rate is None else f"{rate:,.0f}",
            "-" if of is None else f"{of:.2f}",
            f"{median(one.cpu_micros for one in found):.0f}" if found else "-",
            f"{median(one.peak_bytes for one in found) / 1e6:.0f}" if found else "-",
        )
    call = figures.call
    over, growth = call.ours - call.bare, call.memory[-1] / call.memory[0]
    verdicts = [
        _verdict(
            f"the template's call at most {AIM_MICROS:g} µs over bare", over, AIM_MICROS, "µs"
        ),
        _verdict(
            f"at least {AIM_SPEED} of the speed with the template",
            _ratio(rates[TEMPLATE], rates[NO_ACTION]),
            -AIM_SPEED,
            "x",
        ),
        _verdict(
            f"200 tenants at most {AIM_MANY} x one",
            _ratio(rates[TEMPLATE], rates[MANY]),
            AIM_MANY,
            "x",
        ),
        _verdict("memory after all calls at most 1.01 x that after a tenth", growth, 1.01, "x"),
    ]
    return Group(
        shown,
        Text(
            f"A call of the template: {call.ours:.1f} µs, in bare QuickJS {call.bare:.1f} µs; a realm"
            f" takes {call.memory[-1] / 1e3:.0f} kB."
        ),
        *verdicts,
        *(Text(f"VOID     {one}", style="bold red") for one in figures.void),
        Text(f"{os.cpu_count()} processors, load {figures.load_before:.1f} before it began."),
    )


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _verdict(text: str, found: float | None, aim: float, unit: str) -> Text:
    """Return a line about an aim; a negative one is to be exceeded."""
    if found is None:
        return Text.assemble(("not measured", "red"), f" {text}")
    reached = found >= -aim if aim < 0 else found <= aim
    word, style = ("reached", "green") if reached else ("missed", "yellow")
    return Text.assemble((f"{word:<8}", style), f" {text}: {found:.2f} {unit}")
