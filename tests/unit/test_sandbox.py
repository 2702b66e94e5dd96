"""The sandbox answers every login, whatever its process does."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from countersign.actions.child import MOST_FLOWS
from countersign.actions.sandbox import MAX_BATCH_BYTES, Sandbox
from countersign.core.errors import UnavailableError
from tests.builders import ACME, GLOBEX
from tests.sandboxes import a_flow, a_job, an_obedient_sandbox, kinds

pytestmark = pytest.mark.filterwarnings("error")

ENABLE = "exports.onExecutePostLogin = async (event, api) => { api.multifactor.enable('duo'); };"
LOOP = "exports.onExecutePostLogin = async () => { for (;;) {} };"


async def test_it_runs_javascript() -> None:
    """A batch of several tenants' logins comes back in its order, from one process."""
    ask, silent = a_flow(ENABLE), a_flow()
    jobs = [a_job(ask), a_job(silent, tenant=GLOBEX)] * 100
    async with Sandbox() as sandbox:
        pid = sandbox.pid
        reports = await sandbox.run(jobs)
        assert sandbox.pid == pid
    assert [r.provider for r in reports] == ["duo", None] * 100


async def test_an_empty_batch_is_no_work() -> None:
    """Nothing is asked, nothing is answered."""
    async with Sandbox() as sandbox:
        assert await sandbox.run([]) == []


async def test_who_kills_the_process_is_denied_alone() -> None:
    """Logins that end their process, in the midst of a hundred, are given up; all others are answered."""
    flow = a_flow()
    deadly = {0, 17, 18, 99}
    jobs = [a_job(flow, do="die" if n in deadly else "") for n in range(100)]
    restarts: list[None] = []
    async with an_obedient_sandbox(on_restart=lambda: restarts.append(None)) as sandbox:
        found = kinds(await sandbox.run(jobs))
        assert kinds(await sandbox.run([a_job(flow)])) == [""]
    assert {n for n, kind in enumerate(found) if kind == "crashed"} == deadly
    assert set(found) == {"", "crashed"}
    assert restarts


async def test_who_was_only_there_is_answered() -> None:
    """A login whose process ends by something that came before is answered in a process of its own."""
    flow = a_flow()
    async with an_obedient_sandbox() as sandbox:
        jobs = [a_job(flow), a_job(flow, do="die-unless-first"), a_job(flow)]
        assert kinds(await sandbox.run(jobs)) == ["", "", ""]


async def test_who_is_silent_is_killed() -> None:
    """A process that says nothing for four times the limit and two seconds is replaced."""
    flow = a_flow(limit=0.01, flow_limit=0.01)
    async with an_obedient_sandbox() as sandbox:
        async with asyncio.timeout(20):
            jobs = [a_job(flow), a_job(flow, do="hang"), a_job(flow)]
            assert kinds(await sandbox.run(jobs)) == ["", "crashed", ""]


@pytest.mark.parametrize("frame", ["long-frame", "no-frame", "another-batch"])
async def test_bad_frames(frame: str) -> None:
    """A process that doesn't keep to the frames is replaced; only who made it do so is denied."""
    flow = a_flow()
    async with an_obedient_sandbox() as sandbox:
        first = sandbox.pid
        jobs = [a_job(flow), a_job(flow, do=frame), a_job(flow)]
        assert kinds(await sandbox.run(jobs)) == ["", "crashed", ""]
        assert sandbox.pid != first


async def test_a_report_that_is_too_large() -> None:
    """A report beyond what a login may have is its own login's fault."""
    flow = a_flow()
    async with an_obedient_sandbox() as sandbox:
        jobs = [a_job(flow), a_job(flow, do="huge"), a_job(flow)]
        assert kinds(await sandbox.run(jobs)) == ["", "crashed", ""]


@pytest.mark.law(9)
async def test_a_mistake_in_the_program_is_told_without_its_text() -> None:
    """Law 9: an exception denies its login; what is told of it is its kind and place, not its text."""
    async with an_obedient_sandbox() as sandbox:
        pid = sandbox.pid
        (report,) = await sandbox.run([a_job(a_flow(), do="raise")])
        assert sandbox.pid == pid
    assert report.failure is not None
    assert report.failure.message.startswith("ValueError in run")
    assert "secret" not in report.failure.message


async def test_realms_are_kept_and_thrown_away() -> None:
    """A realm serves one flow of one tenant, login after login, until it is spent."""
    flow = a_flow()
    jobs = [
        a_job(flow, do="how-many"),
        a_job(flow, do="how-many"),
        a_job(flow, tenant=GLOBEX, do="how-many"),
        a_job(flow, do="spent"),
        a_job(flow, do="how-many"),
    ]
    async with an_obedient_sandbox() as sandbox:
        reports = [*await sandbox.run(jobs), *await sandbox.run(jobs[-1:])]
    assert [r.spoken[0].seconds for r in reports] == [1, 2, 1, 0, 1, 2]


async def test_more_flows_than_are_kept() -> None:
    """Flows beyond those that are kept are sent again when they come back."""
    flows = [a_flow() for _ in range(MOST_FLOWS + 20)]
    async with an_obedient_sandbox() as sandbox:
        for _ in range(2):
            reports = await sandbox.run([a_job(flow, do="how-many") for flow in flows])
            assert len(reports) == len(flows)
        (last,) = await sandbox.run([a_job(flows[-1], do="how-many")])
        (first,) = await sandbox.run([a_job(flows[0], do="how-many")])
    assert [last.spoken[0].seconds, first.spoken[0].seconds] == [2, 1]


