"""What a browser is answered with: a page, or another address; how either is sent is not said here."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from countersign.core.challenge import Visit


class Page(StrEnum):
    """The pages that a browser may be shown."""

    UNKNOWN = "unknown"
    """There is no such challenge, or no longer."""
    BAD_REQUEST = "bad_request"
    """The address is not one that Duo, or a challenge, sends a browser to."""
    WRONG_BROWSER = "wrong_browser"
    """The prompt was opened in another browser."""
    ELSEWHERE = "elsewhere"
    """It was approved in another browser or window."""
    MOVING_ON = "moving_on"
    """Duo's answer is being fetched; the page comes again by itself."""
    AGAIN = "again"
    """It could not be finished in this window; the challenge can be begun anew."""
    FINISHED = "finished"
    DENIED = "denied"
    EXPIRED = "expired"
    NO_WAY_BACK = "no_way_back"
    """It was approved, and the tenant no longer allows the address that the browser would go back to."""
    FAILED = "failed"
    DUO_UNAVAILABLE = "duo_unavailable"
    """Duo is out of reach, and that was the end."""
    DUO_AWAY = "duo_away"
    """Duo is out of reach or overburdened at the moment; the challenge stands."""
    TOO_MANY_PROMPTS = "too_many_prompts"
    NOT_NOW = "not_now"
    """Our own store is out of reach; the challenge stands."""
    NO_SUCH_PAGE = "no_such_page"
    WRONG_METHOD = "wrong_method"
    BROKEN = "broken"


class Show(NamedTuple):
    """A page.

    Attributes:
        page: which.
        challenge: the challenge to begin anew, where there is one.
        back: where the user came from, where that is known.
        ui_locales: the languages that the relying party asked for, where that is known.
    """

    page: Page
    challenge: str | None = None
    back: str | None = None
    ui_locales: tuple[str, ...] = ()


class Cookie(NamedTuple):
    """What a browser is known by when it comes back.

    Attributes:
        visit: the visit that it is for.
        value: unguessable.
        seconds: how long it lasts.
    """

    visit: str
    value: str
    seconds: int


class Send(NamedTuple):
    """Another address.

    Attributes:
        to: the address; a bearer link, or one with a return code.
        cookie: what the browser is given on the way.
    """

    to: str
    cookie: Cookie | None = None


Answer = Show | Send


def in_languages(answer: Answer, ui_locales: tuple[str, ...]) -> Answer:
    """Return the answer, which is to be in one of these languages where it is a page."""
    return answer._replace(ui_locales=ui_locales) if isinstance(answer, Show) else answer


class Cookies(NamedTuple):
    """The visits that a browser knows itself by: cookies' values by visit."""

    values: dict[str, str]

    def of(self, visit: Visit) -> str | None:
        """Return what the browser has for a visit; None where it has nothing."""
        return self.values.get(visit.id)
