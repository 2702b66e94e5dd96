"""Puts stars in place of a flow's secrets, in whatever its code hands out (law 9)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, quote_plus

STARS: Final = "********"
_SHORTEST: Final = 4
"""A shorter value stands in too many texts by chance, and gives nothing away."""
_WHOLE: Final = 2**63


class Mask:
    """Masks texts and JSON values; also makes numbers ones that every record can hold.

    Args:
        secrets: what must not be seen, as it is or as texts and addresses write it.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for one in secrets if len(one) >= _SHORTEST for form in _forms(one)}
        # The longest first, since one may hold another.
        self._forms = sorted(forms, key=len, reverse=True)
        self._any = re.compile("|".join(map(re.escape, self._forms))) if forms else None

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        return self._any.sub(STARS, text) if self._any is not None else text

    def cut(self, text: str, most: int, raw: int) -> str:
        """Return the text without secrets, so many characters of it.

        Args:
            text: the text.
            most: characters that are kept.
            raw: the length at which it was cut already, perhaps within a secret.
        """
        if len(text) >= raw:
            text = self._without_a_part(text)
        return self.text(text)[:most]

    def value(self, value: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
        """Return the value without secrets, keys included."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(name): self.value(inner) for name, inner in value.items()}
            case list():
                return [self.value(inner) for inner in value]
            case int() if not -_WHOLE <= value < _WHOLE:
                return float(value)
            case _:
                return value

    def _without_a_part(self, text: str) -> str:
        """Return the text without the beginning of a secret at its end."""
        cut = max((_begun(form, text) for form in self._forms), default=0)
        return text[: len(text) - cut]


def _begun(form: str, text: str) -> int:
    """Return how many characters at a text's end are the beginning of a form, the most that can be."""
    end = text[-len(form) :]
    at = end.find(form[0])
    while at >= 0 and not form.startswith(end[at:]):
        at = end.find(form[0], at + 1)
    return len(end) - at if at >= 0 else 0


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, and as JSON, a quoted text and an address write it."""
    quoted = secret.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quoted,
        quote(secret, safe="!~*'()-._"),
        quote_plus(secret),
    }
