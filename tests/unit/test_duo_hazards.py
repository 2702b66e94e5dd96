"""Each hazard of Duo's SDK is closed by tests that carry its number.

`make test ARGS="-m hazard"` runs them all, `grep -rn "hazard(5)" tests` finds one's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.duo_hazards import HAZARDS

TESTS = Path(__file__).parents[1]


class Marked(NamedTuple):
    """A test that carries hazards' numbers."""

    name: str
    numbers: list[int]
    claim: str | None


def _marked() -> Iterator[Marked]:
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                numbers = [_number(decorator) for decorator in node.decorator_list]
                if any(numbers):
                    found = [number for number in numbers if number]
                    yield Marked(f"{path.name}::{node.name}", found, ast.get_docstring(node))


def _number(decorator: ast.expr) -> int:
    """Return the number of `@pytest.mark.hazard(number)`; 0 for any other decorator."""
    match decorator:
        case ast.Call(func=ast.Attribute(attr="hazard"), args=[ast.Constant(value=int(number))]):
            return number
        case _:
            return 0


def test_every_hazard_is_closed_by_a_test() -> None:
    """Each number has a test, no test carries another number, and each says what it claims."""
    tests = list(_marked())
    assert {number for test in tests for number in test.numbers} == set(HAZARDS)
    assert [test.name for test in tests if not test.name.split("::")[1].startswith("test_")] == []
    assert [test.name for test in tests if not test.claim] == []
    assert list(HAZARDS) == list(range(1, 19))
