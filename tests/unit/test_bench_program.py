"""The benchmark's command line, its logins and its arithmetic; nothing is timed here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from countersign.core.login import LoginAttempted
from countersign.wire.inbound import read_event
from tests.benchmarks.figures import Published, flaw, per_second, percentile
from tests.benchmarks.load import LOGINS_EACH, RESULTS, TENANTS, Kind, Login, make_logins
from tests.benchmarks.options import AMOUNTS, parse
from tests.builders import NOW

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "bench_decider.py"


def test_help_explains() -> None:
    """The program runs as `make bench` runs it, and says what it measures and what it takes."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, PROGRAM, "--help"], capture_output=True, text=True, check=True
    )
    for word in ("by hand", "Faust each", "--quick", "--json", "--events", "--profile"):
        assert word in done.stdout


def test_amounts_have_defaults() -> None:
    """Without arguments it measures in full; --quick measures less, and a given amount wins."""
    assert parse([]).events == AMOUNTS["events"].full
    assert parse([]).json == Path("bench.json")
    assert parse(["--quick"]).rounds == AMOUNTS["rounds"].quick
    assert parse(["--quick", "--events", "70,000"]).events == 70_000


@pytest.mark.parametrize("arguments", [["--events", "0"], ["--rounds", "x"], ["--fast"]])
def test_wrong_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What can't be measured ends the program with status 2 and names the argument."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_logins_are_repeatable_and_mixed() -> None:
    """Each login reads as an event of a known tenant; nobody logs in more often than the budget has room."""
    logins = make_logins(1_000, NOW)
    assert logins == make_logins(1_000, NOW)
    assert len({login.event_id for login in logins}) == 1_000
    for login in logins:
        event = read_event(login.key, login.value, login.headers)
        assert isinstance(event, LoginAttempted)
        assert event.identity.tenant in TENANTS
    users = [login.user for login in logins]
    assert max(map(users.count, users)) <= LOGINS_EACH < TENANTS["initech"].push_budget.prompts
    challenged = sum(user.kind is Kind.CHALLENGED for user in users[:500])
    assert 0.25 < challenged / 500 < 0.35


def test_rate_begins_after_the_first_twentieth() -> None:
    """Results that share the starting instant are not counted, and those before it neither."""
    slow_start = [0] * 3 + [1_000] * 47
    steady = [1_000 + 10 * step for step in range(1, 51)]
    assert per_second([*slow_start, *steady]) == pytest.approx(100)


def test_percentiles_are_nearest_ranks() -> None:
    """The p99 of a hundred values is the ninety-ninth."""
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([7.0], 0.5) == 7


def results(logins: list[Login]) -> list[Published]:
    """Return the results that make a run valid."""
    return [
        Published(0, login.event_id, f"countersign.{RESULTS[login.user.kind]}.v1")
        for login in logins
    ]


def test_a_run_is_valid_with_one_right_result_a_login() -> None:
    """A result that is missing, there twice, wrong or unasked makes the run void, and is counted."""
    logins = make_logins(10, NOW)
    right = results(logins)
    assert flaw(right, logins) is None
    assert flaw(right[1:], logins) == "of 10: 1 logins have no result"
    assert flaw([*right, right[0]], logins) == "of 10: 1 have several"
    wrong = right[0]._replace(type="countersign.login.denied.v1")
    assert flaw([wrong, *right[1:]], logins) == "of 10: 1 results are of the wrong kind"
    other = right[0]._replace(event_id="another")
    assert flaw([*right, other], logins) == "of 10: 1 answer nothing that was asked"
