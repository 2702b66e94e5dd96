"""The pages in words, and how they are rendered: plain, without scripts, and without a word from outside.

Law 9: no page holds a code, a state or a cookie; what it says of a login is what its user did.
"""

from __future__ import annotations

from importlib import resources
from typing import Final, Literal, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from countersign.challenger.answers import Page, Show


class Words(NamedTuple):
    """A page.

    Attributes:
        status: the HTTP status (RFC 9110).
        tone: how it looks.
        title: what happened.
        text: what that means, and what to do.
        reload: seconds after which the browser comes again by itself; 0: it doesn't.
    """

    status: int
    tone: Literal["good", "bad", "wait"]
    title: str
    text: str
    reload: int = 0


_SIGN_IN_AGAIN: Final = "Go back to the application and sign in again."

WORDS: Final[dict[Page, Words]] = {
    Page.UNKNOWN: Words(
        404,
        "bad",
        "This link is not known",
        "It may be incomplete, or too old. " + _SIGN_IN_AGAIN,
    ),
    Page.BAD_REQUEST: Words(
        400,
        "bad",
        "This address can't be used",
        "It isn't one that a sign-in leads to, or it was changed on the way. " + _SIGN_IN_AGAIN,
    ),
    Page.WRONG_BROWSER: Words(
        403,
        "bad",
        "This sign-in belongs to another browser",
        "It has to be finished in the browser, and the window, where it was begun. If you didn't begin it"
        " yourself, close this page: somebody may have wanted you to approve their sign-in.",
    ),
    Page.ELSEWHERE: Words(
        409,
        "bad",
        "This sign-in was approved elsewhere",
        "It goes on in the browser where it was approved. If that wasn't you, tell your administrator.",
    ),
    Page.MOVING_ON: Words(
        202,
        "wait",
        "One moment",
        "Your answer is being checked. This page goes on by itself.",
        reload=1,
    ),
    Page.AGAIN: Words(
        409,
        "bad",
        "That didn't work",
        "Your answer couldn't be checked in time. You can ask for a new prompt.",
    ),
    Page.FINISHED: Words(
        200, "good", "This sign-in is finished", "There is nothing more to do here."
    ),
    Page.DENIED: Words(
        403,
        "bad",
        "The sign-in was denied",
        "You have not been signed in. If you denied it by mistake, sign in again. If you didn't ask for"
        " it, somebody may know your password: change it, and tell your administrator.",
    ),
    Page.EXPIRED: Words(410, "bad", "Time is up", "The sign-in took too long. " + _SIGN_IN_AGAIN),
    Page.NO_WAY_BACK: Words(
        409,
        "bad",
        "There is no way back",
        "You have answered, but the application's address is not allowed any more, so you have not been"
        " signed in. Tell your administrator.",
    ),
    Page.FAILED: Words(
        502,
        "bad",
        "The sign-in couldn't be checked",
        "Something is wrong between this service and Duo, so you have not been signed in. If it happens"
        " again, tell your administrator.",
    ),
    Page.DUO_UNAVAILABLE: Words(
        503,
        "bad",
        "Duo can't be reached",
        "You have not been signed in. Sign in again in a minute.",
    ),
    Page.DUO_AWAY: Words(
        503,
        "wait",
        "Duo can't be reached at the moment",
        "Nothing is lost: try again in a minute.",
    ),
    Page.TOO_MANY_PROMPTS: Words(
        429,
        "wait",
        "Too many prompts",
        "So many prompts in a short time look like somebody else's doing, so there are no more for now."
        " Answer one that is still open, or wait some minutes.",
    ),
    Page.NOT_NOW: Words(
        503,
        "wait",
        "Not possible at the moment",
        "Nothing is lost: reload this page in a minute.",
    ),
    Page.NO_SUCH_PAGE: Words(404, "bad", "There is no such page", _SIGN_IN_AGAIN),
    Page.WRONG_METHOD: Words(405, "bad", "That can't be done here", _SIGN_IN_AGAIN),
    Page.BROKEN: Words(
        500,
        "bad",
        "Something went wrong here",
        "You have not been signed in. It has been noted; try again in a minute.",
    ),
}

RETRY_AFTER: Final = {
    Page.DUO_AWAY: 30,
    Page.DUO_UNAVAILABLE: 60,
    Page.NOT_NOW: 15,
    Page.TOO_MANY_PROMPTS: 120,
}
"""Seconds after which it is worth coming again (RFC 9110, section 10.2.3)."""


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

    def render(self, show: Show) -> bytes:
        """Return a page as HTML."""
        words = WORDS[show.page]
        again = f"{self._base}/c/{show.challenge}" if show.challenge is not None else None
        return self._template.render(
            base=self._base, words=words, again=again, back=show.back
        ).encode()


def style() -> bytes:
    """Return the pages' stylesheet."""
    return (resources.files(__package__) / "templates" / "style.css").read_bytes()
