"""What the benchmark is told on its command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.frame import Amount, a_parser, at_least, parsed

WARM_UP_SECONDS = 2
"""Seconds at the steady rate whose latencies don't count: connections, scripts and the JVM are new."""

ABOUT = """\
Measure the decider on a real Kafka and a real Valkey, started for it, against
  by hand     the straightforward loop: getmany, MGET, pipeline, send() a record, commit
  Faust each  a Faust agent that takes one event at a time and awaits its publication
that do the same work on the same logins: 40 % need no MFA, 30 % come from a remembered
browser, 30 % are challenged.
"""
AFTERWARDS = """\
Measured are logins decided a second, from a topic that was full before; latency while logins
come at a steady rate (not Faust each, which can't keep up); processor time, peak memory, and
the bytes that logins, challenges and remembered browsers take in the store. Figures are medians
over the rounds; a run that doesn't give each login exactly one right result is void.

The table goes to standard output, progress to standard error. Whether the aims were reached is
said, and never fails the program: figures move with the machine and with whatever else it does.
Broker, store and contender share it, so give it two quiet cores at least.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured, and where the figures go.

    Attributes:
        events: logins in a run of ours and of the loop by hand.
        faust_events: logins in a run of the Faust agent that takes one at a time.
        rounds: how often everything is measured.
        rate: logins a second in the latency runs.
        seconds: how long those last, after their warm-up.
        partitions: of each topic.
        stored: logins, and remembered users, that the bytes in the store are measured with.
        json: where the figures are written.
        profile: where a profile of ours is written; None = no profile.
    """

    events: int
    faust_events: int
    rounds: int
    rate: int
    seconds: int
    partitions: int
    stored: int
    json: Path
    profile: Path | None

    @property
    def latency_events(self) -> int:
        """How many logins a latency run has, its warm-up included."""
        return self.rate * (WARM_UP_SECONDS + self.seconds)


AMOUNTS: Final = {
    "events": Amount(60_000, 10_000, "logins in a run of the decider and of the loop by hand"),
    "faust_events": Amount(3_000, 500, "logins in a run of the Faust agent, which is slow"),
    "rounds": Amount(3, 1, "how often everything is measured"),
    "seconds": Amount(10, 3, "seconds that a latency run lasts"),
    "stored": Amount(10_000, 2_000, "logins and users that the store's bytes are measured with"),
}


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; a wrong one, and `--help`, end the program."""
    return Options(**parsed(_parser(), AMOUNTS, arguments))


def _parser() -> argparse.ArgumentParser:
    parser = a_parser("bench_decider.py", ABOUT, AFTERWARDS, AMOUNTS)
    parser.add_argument(
        "--rate",
        type=at_least(1),
        default=1_000,
        metavar="N",
        help="logins a second in a latency run (1,000)",
    )
    parser.add_argument(
        "--partitions", type=at_least(1), default=4, metavar="N", help="of each topic (4)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=Path("bench.json"),
        metavar="PATH",
        help="where the figures of each run go (bench.json)",
    )
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="PATH",
        help="run the decider once more under cProfile, write that file, and show its hottest functions",
    )
    return parser
