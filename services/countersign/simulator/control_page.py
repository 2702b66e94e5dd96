"""A page for people who want to script users and inject faults by hand; it needs no scripts of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.types import Guard

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.errors import InvalidRequestError, WishError
from countersign.simulator.fault import NATURES, Endpoint, Fault
from countersign.simulator.fault_wishes import read_form
from countersign.simulator.faults import LONGEST_NAME, Faults
from countersign.simulator.ledger import Ledger
from countersign.simulator.pages import Pages, go
from countersign.simulator.parameters import Incoming, parameters

CONTROL: Final = "/control"
_SHOWN: Final = 50
"""So many entries of the ledger are shown, the latest first."""


@dataclass(frozen=True, slots=True)
class Control:
    """What the page shows and changes.

    Attributes:
        scripts: how scripted users behave, by Duo user name.
        faults: what is in force.
        ledger: what happened.
        pages: show it.
    """

    scripts: dict[str, Behaviour]
    faults: Faults
    ledger: Ledger
    pages: Pages

    def page(
        self, complaint: str | None = None, typed: Mapping[str, str] | None = None
    ) -> Response[Any]:
        """Return the page; with a complaint about what was typed, and that."""
        page = self.pages.page(
            "control",
            status=200 if complaint is None else 400,
            complaint=complaint,
            typed={} if typed is None else typed,
            injections=list(self.faults),
            scripts=sorted(self.scripts.items()),
            entries=list(islice(reversed(list(self.ledger)), _SHOWN)),
            faults=[(each, _places(each)) for each in Fault],
            endpoints=list(Endpoint),
            behaviours=list(Behaviour),
        )
        # Without a referrer a browser would call its own page's origin `null`; see `same_site`.
        page.headers["referrer-policy"] = "same-origin"
        return page

    async def submit(
        self, request: Incoming, change: Callable[[Mapping[str, str]], object]
    ) -> Response[Any]:
        """Do what a form asks for, and show the page anew; or say why it can't be."""
        form: Mapping[str, str] = {}
        try:
            form = await parameters(request)
            change(form)
        except WishError as error:
            return self.page(f"{error.field}: {error.detail}", form)
        except InvalidRequestError as error:
            return self.page(error.description)
        return go(CONTROL)

    def inject(self, form: Mapping[str, str]) -> None:
        """Put a fault in force."""
        self.faults.inject(**read_form(form))

    def remove(self, form: Mapping[str, str]) -> None:
        """Take a fault out of force; it may be gone already."""
        self.faults.remove(form.get("id", ""))

    def script(self, form: Mapping[str, str]) -> None:
        """Script a user."""
        username = form.get("scripted", "")
        if not 1 <= len(username) <= LONGEST_NAME:
            raise WishError(field="user name", detail=f"has 1 to {LONGEST_NAME} characters.")
        behaviour = form.get("behaviour", "")
        if behaviour not in set(Behaviour):
            raise WishError(field="behaviour", detail=f"is one of: {', '.join(Behaviour)}.")
        self.scripts[username] = Behaviour(behaviour)

    def unscript(self, form: Mapping[str, str]) -> None:
        """Let a user answer by hand again."""
        self.scripts.pop(form.get("scripted", ""), None)


def control_page(control: Control, *, guard: Guard) -> list[HTTPRouteHandler]:
    """Return the routes of the page and its forms.

    Args:
        control: what it shows and changes.
        guard: refuses other sites' pages.
    """
    guards = [guard]

    @get(CONTROL)
    async def show() -> Response[Any]:
        return control.page()

    @post(f"{CONTROL}/faults", guards=guards)
    async def inject(request: Incoming) -> Response[Any]:
        return await control.submit(request, control.inject)

    @post(f"{CONTROL}/faults/remove", guards=guards)
    async def remove(request: Incoming) -> Response[Any]:
        return await control.submit(request, control.remove)

    @post(f"{CONTROL}/scripts", guards=guards)
    async def script(request: Incoming) -> Response[Any]:
        return await control.submit(request, control.script)

    @post(f"{CONTROL}/scripts/remove", guards=guards)
    async def unscript(request: Incoming) -> Response[Any]:
        return await control.submit(request, control.unscript)

    return [show, inject, remove, script, unscript]


def _places(fault: Fault) -> str:
    """Return where a fault can strike, for people."""
    nature = NATURES[fault]
    everywhere = nature.endpoints == frozenset(Endpoint)
    where = "anywhere" if everywhere else " and ".join(sorted(nature.endpoints))
    return where if nature.seconds is None else f"{where}; needs seconds"
