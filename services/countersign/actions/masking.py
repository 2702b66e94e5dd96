"""Puts stars in place of a flow's secrets, in whatever its code hands out (law 9)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

STARS: Final = "********"
_SHORTEST: Final = 4
"""A shorter value stands in too many texts by chance, and gives nothing away."""
_WHOLE: Final = 2**63


class Mask:
    """Masks texts and JSON values; also makes numbers ones that every record can hold.

    Args:
        secrets: what must not be seen.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first, since one may hold another.
        worth = sorted({one for one in secrets if len(one) >= _SHORTEST}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, worth))) if worth else None

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        return self._secrets.sub(STARS, text) if self._secrets is not None else text

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
