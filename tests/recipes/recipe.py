"""What a recipe is: code that people have in Auth0, and logins with what has to come of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from countersign.core.result import ResultType
from countersign.core.tenant import Policy

ALLOWED = ResultType.LOGIN_ALLOWED
DENIED = ResultType.LOGIN_DENIED
CHALLENGED = ResultType.LOGIN_CHALLENGED
DELEGATED = ResultType.LOGIN_DELEGATED


class Case(NamedTuple):
    """A login, and what comes of it.

    Attributes:
        what: says so in a few words.
        login: parts of the event, over the builder's own.
        comes: the kind of result.
        remembers: whether passing the challenge makes the browser a remembered one, where it matters.
        provider: who is due, if delegated.
        said: what the Action's own denial says.
        username: the user's name at Duo, where it matters.
        account: the Client ID of the Duo account that challenges, where it is the Action's own.
    """

    what: str
    login: dict[str, Any]
    comes: ResultType
    remembers: bool | None = None
    provider: str | None = None
    said: str | None = None
    username: str | None = None
    account: str | None = None


class Recipe(NamedTuple):
    """A recipe.

    Attributes:
        name: what it does.
        cases: logins that go each way.
        action: as an Action.
        rule: as a legacy Rule; None where Rules can't say it.
        secrets: what the code reads as its secrets.
        policy: the tenant's own.
    """

    name: str
    cases: tuple[Case, ...]
    action: str
    rule: str | None = None
    secrets: dict[str, str] = {}  # noqa: RUF012  # nobody changes it
    policy: Policy = Policy.NEVER


def user(**attributes: Any) -> dict[str, Any]:  # noqa: ANN401  # attributes are anything
    """Return the part of an event that says more of the user."""
    return {"user": attributes}


def at_client(client_id: str, **metadata: str) -> dict[str, Any]:
    """Return the part of an event that names the application."""
    return {"client": {"client_id": client_id, "name": client_id, "metadata": metadata}}


def methods(*names: str, at: str = "2026-03-02T08:59:58.000Z") -> dict[str, Any]:
    """Return the part of an event that lists the methods that were completed."""
    return {"authentication": {"methods": [{"name": name, "timestamp": at} for name in names]}}


def protocol(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # as the event has it
    """Return the part of an event that says how the login came."""
    return {"transaction": {"protocol": name, "acr_values": [], **more}}
