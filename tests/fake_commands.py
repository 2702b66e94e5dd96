"""Commands that end in each way in which a command can end."""

from __future__ import annotations

from countersign.core.errors import Problem, SettingsError, StoreUnavailableError


def done() -> None:
    """Do what was asked."""


async def refused() -> int:
    """End with a status of its own."""
    return 3


def away() -> None:
    """Find Redis away."""
    text = "Redis can't be reached"
    raise StoreUnavailableError(text)


def wrong() -> None:
    """Find settings wrong."""
    raise SettingsError(
        source="acme.toml",
        problems=[
            Problem(key="duo.client_id", problem="is [short]", remedy="Copy it"),
            Problem(key="mfa.policy", problem="is unknown", remedy="Use never"),
        ],
    )


async def interrupted() -> None:
    """Be stopped by Ctrl-C."""
    raise KeyboardInterrupt


def unread() -> None:
    """Print to somebody who has left."""
    raise BrokenPipeError
