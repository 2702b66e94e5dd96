"""Why the simulator refuses a request; each names itself as OAuth does (RFC 6749, section 5.2)."""

from __future__ import annotations

from typing import ClassVar

from countersign.core.errors import CountersignError


class RefusedError(CountersignError):
    """The request is refused.

    Args:
        description: why, in a sentence; holds no value of the request.
    """

    error: ClassVar[str]

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description


class WishError(CountersignError):
    """What somebody wants the simulator to do can't be; not a part of Duo's protocol.

    Args:
        field: which part is wrong.
        detail: why, and what would be right.
    """

    def __init__(self, *, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class InvalidRequestError(RefusedError):
    """A parameter is missing, repeated or can't be read."""

    error = "invalid_request"


class InvalidClientError(RefusedError):
    """The client is unknown, or its assertion proves nothing."""

    error = "invalid_client"


class InvalidGrantError(RefusedError):
    """The code is unknown, used, expired, or another's."""

    error = "invalid_grant"
