"""The benchmark from start to end: the stack, the logins, the rounds, the report."""

from __future__ import annotations

import gc
import os
import pstats
from collections.abc import Sequence
from contextlib import AsyncExitStack

from redis.asyncio import Redis
from rich.console import Console

from countersign.local import embedded_stack
from tests.benchmarks.contender import BY_HAND, FAUST_EACH, OURS
from tests.benchmarks.figures import Latency, Run, StoreBytes, Throughput, VoidRunError
from tests.benchmarks.frame import reported, turned
from tests.benchmarks.ground import Ground
from tests.benchmarks.latency import measure_latency
from tests.benchmarks.load import Login, make_logins, utc_now
from tests.benchmarks.options import Options, parse
from tests.benchmarks.report import Report, table, write_json
from tests.benchmarks.store_state import measure_bytes
from tests.benchmarks.throughput import measure_throughput

HOTTEST = 25
"""How many functions of a profile are shown."""


def run(arguments: Sequence[str]) -> int:
    """Measure, and report; 0 whatever the figures are, 1 where there are none."""
    options = parse(arguments)
    report = reported(lambda progress: Benchmark(options, progress).run(), table)
    if report is None:
        return 1
    write_json(report, options.json)
    if options.profile is not None and options.profile.exists():
        pstats.Stats(str(options.profile)).sort_stats("tottime").print_stats(HOTTEST)
    return 0


class Benchmark:
    """Measures all that there is to measure.

    Args:
        options: how much.
        console: where progress is told.
    """

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._load_before = os.getloadavg()[0]

    async def run(self) -> Report:
        """Return everything that was measured."""
        options = self._options
        async with AsyncExitStack() as cleanup:
            self._say("starting Kafka and Valkey")
            stack = await cleanup.enter_async_context(embedded_stack())
            self._say("making logins")
            logins = make_logins(max(options.events, options.latency_events), utc_now())
            # Their objects would make a full collection take long in the middle of a measurement.
            gc.collect()
            gc.freeze()
            ground = Ground(stack, logins, partitions=options.partitions)
            store_bytes = await self._store_bytes(ground)
            await self._warm_up(ground, logins)
            runs = [
                one
                for number in range(1, options.rounds + 1)
                for one in await self._round(ground, logins, number)
            ]
            if options.profile is not None:
                self._say("profiling the decider")
                some = logins[: options.events]
                await measure_throughput(ground, OURS, some, profile=options.profile)
        return Report(options, self._load_before, store_bytes, runs)

    async def _store_bytes(self, ground: Ground) -> StoreBytes:
        self._say("measuring bytes in the store")
        settings = ground.settings()
        client = Redis.from_url(settings.redis_url)
        try:
            return await measure_bytes(client, settings, self._options.stored)
        finally:
            await client.aclose()

    async def _warm_up(self, ground: Ground, logins: Sequence[Login]) -> None:
        """Let the broker's JVM compile what it will need; these runs don't count."""
        for name in (BY_HAND, OURS):
            self._say(f"warming up with {name}")
            await measure_throughput(ground, name, logins[: min(10_000, self._options.events)])

    async def _round(self, ground: Ground, logins: Sequence[Login], number: int) -> list[Run]:
        """Run every contender once each way; each round begins with another one."""
        options = self._options
        amounts = {
            OURS: options.events,
            BY_HAND: options.events,
            FAUST_EACH: min(options.faust_events, len(logins)),
        }
        runs = []
        for name in turned((OURS, BY_HAND, FAUST_EACH), number - 1):
            measured, void = None, None
            try:
                measured = await measure_throughput(ground, name, logins[: amounts[name]])
            except VoidRunError as error:
                void = str(error)
            self._tell(number, name, measured, void)
            runs.append(Run(round=number, contender=name, throughput=measured, void=void))
        for name in turned((OURS, BY_HAND), number - 1):
            waits, void = None, None
            some = logins[: options.latency_events]
            try:
                waits = await measure_latency(ground, name, some, rate=options.rate)
            except VoidRunError as error:
                void = str(error)
            self._tell(number, name, waits, void)
            runs.append(Run(round=number, contender=name, latency=waits, void=void))
        return runs

    def _tell(
        self, number: int, name: str, measured: Throughput | Latency | None, void: str | None
    ) -> None:
        match measured:
            case Throughput():
                what = (
                    f"{measured.per_second:,.0f} logins/s,"
                    f" {measured.cpu_micros:.0f} µs of CPU a login,"
                    f" {measured.store_micros:.0f} µs of the store's"
                )
            case Latency():
                what = (
                    f"p50 {measured.p50:.1f} ms, p99 {measured.p99:.1f} ms"
                    f" at {self._options.rate:,}/s"
                )
            case None:
                what = f"VOID: {void}"
        self._say(f"round {number} of {self._options.rounds}, {name}: {what}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False)
