"""JavaScript that is built from npm packages: globals that QuickJS lacks, and a parser for lint.

Law: code gets the globals that it spells, and pays for no others: compiling one costs milliseconds. A
bundle is evaluated before the realm freezes what it has, and changes nothing that is there already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

_DIRECTORY: Final = Path(__file__).parent / "javascript" / "bundles"

GLOBALS: Final[Mapping[str, str]] = {
    "URL": "url",
    "URLSearchParams": "url",
    "Buffer": "buffer",
    "TextEncoder": "text",
    "TextDecoder": "text",
    "structuredClone": "clone",
}
"""The bundle that defines each global."""

_SPELT: Final = re.compile(rf"(?<![\w$])(?:{'|'.join(GLOBALS)})(?![\w$])")


def globals_for(sources: Iterable[str]) -> str:
    """Return the code that defines the globals that any of these sources spells; "" where there is none."""
    spelt = {GLOBALS[name] for source in sources for name in _SPELT.findall(source)}
    return "".join(bundle(name) for name in sorted(spelt))


@cache
def bundle(name: str) -> str:
    """Return a bundle's code."""
    return (_DIRECTORY / f"{name}.js").read_text("utf-8")
