"""The sandbox's process is killed or stopped from outside, in the middle of batches."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from countersign.actions.sandbox import Sandbox
from tests.sandboxes import a_flow, a_job, an_obedient_sandbox, kinds
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="POSIX signals")

WORK = """
exports.onExecutePostLogin = async (event, api) => {
  let sum = 0;
  for (let i = 0; i < 200000; i++) sum += i % 7;
  api.multifactor.enable(event.n % 2 ? 'duo' : 'none');
};
"""


@pytest.mark.law(1)
@pytest.mark.law(12)
@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGSTOP])
async def test_in_the_middle_of_a_batch(deadly: signal.Signals) -> None:
    """Laws 1 and 12: each login is answered as it would have been, and none is denied for it."""
    flow = a_flow(WORK, limit=0.1, flow_limit=0.1)
    jobs = [a_job(flow, tenant=f"tenant-{n % 10}", n=n) for n in range(60)]
    async with Sandbox(clock=lambda: 0.0) as sandbox:
        undisturbed = await sandbox.run(jobs)
        first = sandbox.pid
        assert first is not None
        running = asyncio.create_task(sandbox.run(jobs))
        await asyncio.sleep(0)
        os.kill(first, deadly)
        disturbed = await running
        assert sandbox.pid != first
    assert [r.provider for r in disturbed] == [r.provider for r in undisturbed]
    assert [r.provider for r in disturbed] == ["none", "duo"] * 30


@pytest.mark.law(1)
async def test_killed_again_and_again() -> None:
    """Law 1: many batches at once, and a process that is killed every now and then: all are answered."""
    flows = [a_flow() for _ in range(8)]
    killed: set[int] = set()
    restarts: list[None] = []

    async def kill(sandbox: Sandbox) -> None:
        while len(killed) < 4:
            await eventually(lambda: sandbox.pid is not None and sandbox.pid not in killed)
            assert sandbox.pid is not None
            killed.add(sandbox.pid)
            os.kill(sandbox.pid, signal.SIGKILL)
            # So that none is hit twice, which would be its own doing.
            await asyncio.wait_for(sandbox.run([a_job(flows[0])]), 20)

    async with an_obedient_sandbox(on_restart=lambda: restarts.append(None)) as sandbox:
        batches = [sandbox.run([a_job(flow, do="slow")] * 10) for flow in flows]
        killing = asyncio.create_task(kill(sandbox))
        answers = await asyncio.gather(*batches)
        await killing
    assert [kinds(reports) for reports in answers] == [[""] * 10] * len(flows)
    assert len(restarts) == len(killed)


async def test_killed_while_it_waits() -> None:
    """A process that was killed between two batches is replaced before anything is given to it."""
    flow = a_flow()
    async with an_obedient_sandbox() as sandbox:
        for _ in range(3):
            pid = sandbox.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            assert kinds(await sandbox.run([a_job(flow)] * 3)) == [""] * 3
            assert sandbox.pid != pid
