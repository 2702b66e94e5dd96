"""One contender in a process of its own, and that process as the benchmark sees it.

Run as `python -m tests.benchmarks.contender NAME`, its settings in the environment, until SIGTERM. With
a file named in `BENCH_PROFILE` it runs under cProfile.
"""

from __future__ import annotations

import asyncio
import cProfile
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psutil

from countersign.logs import set_up_logs
from countersign.settings import Settings, load_settings
from tests.benchmarks.figures import VoidRunError

OURS, BY_HAND, FAUST_EACH = "decider", "by hand", "Faust each"
NO_ACTION, TEMPLATE, FIVE, MANY = "no Action", "the template", "five Actions", "200 tenants"
ACTING: Final = (NO_ACTION, TEMPLATE, FIVE, MANY)
"""Ours, with flows of Actions."""
MODULES: Final = {
    OURS: "ours",
    BY_HAND: "by_hand",
    FAUST_EACH: "faust_each",
    **dict.fromkeys(ACTING, "ours_acting"),
}

ROOT = Path(__file__).parents[2]
PROFILE = "BENCH_PROFILE"
NAME = "BENCH_CONTENDER"
GIVEN = (
    "kafka_bootstrap",
    "redis_url",
    "login_events_topic",
    "mfa_results_topic",
    "dead_letters_topic",
    "tenant_settings_topic",
    "group_id",
)
STOP_WITHIN = 30.0


class Contender:
    """A contender at work.

    Args:
        process: its process.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)

    @property
    def running(self) -> bool:
        """Whether it is still there."""
        return self._process.returncode is None

    def cpu_seconds(self) -> float:
        """Return how much processor time it has taken so far."""
        return cpu_seconds(self._seen)

    def peak_bytes(self) -> int:
        """Return the most memory that it has had so far; where the system doesn't say, what it has."""
        status = Path(f"/proc/{self._process.pid}/status")
        if status.exists():
            for line in status.read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return int(self._seen.memory_info().rss)


def cpu_seconds(process: psutil.Process) -> float:
    """Return how much processor time a process has taken so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def at_work(
    name: str, settings: Settings, *, profile: Path | None = None
) -> AsyncIterator[Contender]:
    """Run a contender, and stop it with the context.

    Raises:
        VoidRunError: it ended with an error, or the run is void anyway; with the last that it said.
    """
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "log"
        with log.open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.benchmarks.contender", name),
                env=_environment(name, settings, profile),
                cwd=place,
                stdout=said,
                stderr=said,
            )
        try:
            yield Contender(process)
        except VoidRunError as error:
            await _stopped(process)
            raise VoidRunError(_with_last_lines(str(error), log)) from error
        finally:
            await _stopped(process)
        if process.returncode:
            message = f"ended with status {process.returncode}"
            raise VoidRunError(_with_last_lines(message, log))


def _with_last_lines(message: str, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([message, *lines[-15:]])


def _environment(name: str, settings: Settings, profile: Path | None) -> dict[str, str]:
    key = settings.identifier_key
    assert key is not None
    given = {f"COUNTERSIGN_{one.upper()}": str(getattr(settings, one)) for one in GIVEN}
    given["COUNTERSIGN_IDENTIFIER_KEY"] = key.get_secret_value()
    if profile is not None:
        given[PROFILE] = str(profile.resolve())
    return {**os.environ, **given, "PYTHONPATH": str(ROOT), NAME: name}


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await process.wait()
        except TimeoutError:
            process.kill()
    await process.wait()


async def _run(name: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    contender = importlib.import_module(f"tests.benchmarks.{MODULES[name]}")
    await contender.run(load_settings(), stop)


def main(name: str) -> None:
    """Run the contender until told to stop."""
    set_up_logs("warning", "console")
    path = os.environ.get(PROFILE)
    if path is None:
        asyncio.run(_run(name))
        return
    profile = cProfile.Profile()
    profile.runcall(asyncio.run, _run(name))
    profile.dump_stats(path)


if __name__ == "__main__":
    main(sys.argv[1])
