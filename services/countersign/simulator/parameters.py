"""Reads a request's parameters, wherever the SDK puts them: each once, or the request is refused.

Law: whatever is sent, the answer is a value or an `InvalidRequestError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import ClientException

from countersign.simulator.errors import InvalidRequestError

Incoming = Request[object, object, State]

LARGEST: Final = 64 * 1024
"""Bytes of a query or of a body."""
_MOST: Final = 50
_FORM: Final = b"application/x-www-form-urlencoded"


async def parameters(request: Incoming) -> Mapping[str, str]:
    """Return the parameters of the query and of the form.

    Duo takes either: its Python SDK sends a form to the health check, and a query to the token endpoint.

    Raises:
        InvalidRequestError: one is repeated, or they can't be read.
    """
    found = query(request)
    try:
        body = await request.body()
    except ClientException as error:  # too large, or the browser went away
        reason = "The body is too large."
        raise InvalidRequestError(reason) from error
    if body:
        headers = dict(request.scope["headers"])
        if not headers.get(b"content-type", b"").lower().startswith(_FORM):
            reason = "The body is no form."
            raise InvalidRequestError(reason)
        found = _merged(found, _parsed(body))
    return found


def query(request: Incoming) -> Mapping[str, str]:
    """Return the parameters of the query alone.

    Raises:
        InvalidRequestError: one is repeated, or they can't be read.
    """
    return _parsed(request.scope["query_string"])


def _parsed(raw: bytes) -> dict[str, str]:
    if len(raw) > LARGEST:
        reason = "The parameters are too large."
        raise InvalidRequestError(reason)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST
        )
    except ValueError as error:  # a UnicodeDecodeError is one
        reason = "The parameters can't be read."
        raise InvalidRequestError(reason) from error
    found: dict[str, str] = {}
    for name, value in pairs:
        found = _merged(found, {name: value})
    return found


def _merged(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    if repeated := first.keys() & second.keys():
        # RFC 6749, section 3.1: parameters must not be included more than once.
        reason = f"{len(repeated)} parameters are repeated."
        raise InvalidRequestError(reason)
    return {**first, **second}
