"""The whole table: every row of every theme, those first whose challenges are left to expire."""

from __future__ import annotations

from typing import Final

from tests.attacks import (
    actions,
    binding,
    bus,
    callback,
    failmode,
    policy,
    privacy,
    refusals,
    signed,
    surface,
    tokens,
)
from tests.attacks.table import Row

ROWS: Final[tuple[Row, ...]] = (
    *binding.ROWS,
    *callback.ROWS,
    *surface.ROWS,
    *policy.ROWS,
    *bus.ROWS,
    *privacy.ROWS,
    *failmode.ROWS,
    *tokens.ROWS,
    *refusals.ROWS,
    *signed.ROWS,
    *actions.ROWS,
)
