"""Realms for tests: flows of a few lines, and logins that they are run for."""

from __future__ import annotations

from typing import Any

import msgspec

from countersign.actions.flow import ActionCode, FlowCode, FlowLogin, FlowReport
from countersign.actions.realm import Realm
from countersign.core.action import ActionKind

MEMORY = 32 << 20
AT = 1_772_442_000_000
"""2026-03-02 09:00 UTC, the instant at which the tests play."""


def an_action(source: str, **changes: Any) -> ActionCode:  # noqa: ANN401  # ActionCode's own
    """Return an Action of this source."""
    given: dict[str, Any] = {"name": "it", "version": 1, "kind": ActionKind.ACTION}
    return ActionCode(source=source, **{**given, **changes})


def body(statements: str, *, before: str = "") -> str:
    """Return the source of an Action that does this."""
    return f"{before}\nexports.onExecutePostLogin = async (event, api) => {{ {statements} }};"


def a_rule(statements: str, **changes: Any) -> ActionCode:  # noqa: ANN401  # ActionCode's own
    """Return a Rule that does this."""
    source = f"function (user, context, callback) {{ {statements} }}"
    return an_action(source, kind=ActionKind.RULE, **changes)


def a_realm(*actions: ActionCode | str, time: float = 0.1, flow_time: float = 0.25) -> Realm:
    """Return the realm of a flow; a text is what an Action does."""
    flow = FlowCode(
        actions=tuple(an_action(body(one)) if isinstance(one, str) else one for one in actions),
        time_limit=time,
        flow_time_limit=flow_time,
    )
    return Realm(flow, memory_limit=MEMORY)


def a_flow_login(
    *,
    at: int = AT,
    seed: bytes = bytes(range(16)),
    cache: dict[str, tuple[str, int]] | None = None,
    **parts: Any,  # noqa: ANN401  # an event's own
) -> FlowLogin:
    """Return a login; `parts` replace the event's."""
    user = {"user_id": "auth0|alice", "email": "alice@example.com", **parts.pop("user", {})}
    event = {"user": user, "client": {"client_id": "shop"}, **parts}
    return FlowLogin(
        tenant="acme", event=msgspec.json.encode(event), at=at, seed=seed, cache=cache or {}
    )


def run(*actions: ActionCode | str, **login: Any) -> FlowReport:  # noqa: ANN401  # a_flow_login's own
    """Return what a flow does for a login."""
    return a_realm(*actions).run(a_flow_login(**login))


def read(expression: str, *before: ActionCode | str, **login: Any) -> Any:  # noqa: ANN401  # whatever it is
    """Return the value of an expression inside of an Action."""
    asked = f"api.user.setAppMetadata('it', [await ({expression})]);"
    report = run(*before, asked, **login)
    assert report.failure is None, report.failure
    return report.recorded[-1].arguments[1][0]
