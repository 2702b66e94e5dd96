"""What Duo gives a browser to bring back, read from the query; anything odd is refused whole."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from countersign.core.identity import CHALLENGE_ID

_STATE: Final = re.compile(rf"({CHALLENGE_ID.pattern})[A-Za-z0-9_-]{{22,128}}")
_LONGEST_QUERY: Final = 8 * 1024
_MOST_PARAMETERS: Final = 20
_LONGEST_ANSWER: Final = 1024
_KNOWN: Final = ("state", "duo_code", "code", "error")


class Callback(NamedTuple):
    """A browser's return from Duo.

    Attributes:
        state: the visit's state, whole.
        challenge: the challenge's id, which the state begins with.
        code: Duo's code; None where Duo sent an error in its place.
        error: the error, of an open list (RFC 6749, section 4.1.2.1); None where there is a code.
    """

    state: str
    challenge: str
    code: str | None
    error: str | None


def read_callback(query: bytes) -> Callback | None:
    """Return what the query says; None where it is nothing that Duo would send.

    A parameter that comes twice is refused, as RFC 6749 asks (section 3.1), and so is `code`, which Duo
    sends only to those who ask for it under that name.
    """
    if len(query) > _LONGEST_QUERY:
        return None
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:  # UnicodeDecodeError is one
        return None
    names = [name for name, _ in pairs]
    found = dict(pairs)
    if any(names.count(name) > 1 for name in _KNOWN) or "code" in found:
        return None
    state = _STATE.fullmatch(found.get("state", ""))
    code, error = found.get("duo_code"), found.get("error")
    if state is None or (code is None) == (error is None):
        return None
    if not 0 < len(code or error or "") <= _LONGEST_ANSWER:
        return None
    return Callback(state[0], state[1], code, error)
