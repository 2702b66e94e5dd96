"""Every command ends with a status and a message that say what happened."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cyclopts import Group

from countersign.cli import app
from countersign.cli.app import Command, run

HEAVY = ("aiokafka", "redis", "pydantic", "cryptography", "faust")


@pytest.fixture(autouse=True)
def _fake_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("done", "refused", "away", "wrong", "interrupted", "unread")
    group = Group("Try")
    commands = tuple(
        Command(name, f"tests.fake_commands:{name}", f"Be {name}.", group) for name in names
    )
    monkeypatch.setattr(app, "COMMANDS", commands)


def test_success_is_0_and_failure_its_own_status() -> None:
    """A command's number is the exit status; none is 0."""
    assert run(["done"]) == 0
    assert run(["refused"]) == 3


def test_failure_is_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """An error of ours becomes one line on standard error and status 1, without a traceback."""
    assert run(["away"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Error: Redis can't be reached\n"


def test_every_problem_is_told_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    """Settings that are wrong are told problem by problem; brackets in a text are no markup."""
    assert run(["wrong"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Error: 2 problems in acme.toml",
        "  duo.client_id: is [short]",
        "    → Copy it",
        "  mfa.policy: is unknown",
        "    → Use never",
    ]


@pytest.mark.parametrize(
    ("tokens", "status"),
    [(["unheard-of"], 2), (["done", "--unheard-of"], 2), (["interrupted"], 130)],
)
def test_usage_and_interruption_have_their_statuses(tokens: list[str], status: int) -> None:
    """Wrong usage is 2, Ctrl-C is 130."""
    with pytest.raises(SystemExit) as raised:
        run(tokens)
    assert raised.value.code == status


def test_reader_who_left_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output into `head` ends quietly."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    assert run(["unread"]) == 1


def test_called_command_speaks_for_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """The list shows a line a command; a command's own help is its own."""
    run(["--help"])
    assert "Be refused." in capsys.readouterr().out
    run(["refused", "--help"])
    assert "End with a status of its own." in capsys.readouterr().out


def test_help_and_version_load_nothing_heavy() -> None:
    """`countersign --help` is quick because no command is imported for it."""
    script = (
        "import sys\n"
        "from countersign.cli.app import run\n"
        "run(['--help']); run(['--version'])\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603  # our own words
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "settings" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
