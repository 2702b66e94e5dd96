"""What several tests share: the embedded Kafka and Valkey, started once for all of them."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

import pytest
import structlog

from countersign.local import Stack, StackError, embedded_stack

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running Kafka and Valkey; a test that harms a server starts it again.

    The servers are processes and belong to no event loop, so the fixture is synchronous and each
    test connects from its own loop.
    """
    # Given a factory, the runner leaves the thread's current event loop to pytest-asyncio. It stays
    # open to the end, as closing it would close the context that runs the stack.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        context = embedded_stack()
        try:
            running = runner.run(context.__aenter__())
        except StackError as exc:
            if os.environ.get("CI") == "true":
                pytest.fail(f"The embedded stack can't start.\n{exc}", pytrace=False)
            pytest.skip(f"The embedded stack can't start. {exc}")
        try:
            yield running
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Put the process's logs back where a test, or a command that it calls, set them up anew.

    They would be written to a stream that pytest has closed by then, and be told twice.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
