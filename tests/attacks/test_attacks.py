"""Attacks on the running system: a row of the table each, then everything that was seen meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.attacks import binding, bus, callback, failmode, policy, privacy, tokens
from tests.attacks.scene import Scene
from tests.attacks.table import Row
from tests.attacks.world import World, open_world

if TYPE_CHECKING:
    from countersign.local import Stack

ROWS = (
    *binding.ROWS,
    *callback.ROWS,
    *tokens.ROWS,
    *failmode.ROWS,
    *bus.ROWS,
    *policy.ROWS,
    *privacy.ROWS,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The running system, started once for all rows."""
    async with open_world(stack, tmp_path_factory.mktemp("attacks"), ROWS) as running:
        yield running


# The rogue Duo signs as Duo does, with a secret of 40 characters.
@pytest.mark.filterwarnings("ignore:The HMAC key is 40:jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_attack(world: World, row: Row) -> None:
    """What is sent moves what it may and nothing else: page, bus, log and Redis are as the row says."""
    scene = Scene(world, row)
    try:
        await row.attack(scene)
        assert await scene.found(row.expected) == row.expected
    finally:
        await scene.close()
