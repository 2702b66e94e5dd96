"""The demo, as a new user runs it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

PATIENCE = 150.0


@asynccontextmanager
async def demo(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `countersign demo`; standard error goes with standard output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "countersign", "demo", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={name: v for name, v in os.environ.items() if not name.startswith("COUNTERSIGN_")},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_it_says(process: asyncio.subprocess.Process, text: str) -> str:
    """Return what the process has said, up to the line with this text."""
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(PATIENCE):
        while text not in said:
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
    return said


# The stack is asked for so that a machine on which it can't start skips these as well.
@pytest.mark.usefixtures("stack")
async def test_every_scene_ends_as_it_must() -> None:
    """`demo --exit` plays every kind of answer and a killed worker, and ends with status 0."""
    async with demo("--exit") as process:
        said = await until_it_says(process, "ended as they must")
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    assert "✗" not in said
    for kind in ("allowed", "challenged", "denied", "delegated"):
        assert f"login.{kind}" in said
    for kind in ("passed", "denied", "expired", "failed", "failed_open"):
        assert f"challenge.{kind} " in said
    assert "approved elsewhere" in said
    for reason in (
        "remembered_browser",
        "duo_allowed",
        "wrong_return_code",
        "no_usable_factor",
        "duo_username_missing",
        "return_url_not_allowed",
        "login_expired",
        "push_budget_spent",
        "invalid_event",
        "duo_denied",
        "duo_unavailable",
        "not_back_in_time",
    ):
        assert reason in said
    assert "byte for byte" in said


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_nothing_is_left_behind(number: signal.Signals) -> None:
    """However the demo ends, by Ctrl-C or killed, Kafka, Valkey and every service end with it."""
    async with demo() as process:
        await until_it_says(process, "Still up")
        children = psutil.Process(process.pid).children(recursive=True)
        names = " ".join(child.name() for child in children)
        assert "java" in names
        assert "valkey" in names
        process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            status = await process.wait()
        assert status == (0 if number is signal.SIGINT else -signal.SIGKILL)
        _, left = await asyncio.to_thread(psutil.wait_procs, children, 20)
        assert left == []
