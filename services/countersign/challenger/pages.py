"""How each page is sent and rendered: plain, without scripts, and without a word from outside.

Law 9: no page holds a code, a state or a cookie; what it says of a login is what its user did.
"""

from __future__ import annotations

from importlib import resources
from typing import Final, Literal, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from countersign.challenger.answers import Page, Show
from countersign.challenger.catalogs import Catalog


class Manner(NamedTuple):
    """How a page is sent; its words are in the catalogs.

    Attributes:
        status: the HTTP status (RFC 9110).
        tone: how it looks.
        reload: seconds after which the browser comes again by itself; 0: it doesn't.
        retry_after: seconds after which it is worth coming again (RFC 9110, section 10.2.3); 0: not said.
    """

    status: int
    tone: Literal["good", "bad", "wait"]
    reload: int = 0
    retry_after: int = 0


MANNERS: Final[dict[Page, Manner]] = {
    Page.UNKNOWN: Manner(404, "bad"),
    Page.BAD_REQUEST: Manner(400, "bad"),
    Page.WRONG_BROWSER: Manner(403, "bad"),
    Page.ELSEWHERE: Manner(409, "bad"),
    Page.MOVING_ON: Manner(202, "wait", reload=1),
    Page.AGAIN: Manner(409, "bad"),
    Page.FINISHED: Manner(200, "good"),
    Page.DENIED: Manner(403, "bad"),
    Page.EXPIRED: Manner(410, "bad"),
    Page.NO_WAY_BACK: Manner(409, "bad"),
    Page.FAILED: Manner(502, "bad"),
    Page.DUO_UNAVAILABLE: Manner(503, "bad", retry_after=60),
    Page.DUO_AWAY: Manner(503, "wait", retry_after=30),
    Page.TOO_MANY_PROMPTS: Manner(429, "wait", retry_after=120),
    Page.NOT_NOW: Manner(503, "wait", retry_after=15),
    Page.NO_SUCH_PAGE: Manner(404, "bad"),
    Page.WRONG_METHOD: Manner(405, "bad"),
    Page.BROKEN: Manner(500, "bad"),
}


class Pages:
    """Renders the pages.

    Args:
        base: the path that all addresses begin with; empty, or with a slash in front.
    """

    def __init__(self, base: str) -> None:
        environment = Environment(
            loader=PackageLoader("countersign.challenger", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
        )
        self._template = environment.get_template("page.html")
        self._base = base

    def render(self, show: Show, catalog: Catalog) -> bytes:
        """Return a page as HTML, in the catalog's language."""
        again = f"{self._base}/c/{show.challenge}" if show.challenge is not None else None
        return self._template.render(
            base=self._base,
            catalog=catalog,
            words=catalog.pages[show.page],
            manner=MANNERS[show.page],
            again=again,
            back=show.back,
        ).encode()


def style() -> bytes:
    """Return the pages' stylesheet."""
    return (resources.files(__package__) / "templates" / "style.css").read_bytes()