async def test_large_events_are_cut_into_several_batches() -> None:
    """What is too large to cross at once crosses in parts; each login is answered, in order."""
    flow = a_flow()
    text = "x" * (MAX_BATCH_BYTES // 3)
    jobs = [a_job(flow, do="how-many", text=text) for _ in range(7)]
    async with an_obedient_sandbox() as sandbox:
        reports = await sandbox.run(jobs)
    assert [r.spoken[0].seconds for r in reports] == [1, 2, 3, 4, 5, 6, 7]


async def test_a_share_of_the_time() -> None:
    """A tenant that loops is cut off once its share is used; others go on in the same batch."""
    loop, calm = a_flow(LOOP, limit=0.2, flow_limit=0.2), a_flow()
    jobs = [job for _ in range(20) for job in (a_job(loop), a_job(calm, tenant=GLOBEX))]
    now = 0.0
    async with Sandbox(clock=lambda: now) as sandbox:
        found = kinds(await sandbox.run(jobs))
        assert found[1::2] == [""] * 20
        assert found[0:18:2] == ["time"] * 9
        assert found[26::2] == ["share"] * 7
        assert kinds(await sandbox.run([a_job(loop)])) == ["share"]
        now = 10.0
        assert kinds(await sandbox.run([a_job(loop)])) == ["time"]


async def test_who_kills_pays() -> None:
    """The time that a process took which a login ended is charged to its tenant."""
    flow = a_flow()
    seconds = iter(range(1000))
    async with an_obedient_sandbox(clock=lambda: float(next(seconds)) * 3) as sandbox:
        jobs = [a_job(flow, do="die"), a_job(flow), a_job(flow, tenant=GLOBEX)]
        assert kinds(await sandbox.run(jobs)) == ["crashed", "share", ""]


NATIVE_LOOPS = (
    "[].reverse.call({ length: 2 ** 53 - 1 });",
    "[].join.call({ length: 2 ** 31 - 1 });",
    "new Array(2 ** 32 - 1).sort();",
)


@pytest.mark.parametrize("loop", NATIVE_LOOPS)
async def test_a_loop_of_the_engines_own_is_ended_too(loop: str) -> None:
    """What the engine does without looking at the time ends with the process; neighbours are answered."""
    bad = a_flow(f"exports.onExecutePostLogin = async () => {{ {loop} }};", flow_limit=0.25)
    good = a_flow(flow_limit=0.25)
    async with Sandbox() as sandbox:
        await sandbox.run([a_job(good)])
        reports = await sandbox.run([a_job(good), a_job(bad, tenant=GLOBEX), a_job(good)])
        assert kinds(reports) == ["", "crashed", ""]
        # What it has cost the others is more than its share: it doesn't run again for a while.
        assert kinds(await sandbox.run([a_job(bad, tenant=GLOBEX), a_job(good)])) == ["share", ""]


async def test_batches_take_turns() -> None:
    """Many callers at once get their own answers."""
    flows = [a_flow() for _ in range(20)]
    async with an_obedient_sandbox() as sandbox:
        answers = await asyncio.gather(
            *(sandbox.run([a_job(flow, do="how-many")] * (n + 1)) for n, flow in enumerate(flows))
        )
    for n, reports in enumerate(answers):
        assert [r.spoken[0].seconds for r in reports] == list(range(1, n + 2))


async def test_a_caller_that_gives_up() -> None:
    """Who gives up in the middle takes nothing from who comes next."""
    flow = a_flow()
    async with an_obedient_sandbox() as sandbox:
        for _ in range(3):
            doomed = asyncio.create_task(sandbox.run([a_job(flow, do="slow")] * 100))
            waiting = asyncio.create_task(sandbox.run([a_job(flow, do="how-many")]))
            await asyncio.wait({doomed}, timeout=0.1)
            doomed.cancel()
            with pytest.raises(asyncio.CancelledError):
                await doomed
            (report,) = await waiting
            assert report.spoken[0].seconds == 1


async def test_closed_in_the_middle() -> None:
    """A sandbox that is closed ends its process; who waits for it is told that it is out of reach."""
    flow = a_flow()
    async with an_obedient_sandbox() as sandbox:
        running = asyncio.create_task(sandbox.run([a_job(flow, do="slow")] * 1000))
        await asyncio.wait({running}, timeout=0.1)
        pid = sandbox.pid
    with pytest.raises(UnavailableError, match="closed"):
        await running
    with pytest.raises(UnavailableError, match="closed"):
        await sandbox.run([a_job(flow)])
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.law(8)
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (("/nowhere/at/all",), "No such file"),
        ((sys.executable, "-c", "raise SystemExit('no engine here')"), "no engine here"),
        ((sys.executable, "-c", "import os; os.write(0, b'\\0\\0\\0\\1x')"), "."),
        (
            (
                sys.executable,
                "-c",
                "import os; os.write(0, b'\\0\\0\\0\\x0e\\x91\\x91\\xabdescriptors'); os.read(0, 1)",
            ),
            "can't be shut in: descriptors",
        ),
    ],
)
async def test_no_process_can_be_started(program: tuple[str, ...], reason: str) -> None:
    """Law 8: where there is no sandbox nothing is denied: who asks waits, and is told why."""
    async with Sandbox(program) as sandbox:
        with pytest.raises(UnavailableError, match=reason):
            await sandbox.run([a_job(a_flow())])


async def test_a_sandbox_that_comes_back(tmp_path: Path) -> None:
    """Once a process can be started the next batch is answered."""
    program = tmp_path / "program"
    async with Sandbox((str(program),)) as sandbox:
        with pytest.raises(UnavailableError):
            await sandbox.run([a_job(a_flow())])
        code = "import sys; from countersign.actions.process import main; main()"
        program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}'\n")
        program.chmod(0o755)
        assert kinds(await sandbox.run([a_job(a_flow(), tenant=ACME)])) == [""]
