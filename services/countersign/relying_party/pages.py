"""The pages: rendered on the server from templates, without scripts.

Law: everything is escaped, and no page holds a code, a cookie or an event id.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response

from countersign.client import may_follow
from countersign.relying_party.login import LONGEST_NAME
from countersign.relying_party.sessions import Answer, Session
from countersign.relying_party.words import ASSURANCES, REASONS

_PACKAGE: Final = "countersign.relying_party"


class Pages:
    """Renders the pages; each method says what the page is for."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader(_PACKAGE), autoescape=True, undefined=StrictUndefined
        )
        self._style = (files(_PACKAGE) / "style.css").read_text(encoding="utf-8")

    def style(self) -> Response[str]:
        """Return the stylesheet."""
        return Response(self._style, media_type=MediaType.CSS)

    def sign_in(self, *, name: str = "", problem: str | None = None) -> Response[str]:
        """Return the form to sign in, with what is wrong about what was sent."""
        status = 200 if problem is None else 400
        return self._page(
            "sign_in.html", status, name=name, problem=problem, longest_name=LONGEST_NAME
        )

    def signed_in(self, session: Session, answer: Answer) -> Response[str]:
        """Return who is signed in, and why."""
        return self._page(
            "signed_in.html",
            200,
            name=session.login.name,
            why=ASSURANCES[answer.assurance],
            answer=answer,
            forgotten=session.forgotten,
        )

    def denied(self, answer: Answer) -> Response[str]:
        """Say that the user is turned away, and why, in an Action's words, too."""
        said = getattr(answer, "access_denied", None)
        url = getattr(answer, "redirect_url", None)
        return self._page(
            "denied.html",
            403,
            why=REASONS[answer.reason],
            said=said.reason if said is not None else None,
            # A link for the user to follow: an address from elsewhere is nowhere to be led to unasked.
            further=url if url is not None and may_follow(url) else None,
            answer=answer,
        )

    def delegated(self, answer: Answer) -> Response[str]:
        """Say that another provider is due, which this sample doesn't know."""
        provider = getattr(answer, "provider", None)
        return self._page("delegated.html", 200, provider=provider, answer=answer)

    def unchecked_sign_in(self, name: str) -> Response[str]:
        """Say that there was no answer; the form asks the same question again."""
        return self._page("unchecked.html", 503, name=name)

    def unchecked_return(self) -> Response[str]:
        """Say that there was no answer; the link is the page's own address, code and all."""
        return self._page("unchecked.html", 503, name=None)

    def not_forgotten(self) -> Response[str]:
        """Say that a "forget" was not acknowledged."""
        return self._page("not_forgotten.html", 503)

    def told(self, status: int, title: str, text: str) -> Response[str]:
        """Return a page of one heading, one paragraph, and the way to the beginning."""
        return self._page("told.html", status, title=title, text=text)

    def _page(self, template: str, status: int, **values: object) -> Response[str]:
        body = self._templates.get_template(template).render(values)
        return Response(body, status_code=status, media_type=MediaType.HTML)
