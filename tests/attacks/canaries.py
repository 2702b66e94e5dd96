"""What must not be seen anywhere, and a search for it in whatever form it may have been written.

A secret is looked for as it is, in hexadecimal, percent-encoded, and in base64 at each of the three places
where it may begin in a group, so that it is also found inside something longer.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import quote

SHORTEST: Final = 12
"""Bytes of a canary; anything shorter is found by accident."""
_WINDOW: Final = 12
"""Bytes that a form is first looked for by; no form is shorter."""
_TOKEN: Final = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.")
"""A signed token: Duo's id tokens, our assertions, the requests for a prompt (RFC 7519, section 3)."""
SIGNED_FOR_US: Final = frozenset({"login-events", "login-events-dlq"})
"""Where signals stand, which are signed tokens (RFC 8417); our own and Duo's are looked for by value, too."""


class Document(NamedTuple):
    """A piece of what can be seen.

    Attributes:
        place: the kind of place, such as `log` or `login-events`.
        name: which one, for people.
        data: what stands there.
    """

    place: str
    name: str
    data: bytes


class Found(NamedTuple):
    """A canary that was seen: which kind, in which form, and where; not the canary itself."""

    kind: str
    form: str
    place: str
    name: str


class _Form(NamedTuple):
    kind: str
    form: str
    data: bytes


class Canaries:
    """Secrets by their kind; a kind may have places where it is at home."""

    def __init__(self) -> None:
        self._forms: dict[bytes, list[_Form]] = {}
        self._known: set[tuple[str, bytes]] = set()
        self._homes: dict[str, set[str]] = {}

    def add(self, kind: str, secret: str | bytes) -> None:
        """Look for a secret from now on.

        Raises:
            ValueError: it is too short to be told from an accident.
        """
        data = secret.encode() if isinstance(secret, str) else secret
        if len(data) < SHORTEST:
            message = f"a {kind} of {len(data)} bytes may be seen by accident"
            raise ValueError(message)
        if (kind, data) in self._known:
            return
        self._known.add((kind, data))
        for name, form in forms(data):
            self._forms.setdefault(form[:_WINDOW], []).append(_Form(kind, name, form))

    def allow(self, kind: str, *places: str) -> None:
        """Say where a kind of secret may stand."""
        self._homes.setdefault(kind, set()).update(places)

    def kinds(self) -> set[str]:
        """Return the kinds of secrets that are known."""
        return {kind for kind, _ in self._known}

    def any_of(self, kind: str) -> bytes:
        """Return a secret of a kind."""
        return next(secret for known, secret in sorted(self._known) if known == kind)

    def is_at_home(self, kind: str, place: str) -> bool:
        """Say whether a kind of secret may stand in a place."""
        return place in self._homes.get(kind, ())

    def search(self, documents: Iterable[Document]) -> list[Found]:
        """Return whatever is seen where it may not be; signed tokens only where signals are."""
        return [found for document in documents for found in self._seen_in(document)]

    def _seen_in(self, document: Document) -> Iterator[Found]:
        place, name, data = document
        windows = {data[at : at + _WINDOW] for at in range(len(data) - _WINDOW + 1)}
        for window in windows & self._forms.keys():
            for form in self._forms[window]:
                if form.data in data and not self.is_at_home(form.kind, place):
                    yield Found(form.kind, form.form, place, name)
        # What an identity system signs and sends is there, and in a dead letter as it came.
        if _TOKEN.search(data) and place not in SIGNED_FOR_US:
            yield Found("signed token", "raw", place, name)


def forms(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Return every form that a secret is looked for in, each once."""
    found = {secret: "raw"}
    found.setdefault(secret.hex().encode(), "hex")
    found.setdefault(secret.hex().upper().encode(), "hex in capitals")
    found.setdefault(quote(secret, safe="").encode(), "percent-encoded")
    found.setdefault(repr(secret)[2:-1].encode(), "escaped")
    for before in range(3):
        for name, encode in (("base64", b64encode), ("url-safe base64", urlsafe_b64encode)):
            encoded = encode(bytes(before) + secret)
            # The characters that hold bits of nothing but the secret.
            first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
            found.setdefault(encoded[first:last], f"{name} at {before}")
    return iter([(name, form) for form, name in found.items()])
