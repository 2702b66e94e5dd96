"""Sandboxes for tests: jobs to give them, and programs that misbehave as they are told."""

from __future__ import annotations

import json
from collections.abc import Callable

from countersign.actions.child import Job
from countersign.actions.flow import ActionCode, FlowCode, FlowLogin, FlowReport
from countersign.actions.sandbox import Sandbox
from countersign.core.action import ActionKind
from tests.builders import ACME
from tests.sandbox_program import PROGRAM


def a_flow(
    source: str = "exports.onExecutePostLogin = async () => {};",
    *,
    limit: float = 1.0,
    flow_limit: float = 1.0,
) -> FlowCode:
    """Return the code of a flow of one Action."""
    action = ActionCode(name="ask", version=1, kind=ActionKind.ACTION, source=source)
    return FlowCode(actions=(action,), time_limit=limit, flow_time_limit=flow_limit)


def a_job(flow: FlowCode, *, tenant: str = ACME, **event: object) -> Job:
    """Return a login; `do=` says what a program that obeys is to do."""
    data = json.dumps({"user": {"user_id": "a"}, "client": {"client_id": "c"}, **event}).encode()
    return Job(flow, FlowLogin(tenant=tenant, event=data, at=0, seed=bytes(16)))


def an_obedient_sandbox(
    *, clock: Callable[[], float] | None = None, on_restart: Callable[[], None] = lambda: None
) -> Sandbox:
    """Return a sandbox whose program does what each login says; its time stands still."""
    return Sandbox(PROGRAM, clock=clock or (lambda: 0.0), on_restart=on_restart)


def kinds(reports: list[FlowReport]) -> list[str]:
    """Return how each login failed; "" where it didn't."""
    return ["" if r.failure is None else r.failure.kind.value for r in reports]
