"""Says what a failed call to Duo means; law: only a broken transport is "out of reach".

`DuoUnavailableError` may open a tenant's failmode, so whatever is not known to be a fault of the
transport is `DuoRefusedError`. The errors made here have fixed texts: the texts of `requests` and of
Duo's SDK quote codes, client assertions and tokens.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from requests import exceptions

from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
)

_BROKEN: Final = (
    exceptions.ConnectionError,
    exceptions.Timeout,
    exceptions.ChunkedEncodingError,
    ConnectionError,
    TimeoutError,
)
# The peer hung up. Somebody on the way can as well send a reset, or nothing at all, so to refuse
# these would protect from nobody, and a dying load balancer would count as a bad certificate.
_HUNG_UP: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_CUT_SHORT: Final = (http.client.RemoteDisconnected, http.client.IncompleteRead)
_MOST_LINKS: Final = 32


def status_fault(status: int) -> DuoError | None:
    """Return what is wrong with an answer of this HTTP status; None where its body may be read.

    The status comes first: a body of a 500 can say `"stat": "OK"`, and the SDK would believe it.
    """
    if status == HTTPStatus.OK:
        return None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return DuoBusyError("Duo says that it was asked too often")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return DuoUnavailableError(f"Duo answers with status {status}")
    return DuoRefusedError(f"Duo answers with status {status}")


def transport_fault(exc: BaseException) -> DuoError:
    """Return what an exception of the HTTP call means.

    `requests` makes a TLS fault a `ConnectionError` too, so the whole chain is looked at.
    """
    links = list(_links(exc))
    hung_up = any(isinstance(link, _HUNG_UP) for link in links)
    for link in links:
        if isinstance(link, ssl.SSLError | exceptions.SSLError) and not (
            isinstance(link, _HUNG_UP) or (isinstance(link, exceptions.SSLError) and hung_up)
        ):
            return DuoRefusedError("Duo's TLS certificate or handshake can't be trusted")
        if isinstance(link, http.client.HTTPException) and not isinstance(link, _CUT_SHORT):
            return DuoRefusedError("Duo's answer is not HTTP")
    if isinstance(exc, _BROKEN):
        return DuoUnavailableError("Duo can't be reached, or hasn't answered in time")
    return DuoRefusedError("Duo can't be called, or its answer can't be read")


def carried_fault(exc: BaseException) -> DuoError:
    """Return our own error that the SDK's exception carries; a refusal where it carries none.

    The SDK wraps what the transport raises as `DuoException(exc)`, for a health check's own verdict
    twice. All else that it raises says that Duo's answer can't be trusted.
    """
    for link in _links(exc):
        if isinstance(link, DuoError):
            # A new one: the old one's traceback leads through frames that hold the code.
            return type(link)(*link.args)
    return DuoRefusedError("Duo refuses, or its answer can't be trusted")


def _links(exc: BaseException) -> Iterator[BaseException]:
    waiting, seen = [exc], set[int]()
    while waiting and len(seen) < _MOST_LINKS:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        below = (*link.args, getattr(link, "reason", None), link.__cause__, link.__context__)
        waiting += [other for other in below if isinstance(other, BaseException)]
