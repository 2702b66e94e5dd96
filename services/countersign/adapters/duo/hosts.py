"""Which API hosts a tenant's Duo account may name; law: no text but a listed host passes.

A tenant's settings choose the host that codes and assertions are sent to, so the process's
settings bound that choice.
"""

from __future__ import annotations

import re
from typing import Final

# A label has no dot, slash, at-sign or colon, so what an asterisk stands for can't end the host early.
_LABELS: Final = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"


class AllowedHosts:
    """The list of allowed hosts.

    Args:
        patterns: host names with commas between. `*.` in front stands for one or more whole labels; a
            port is allowed only where the pattern has that port.
    """

    def __init__(self, patterns: str) -> None:
        self._pattern = re.compile("|".join(map(_expression, patterns.split(","))))

    def allows(self, host: str) -> bool:
        """Return whether the host, with its port if it has one, is on the list."""
        return self._pattern.fullmatch(host) is not None


def _expression(pattern: str) -> str:
    name = pattern.removeprefix("*.")
    return (_LABELS if name != pattern else "") + re.escape(name)
