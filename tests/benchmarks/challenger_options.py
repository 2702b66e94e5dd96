"""What the challenger's benchmark is told on its command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.frame import Amount, a_parser, at_least, parsed

ABOUT: Final = """\
Measure the challenger with a Duo simulator, a real Kafka and a real Valkey, against
  by hand              the same two routes that only call Duo's SDK: no store, no cookie, no checks
  by hand, no check    the same without Duo's health check at each visit
  no check, kept open  that again, with connections to Duo that stay open, as ours do
Measured are whole round trips a second (link, Duo's prompt, callback, redirect with a code), how long
our part of them takes, also while a thousand challenges wait and while other tenants' Duo hangs, and
visits while very many overdue challenges are swept.
"""
AFTERWARDS: Final = """\
The table goes to standard output, progress to standard error. Whether the aims were reached is said,
and never fails the program: figures move with the machine. Duo, the browsers and the contender share it.
"""
AMOUNTS: Final = {
    "trips": Amount(2_000, 100, "round trips in a run"),
    "rounds": Amount(3, 1, "how often each contender runs"),
    "steady": Amount(300, 50, "round trips beside each situation, and twice as many without one"),
    "overdue": Amount(100_000, 2_000, "challenges that are swept"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured.

    Attributes:
        trips: round trips in a run.
        rounds: how often each contender runs.
        steady: round trips at a steady rate, beside each situation.
        walkers: browsers at once.
        overdue: challenges that are swept.
    """

    trips: int
    rounds: int
    steady: int
    walkers: int
    overdue: int


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; a wrong one, and `--help`, end the program."""
    parser = a_parser("bench_challenger.py", ABOUT, AFTERWARDS, AMOUNTS)
    parser.add_argument(
        "--walkers", type=at_least(1), default=16, metavar="N", help="browsers at once (16)"
    )
    return Options(**parsed(parser, AMOUNTS, arguments))
