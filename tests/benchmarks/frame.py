"""What both benchmarks share: how they are asked for, run and shown; law: figures never fail a program."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from rich.console import Console, RenderableType

from countersign.local import StackError
from tests.benchmarks.figures import VoidRunError

_R = TypeVar("_R")


class Amount(NamedTuple):
    """How much there is of something, unless the command line says otherwise.

    Attributes:
        full: without `--quick`.
        quick: with it.
        what: what is counted.
    """

    full: int
    quick: int
    what: str


def a_parser(
    program: str, about: str, afterwards: str, amounts: Mapping[str, Amount]
) -> argparse.ArgumentParser:
    """Return a parser of `--quick` and of the amounts."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=about,
        epilog=afterwards,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of little, to see that the program works; its figures say little",
    )
    for name, amount in amounts.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=at_least(1),
            metavar="N",
            help=f"{amount.what} ({amount.full:,}; with --quick {amount.quick:,})",
        )
    return parser


def parsed(
    parser: argparse.ArgumentParser, amounts: Mapping[str, Amount], arguments: Sequence[str]
) -> dict[str, Any]:
    """Return the options by name; a wrong one, and `--help`, end the program."""
    given = vars(parser.parse_args(arguments))
    quick = given.pop("quick")
    for name, amount in amounts.items():
        given[name] = given[name] or (amount.quick if quick else amount.full)
    return given


def at_least(least: int) -> Callable[[str], int]:
    """Return what reads a whole number from the least one on, commas allowed."""

    def read(text: str) -> int:
        digits = text.replace(",", "").replace("_", "")
        if not digits.isdecimal() or int(digits) < least:
            message = f"{text!r} is no whole number from {least} on"
            raise argparse.ArgumentTypeError(message)
        return int(digits)

    return read


def reported(
    measure: Callable[[Console], Coroutine[Any, Any, _R]], table: Callable[[_R], RenderableType]
) -> _R | None:
    """Measure, and show the report; None where nothing could be measured, which is said."""
    # A topic that is a moment old may have no leader yet: aiokafka warns, and tries again.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        report = asyncio.run(measure(progress))
    except StackError as error:
        sys.stderr.write(f"The embedded stack can't start. {error}\n")
        return None
    except VoidRunError as error:
        sys.stderr.write(f"Nothing could be measured: {error}\n")
        return None
    Console(highlight=False, soft_wrap=True).print(table(report))
    return report


def turned(names: Sequence[str], by: int) -> list[str]:
    """Return the names, begun with another one."""
    start = by % len(names)
    return [*names[start:], *names[:start]]
