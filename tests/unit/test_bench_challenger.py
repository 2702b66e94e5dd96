"""The challenger's benchmark: its command line and its verdicts; nothing is timed here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.challenger_options import AMOUNTS, parse
from tests.benchmarks.challenger_report import Report, Run, aims
from tests.benchmarks.challenger_server import BY_HAND, KEPT_OPEN, OURS, UNCHECKED
from tests.benchmarks.challenger_situations import USUAL, Situation
from tests.benchmarks.challenger_sweep import Sweep

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "bench_challenger.py"


def test_help_explains() -> None:
    """The program says what it measures and what it takes."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, PROGRAM, "--help"], capture_output=True, text=True, check=True
    )
    for word in (
        BY_HAND,
        UNCHECKED,
        KEPT_OPEN,
        "--quick",
        "--trips",
        "--rounds",
        "--steady",
        "--overdue",
        "--walkers",
    ):
        assert word in done.stdout


def test_amounts_have_defaults() -> None:
    """Without arguments it measures in full; --quick measures less, and a given amount wins."""
    assert parse([]).trips == AMOUNTS["trips"].full
    assert parse(["--quick"]).overdue == AMOUNTS["overdue"].quick
    assert parse(["--quick", "--trips", "5,000"]).trips == 5_000


def test_wrong_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """What can't be measured ends the program with status 2 and names the argument."""
    with pytest.raises(SystemExit) as ended:
        parse(["--rounds", "0"])
    assert ended.value.code == 2
    assert "--rounds" in capsys.readouterr().err


def a_run(name: str, per_second: float) -> Run:
    """Return a run of which only the rate matters."""
    return Run(
        contender=name,
        per_second=per_second,
        visit_p50=1,
        visit_p99=1,
        callback_p50=1,
        callback_p99=1,
        cpu=1,
        duo_cpu=1,
    )


def test_verdicts_are_of_medians_and_of_the_longest_visit() -> None:
    """A slow round doesn't miss an aim, a single slow visit during a sweep does."""
    runs = [a_run(OURS, rate) for rate in (10, 60, 60)]
    runs += [a_run(BY_HAND, 100), a_run(UNCHECKED, 200), a_run(KEPT_OPEN, 120)]
    sweep = Sweep(sweepers=1, seconds=9, quiet_p99=3, p99=9, longest=51, visits=300)
    usual = Situation(name=USUAL, visit_p99=10, callback_p99=100, trips=50)
    beside = Situation(name="others hang", visit_p99=21, callback_p99=150, trips=50)
    report = Report(parse(["--quick"]), 0.0, runs, [usual, beside], [sweep])
    assert [(aim.measured, aim.reached) for aim in aims(report)] == [
        ("0.60 x", True),
        ("0.30 x", False),
        ("0.50 x", True),
        ("2.10 x", False),
        ("1.50 x", True),
        ("51 ms", False),
    ]
