"""Tenants' code: what an Action is, one published version of it, and the flow that is in force.

The words are Auth0's: an Action is tenant code that runs after a login, a Rule its legacy kind, the
flow the ordered list of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from countersign.core.login import TenantId
from countersign.core.sealed import SealedSecret

MAX_SOURCE_BYTES = 100_000
"""Auth0's limit of an Action's code."""
MAX_MODULES_BYTES = 500_000
"""Of all modules of an Action together; a record of Kafka's holds a million bytes."""
MAX_ACTIONS = 20
"""In one flow."""
MAX_SECRET_NAME = 128
"""Characters of a secret's name (Auth0)."""
MAX_SECRET_VALUE = 4096
"""Characters of a secret's value (Auth0)."""
KEPT_VERSIONS = 20
"""Versions of an Action that stay published, so that a flow can go back to one."""
MAX_TIME_LIMIT = timedelta(seconds=20)
"""Auth0's limit of the post-login trigger."""
MIN_TIME_LIMIT = timedelta(milliseconds=10)

ActionName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$(?!\n)")]
ActionVersionNumber = Annotated[int, Meta(ge=1)]


def secret_purpose(action: str, secret: str) -> str:
    """Return what a secret of an Action's is sealed for, so that it opens as nothing else."""
    # An Action's name has no space, so no other pair makes the same text.
    return f"action {action} {secret}"


class ActionKind(StrEnum):
    """How an Action is written; a flow runs the kinds in this order."""

    RULE = "rule"
    """A legacy Rule: `function (user, context, callback)`."""
    ACTION = "action"
    """JavaScript: `exports.onExecutePostLogin`."""
    PYTHON = "python"
    """A Python function of a package that the operator installed with the service."""


class ActionRef(msgspec.Struct, frozen=True, kw_only=True):
    """An Action in a flow.

    Attributes:
        name: the Action; for `python` the entry point's name.
        kind: how it is written.
        version: which published version runs; 0 for `python`, whose package has versions of its own.
    """

    name: ActionName
    kind: ActionKind
    version: Annotated[int, Meta(ge=0)]


class ActionVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One published version of a JavaScript Action or Rule; it never changes.

    Attributes:
        tenant: whose it is.
        name: what it is called in the flow.
        version: counts up from 1.
        kind: `action` or `rule`.
        created_at: when it was published.
        source: the code.
        modules: CommonJS code by the name that `require` knows it by.
        secrets: what `event.secrets` and `configuration` hold, sealed.
    """

    tenant: TenantId
    name: ActionName
    version: ActionVersionNumber
    kind: ActionKind
    created_at: Annotated[datetime, Meta(tz=True)]
    source: str
    modules: Mapping[str, str] = {}
    secrets: Mapping[str, SealedSecret] = {}


class ActionRules(msgspec.Struct, frozen=True, kw_only=True):
    """How long a tenant's flow may run, in processor time.

    Attributes:
        time_limit: of one Action; at most 20 s.
        flow_time_limit: of all of them together; at most 20 s.
    """

    time_limit: timedelta = timedelta(milliseconds=100)
    flow_time_limit: timedelta = timedelta(milliseconds=250)


def flow_problems(flow: tuple[ActionRef, ...]) -> Iterator[tuple[str, str, str]]:
    """Find what keeps a flow from being put in force: key, problem and remedy of each."""
    if len(flow) > MAX_ACTIONS:
        yield "flow", f"has {len(flow)} Actions", f"Bind at most {MAX_ACTIONS}"
    order = list(ActionKind)
    latest, seen = 0, set[str]()
    for position, ref in enumerate(flow):
        key = f"flow[{position}]"
        if ref.name in seen:
            yield key, f"is {ref.name} once more", "Bind each Action once"
        seen.add(ref.name)
        if order.index(ref.kind) < latest:
            remedy = "Put Rules first, then JavaScript Actions, then Python Actions"
            yield key, f"is a {ref.kind.value} after a {order[latest].value}", remedy
        latest = max(latest, order.index(ref.kind))
        if (ref.version == 0) != (ref.kind is ActionKind.PYTHON):
            yield key, f"has the version {ref.version}", "Name a published version; Python has none"
