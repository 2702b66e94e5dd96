"""Which language a page is in: one that the relying party asked for, or else the browser, or else English.

Nothing that a browser sends fails here, or costs more than a look at the first part of a header.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from countersign.core.language import LANGUAGE_TAG

DEFAULT: Final = "en"

_LONGEST_HEADER: Final = 1024
"""Characters of Accept-Language that are looked at; browsers send less than a tenth of it."""
_ACCEPTED: Final = re.compile(
    rf"(\*|{LANGUAGE_TAG.pattern})(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{{0,3}})?|1(?:\.0{{0,3}})?))?"
)
"""A language range with its weight (RFC 9110, sections 12.4.2 and 12.5.4)."""


def chosen(asked: Sequence[str], accept_language: str, known: Collection[str]) -> str:
    """Return the language to answer in.

    Args:
        asked: the languages that the relying party asked for, the dearest first (OpenID Connect Core,
            section 3.1.2.1, `ui_locales`).
        accept_language: the browser's header, as it came.
        known: the languages that there are.
    """
    weights = dict(_accepted(accept_language))
    wanted = sorted(
        (one for one, weight in weights.items() if weight), key=lambda one: -weights[one]
    )
    welcome = [tag for tag in known if weights.get(tag.lower()) != 0]
    return _looked_up(asked, known) or _looked_up(wanted, welcome) or DEFAULT


def _accepted(header: str) -> Iterator[tuple[str, float]]:
    """Return the ranges in the header with their weights; what is none is passed over."""
    for part in header[:_LONGEST_HEADER].split(","):
        if found := _ACCEPTED.fullmatch(part.strip(" \t")):
            yield found[1].lower(), float(found[2] or 1)


def _looked_up(ranges: Iterable[str], known: Iterable[str]) -> str | None:
    """Return the first known language, each range made shorter until it is one (RFC 4647, section 3.4).

    `*` doesn't say which, so it comes to the default; a single character goes with what it introduces.
    """
    tags = {tag.lower(): tag for tag in known}
    for one in ranges:
        parts = one.lower().split("-")
        while parts:
            if (tag := tags.get("-".join(parts))) is not None:
                return tag
            parts.pop()
            if parts and len(parts[-1]) == 1:
                parts.pop()
    return None
