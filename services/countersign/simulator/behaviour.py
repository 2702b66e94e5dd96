"""What a scripted user does at the prompt; a closed list, for tests."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Behaviour(StrEnum):
    """What happens at once where a scripted user comes to the prompt."""

    APPROVE = "approve"
    """A push, approved."""
    DENY_SILENTLY = "deny_silently"
    """A push, denied; as Duo does, nobody is told."""
    DENY_WITH_TOKEN = "deny_with_token"  # noqa: S105  # a word
    """The browser goes back with a code, and the signed token says deny."""
    FRAUD = "fraud"
    """As `deny_with_token`, and the user says that somebody else asked for the prompt."""
    BYPASS = "bypass"
    """Allowed without a factor: the user's status at Duo is bypass."""
    BYPASS_CODE = "bypass_code"
    """A code that an administrator gave out, in place of a factor."""
    REMEMBERED_DEVICE = "remembered_device"
    """Allowed without a factor: Duo remembers the browser."""
    TRUSTED_NETWORK = "trusted_network"
    """Allowed without a factor: the network is one that Duo's policy trusts."""
    ALLOW_UNENROLLED = "allow_unenrolled"
    """Allowed without a factor: the user has none, and Duo's policy lets such users in."""
    UNKNOWN_FACTOR = "unknown_factor"
    """Approved by a factor of a name that Duo's documents don't have (yet)."""
    ERROR_REDIRECT = "error_redirect"
    """The browser goes back with `error` in place of a code (RFC 6749, section 4.1.2.1)."""
    SILENCE = "silence"
    """The prompt is opened, and nobody answers."""


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a script is set over HTTP."""

    behaviour: Behaviour
