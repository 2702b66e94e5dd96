"""What the end-to-end tests share: all services as the demo runs them, and a real Chromium."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from countersign.local import StackError
from tests.e2e.walking import NoBrowserError, all_services, open_chromium

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser

    from countersign.local.demo.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """All services on a stack of their own; processes, so they belong to no event loop."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        context = all_services()
        try:
            running = runner.run(context.__aenter__())
        except StackError as error:
            _unable(f"The services can't start. {error}")
        try:
            yield running
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A Chromium without a window."""
    try:
        async with open_chromium() as browser:
            yield browser
    except NoBrowserError as error:
        _unable(str(error))


def _unable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
