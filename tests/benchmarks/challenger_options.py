"""What the challenger's benchmark is told on its command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ABOUT: Final = """\
Measure the challenger with a Duo simulator, a real Kafka and a real Valkey, against
  by hand              the same two routes that only call Duo's SDK: no store, no cookie, no checks
  by hand, no check    the same without Duo's health check at each visit
  no check, kept open  that again, with connections to Duo that stay open, as ours do
Measured are whole round trips a second (link, Duo's prompt, callback, redirect with a code), how long
our part of them takes, and visits while very many overdue challenges are swept.
"""
AFTERWARDS: Final = """\
The table goes to standard output, progress to standard error. Whether the aims were reached is said,
and never fails the program: figures move with the machine. Duo, the browsers and the contender share it.
"""
FULL: Final = {"trips": 2_000, "rounds": 3, "overdue": 100_000}
QUICK: Final = {"trips": 100, "rounds": 1, "overdue": 2_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured.

    Attributes:
        trips: round trips in a run.
        rounds: how often each contender runs.
        walkers: browsers at once.
        overdue: challenges that are swept.
    """

    trips: int
    rounds: int
    walkers: int
    overdue: int


def parse(arguments: Sequence[str]) -> Options:
    """Return the options; a wrong one, and `--help`, end the program."""
    parser = argparse.ArgumentParser(
        prog="bench_challenger.py",
        description=ABOUT,
        epilog=AFTERWARDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of little, to see that the program works; its figures say little",
    )
    for name, what in (
        ("trips", "round trips in a run"),
        ("rounds", "how often each contender runs"),
        ("overdue", "challenges that are swept"),
    ):
        parser.add_argument(
            f"--{name}",
            type=_count,
            metavar="N",
            help=f"{what} ({FULL[name]:,}; with --quick {QUICK[name]:,})",
        )
    parser.add_argument(
        "--walkers", type=_count, default=16, metavar="N", help="browsers at once (16)"
    )
    given = vars(parser.parse_args(arguments))
    amounts = QUICK if given.pop("quick") else FULL
    return Options(**{**given, **{k: given[k] or amount for k, amount in amounts.items()}})


def _count(text: str) -> int:
    digits = text.replace(",", "").replace("_", "")
    if not digits.isdecimal() or int(digits) < 1:
        message = f"{text!r} is no whole number from 1 on"
        raise argparse.ArgumentTypeError(message)
    return int(digits)
