"""The index of rules is whole, and what it names is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.attacks.index import ELSEWHERE, RULES
from tests.attacks.rows import ROWS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_shown(rule: str) -> None:
    """A rule has a row, or a test elsewhere, that shows it."""
    assert rule in ELSEWHERE or any(rule in row.rules for row in ROWS)


@pytest.mark.parametrize("name", sorted({name for names in ELSEWHERE.values() for name in names}))
def test_what_is_named_is_there(name: str) -> None:
    """A test that the index names is a function of the file that it names."""
    file, _, function = name.partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    found = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert function in found


def test_nothing_speaks_of_a_rule_that_is_none() -> None:
    """Rows and index use the numbers of the rules, and no other."""
    named = {rule for row in ROWS for rule in row.rules} | ELSEWHERE.keys()
    assert named <= RULES.keys()


def test_each_row_has_a_tenant_of_its_own() -> None:
    """A row's theme and number are its tenant's name, so no two rows may share them."""
    tenants = [row.tenant for row in ROWS]
    assert len(set(tenants)) == len(tenants)
    assert all(row.rules for row in ROWS)
