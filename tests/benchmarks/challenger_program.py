"""The challenger's benchmark from start to end: stack, rounds, situations, sweeps, report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from rich.console import Console

from countersign.local import embedded_stack
from tests.benchmarks.challenger_ground import Ground
from tests.benchmarks.challenger_options import Options, parse
from tests.benchmarks.challenger_report import NAMES, Report, Run, table
from tests.benchmarks.challenger_server import Running
from tests.benchmarks.challenger_situations import measure_situations
from tests.benchmarks.challenger_sweep import measure_sweep
from tests.benchmarks.challenger_walks import Walkers
from tests.benchmarks.figures import percentile
from tests.benchmarks.frame import reported, turned
from tests.benchmarks.load import utc_now

_WARM_UP = 100
"""Round trips that don't count: connections, scripts and templates are new."""


def run(arguments: Sequence[str]) -> int:
    """Measure, and report; 0 whatever the figures are, 1 where there are none."""
    options = parse(arguments)
    return 0 if reported(lambda progress: _measured(options, progress), table) else 1


async def _measured(options: Options, progress: Console) -> Report:
    load_before = os.getloadavg()[0]
    async with AsyncExitStack() as cleanup:
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        progress.print("starting Kafka, Valkey and Duo")
        stack = await cleanup.enter_async_context(embedded_stack())
        ground = Ground(stack, directory)
        duo = await cleanup.enter_async_context(ground.ready())
        walkers = await cleanup.enter_async_context(Walkers(ground.authority))
        runs = []
        for number in range(1, options.rounds + 1):
            for name in turned(NAMES, number - 1):
                found = await _round_trips(ground, walkers, duo, name, options)
                runs.append(found)
                progress.print(
                    f"round {number} of {options.rounds}, {name}: {found.per_second:,.0f} round trips/s"
                )
        situations = await measure_situations(
            ground, walkers, trips=options.steady, say=progress.print
        )
        for situation in situations:
            progress.print(
                f"{situation.name}: p99 of visits {situation.visit_p99:.0f} ms,"
                f" of callbacks {situation.callback_p99:.0f} ms"
            )
        sweeps = []
        for sweepers in (1, 2):
            sweep = await measure_sweep(ground, walkers, overdue=options.overdue, sweepers=sweepers)
            sweeps.append(sweep)
            progress.print(
                f"{sweepers} sweeping: {sweep.seconds:.1f} s, p99 of visits {sweep.p99:.1f} ms,"
                f" longest {sweep.longest:.1f} ms"
            )
    return Report(options, load_before, runs, situations, sweeps)


async def _round_trips(
    ground: Ground, walkers: Walkers, duo: Running, name: str, options: Options
) -> Run:
    await ground.clear()
    challenges = await ground.open(_WARM_UP + options.trips, utc_now() + timedelta(hours=1))
    async with ground.at_work(name) as contender:
        await walkers.walk(contender.port, challenges[:_WARM_UP], options.walkers)
        cpu, duo_cpu, began = contender.cpu_seconds(), duo.cpu_seconds(), perf_counter()
        trips = await walkers.walk(contender.port, challenges[_WARM_UP:], options.walkers)
        seconds = perf_counter() - began
        each = 1_000 / len(trips)
        visits = [trip.visit * 1_000 for trip in trips]
        callbacks = [trip.callback * 1_000 for trip in trips]
        return Run(
            contender=name,
            per_second=len(trips) / seconds,
            visit_p50=percentile(visits, 0.5),
            visit_p99=percentile(visits, 0.99),
            callback_p50=percentile(callbacks, 0.5),
            callback_p99=percentile(callbacks, 0.99),
            cpu=(contender.cpu_seconds() - cpu) * each,
            duo_cpu=(duo.cpu_seconds() - duo_cpu) * each,
        )
