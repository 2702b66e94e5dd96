"""The page of Duo's faults, held to the code: pages, results, reasons, errors, logs, metrics, hazards."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import countersign.challenger
from countersign.adapters.duo import bulkhead, health
from countersign.challenger.answers import Page
from countersign.challenger.metrics import Metrics
from countersign.challenger.pages import MANNERS
from countersign.core import challenge
from countersign.core.errors import DuoError
from tests.duo_hazards import HAZARDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "duo-faults.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
TABLES = ["At a visit", "At a callback", "Around Duo"]


def _section(title: str) -> str:
    return TEXT.split(f"## {title}\n")[1].split("\n## ")[0]


def _rows(title: str) -> Iterator[dict[str, str]]:
    """Return a section's table: each row's cells by column."""
    lines = [line for line in _section(title).splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    for row in rows:
        yield dict(zip(head, row, strict=True))


def _logged() -> set[str]:
    """Return every event that the challenger logs, by `log` or by a name that stands for a method of it."""
    found = set()
    for path in Path(countersign.challenger.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log")) | ast.Name(), args=[event, *_]
                ):
                    constants = (one for one in ast.walk(event) if isinstance(one, ast.Constant))
                    found |= {one.value for one in constants if isinstance(one.value, str)}
    return found


@pytest.mark.parametrize("table", TABLES)
def test_pages_have_the_status_that_is_said(table: str) -> None:
    """What a user sees is a page that there is, with its status, or the way to the application."""
    for row in _rows(table):
        sees = row["user sees"]
        if named := re.match(r"(\d{3}) `(\w+)`", sees):
            assert MANNERS[Page(named[2])].status == int(named[1]), sees
        else:
            assert sees.startswith(("303, on to the application", "Duo's own page", "what it"))


@pytest.mark.parametrize("table", TABLES)
def test_results_are_ends_of_a_challenge(table: str) -> None:
    """What the bus gets is a result with its reason, as a challenge can end."""
    ends = {(kind.value, why.value) for kind, why in challenge._OUTCOMES.values()}  # noqa: SLF001  # the closed list
    for row in _rows(table):
        said = re.findall(r"`(challenge\.\w+)` \(`(\w+)`\)", row["bus gets"])
        assert set(said) <= ends, row
        assert said or row["bus gets"].startswith(("nothing", "the outcome")), row


@pytest.mark.parametrize("table", TABLES)
def test_what_an_operator_sees_is_logged_or_counted(table: str) -> None:
    """What an operator sees is an event that the challenger logs, or a metric that it has."""
    metrics = {f"{one.name}_total" for one in Metrics().registry.collect()}
    for row in _rows(table):
        for named in re.findall(r"`([^`{]+)(?:\{[^`]*)?`", row["operator sees"]):
            assert named in (metrics if named.startswith("countersign_") else _logged()), row


def test_errors_and_what_follows_agree() -> None:
    """Each error has its meaning, and its rows: only out of reach ever goes on to the application."""
    kinds = {kind.__name__ for kind in DuoError.__subclasses__()}
    assert set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)) == kinds
    rows = [row for table in TABLES[:2] for row in _rows(table)]
    assert {row["error"].strip("`") for row in rows} == kinds | {""}
    for row in rows:
        assert ("duo_error" in row["operator sees"]) == bool(row["error"]), row
        if "failed_open" in row["bus gets"]:
            assert (row["error"], row["failmode"]) == ("`DuoUnavailableError`", "open"), row
        elif "DuoBusyError" in row["error"]:
            assert row["bus gets"] == "nothing", row


def test_hazards_are_listed() -> None:
    """The page lists each hazard of Duo's SDK, by its number, in the words that the tests have for it."""
    listed = re.findall(r"^(\d+)\. (.*)\.$", TEXT, re.MULTILINE)
    assert {int(n): text[0].lower() + text[1:] for n, text in listed} == {
        number: text[0].lower() + text[1:] for number, text in HAZARDS.items()
    }


def test_numbers_are_the_codes() -> None:
    """The numbers that the operations page gives for calls and health checks are the code's."""
    said = " ".join(OPERATIONS.split("**Calls to Duo.**")[1].split("**Sweeping.**")[0].split())
    for sentence in (
        f"makes up to {bulkhead.THREADS} calls at a time",
        f"has at most {bulkhead.SHARE} of them",
        f"at most {bulkhead.MOST_WAITING} of an account wait",
        f"A good answer is given again for {health.GOOD_FOR:.0f} seconds",
        f"An error is given again for {health.BAD_FOR:.0f} second;",
        f"is left alone for {health.OPEN_FOR:.0f} seconds",
    ):
        assert sentence in said
    assert (health.RENEWED_AFTER, health.THRESHOLD) == (3, 3)
    assert "from the third second on" in said
    assert "three times in a row" in said
