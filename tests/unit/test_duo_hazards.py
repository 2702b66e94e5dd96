"""What Duo's SDK leaves to its caller, numbered, and that each hazard is closed by tests with its number.

`make test ARGS="-m hazard"` runs them all, `grep -rn "hazard(5)" tests` finds one's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[1]

HAZARDS = {
    1: "no timeout, redirects followed, the environment's proxies and .netrc used, no kept connections",
    2: 'an empty file of authorities, or "DISABLE", turns the verification of TLS off',
    3: "a signed token that says deny is returned as if it were a success",
    4: "an answer that isn't JSON raises JSON's own error, and one class stands for every other fault",
    5: "the user's name has to match exactly, case and white space included",
    6: "nonces of 16 and of 1024 characters are refused, and the nonce is outside the signed request",
    7: "the code and the client's assertion travel in the query string",
    8: "the address is always https, and the issuer is the host with its port",
    9: "a prompt's address is good for five minutes",
    10: "calls block, and PyJWT warns of Duo's key at each",
    11: "a client doesn't change: one for each tenant, account and redirect URI",
    12: "the texts of its errors quote codes, assertions and tokens",
    13: "errors of decoding and of recursion escape, and others come wrapped twice",
    14: 'the status is not looked at: a 500 that says "OK" counts as healthy',
    15: "errors of TLS and of proxies are connection errors, too",
    16: "an empty nonce switches the nonce's check off",
    17: "bodies have no limit, and a slow trickle defeats a read timeout",
    18: "a nonce for a whole challenge would make a reload break the earlier tab",
}


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
