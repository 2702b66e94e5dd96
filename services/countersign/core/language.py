"""Language tags in the form that BCP 47 gives them; whatever else stands in their place is left out.

So nothing that a login event or a browser asks for is kept, or looked for, unless it could be a language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
"""A tag, and a basic language range (RFC 4647, section 2.1)."""

_MOST_LANGUAGES: Final = 8
_LONGEST_TAG: Final = 35
"""What RFC 5646 asks everybody to have room for (section 4.4.1)."""


def language_tags(asked: Iterable[str]) -> tuple[str, ...]:
    """Return the first few of these that are language tags, in their order."""
    tags = [tag for tag in asked if len(tag) <= _LONGEST_TAG and LANGUAGE_TAG.fullmatch(tag)]
    return tuple(tags[:_MOST_LANGUAGES])
