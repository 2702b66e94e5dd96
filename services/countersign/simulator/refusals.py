"""How Duo says no: at each of its endpoints in other words."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response

from countersign.simulator.errors import RefusedError
from countersign.simulator.fault import Endpoint
from countersign.simulator.pages import Pages

_FAILED: Final = 40002
"""Duo's code of a request that it doesn't take."""


def refusal(
    endpoint: Endpoint, error: RefusedError, pages: Pages, *, timestamp: int
) -> Response[Any]:
    """Return a refusal.

    Args:
        endpoint: where the request came.
        error: why it is refused.
        pages: show a person why.
        timestamp: the time, in seconds.
    """
    if endpoint is Endpoint.AUTHORIZE:
        return pages.page("refused", status=400, error=error.error, text=error.description)
    if endpoint is Endpoint.TOKEN:
        # RFC 6749, section 5.2.
        said: dict[str, Any] = {"error": error.error, "error_description": error.description}
    else:
        said = {
            "stat": "FAIL",
            "code": _FAILED,
            "message": error.error,
            "message_detail": error.description,
            "timestamp": timestamp,
        }
    return Response(said, status_code=400)
