"""What a failed call to Duo is read as: the status first, the whole chain of causes, and never its words."""

from __future__ import annotations

import http.client
import json
import ssl

import pytest
from duo_universal.client import DuoException
from hypothesis import given
from hypothesis import strategies as st
from requests import exceptions

from countersign.adapters.duo.faults import carried_fault, status_fault, transport_fault
from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
)

CANARY = "canary-code-in-the-address"
NOT_JSON = json.JSONDecodeError("Expecting value", CANARY, 0)
NOT_TEXT = UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, "invalid start byte")


@pytest.mark.hazard(14)
@given(st.integers(100, 999))
def test_the_status_comes_first(status: int) -> None:
    """Only a 200 has its body read; 5xx is out of reach, 429 a limit, and any other status a refusal."""
    fault = status_fault(status)
    if status == 200:
        assert fault is None
    elif status >= 500:
        assert type(fault) is DuoUnavailableError
    else:
        assert type(fault) is (DuoBusyError if status == 429 else DuoRefusedError)


@pytest.mark.hazard(4)
@pytest.mark.hazard(13)
@pytest.mark.parametrize(
    "raised",
    [
        *(NOT_JSON, NOT_TEXT, RecursionError(CANARY), KeyError(CANARY), TypeError(CANARY)),
        *(DuoException(NOT_JSON), DuoException(KeyError("stat")), DuoException({"stat": "FAIL"})),
        *(
            DuoException("The nonce is invalid."),
            DuoException(DuoException(CANARY)),
            DuoException(),
        ),
    ],
    ids=repr,
)
def test_what_the_sdk_lets_out_is_a_refusal(raised: Exception) -> None:
    """Errors of JSON, text or depth, and the SDK's one class for everything, end as our own refusal."""
    fault = carried_fault(raised)
    assert type(fault) is DuoRefusedError
    assert "canary" not in str(fault)


@pytest.mark.hazard(4)
@pytest.mark.hazard(13)
@pytest.mark.parametrize("kind", [DuoUnavailableError, DuoBusyError, DuoRefusedError])
@pytest.mark.parametrize("wraps", range(4))
def test_our_own_error_is_found_in_the_sdks(kind: type[DuoError], wraps: int) -> None:
    """However often the SDK wraps what the transport said, it counts, as a new error without a past."""
    inner = kind("Duo is not well")
    said: Exception = inner
    for _ in range(wraps):
        said = DuoException(said)
    fault = carried_fault(said)
    assert type(fault) is kind
    assert (fault is inner, fault.__cause__, fault.__context__) == (False, None, None)


@pytest.mark.hazard(13)
def test_errors_that_lead_to_each_other_end() -> None:
    """A chain of errors that is a ring, or very long, is looked at once and not for ever."""
    ring = DuoException("one")
    ring.args = (DuoException(ring),)
    assert type(carried_fault(ring)) is DuoRefusedError
    deep: Exception = DuoUnavailableError("far away")
    for _ in range(10_000):
        deep = DuoException(deep)
    assert type(carried_fault(deep)) is DuoRefusedError


@pytest.mark.hazard(15)
@pytest.mark.parametrize(
    "raised",
    [
        exceptions.SSLError(CANARY),
        exceptions.ConnectionError(ssl.SSLCertVerificationError(1, CANARY)),
        exceptions.ConnectionError(exceptions.SSLError(ssl.SSLError(1, CANARY))),
        exceptions.ConnectionError(http.client.BadStatusLine(CANARY)),
        exceptions.InvalidURL(CANARY),
        exceptions.TooManyRedirects(CANARY),
        exceptions.ContentDecodingError(CANARY),
    ],
    ids=repr,
)
def test_a_connection_that_isnt_to_duo_is_refused(raised: Exception) -> None:
    """A TLS fault is a refusal in spite of its being a kind of connection error; so is what isn't HTTP."""
    fault = transport_fault(raised)
    assert type(fault) is DuoRefusedError
    assert "canary" not in str(fault)


@pytest.mark.hazard(15)
@pytest.mark.parametrize(
    "raised",
    [
        exceptions.ConnectionError(ConnectionRefusedError(111, CANARY)),
        exceptions.ConnectTimeout(CANARY),
        exceptions.ReadTimeout(CANARY),
        exceptions.ChunkedEncodingError(http.client.IncompleteRead(b"")),
        exceptions.ConnectionError(http.client.RemoteDisconnected(CANARY)),
        exceptions.SSLError(ssl.SSLEOFError(8, CANARY)),
        exceptions.SSLError(ssl.SSLZeroReturnError(6, CANARY)),
        TimeoutError(CANARY),
        ConnectionResetError(104, CANARY),
    ],
    ids=repr,
)
def test_a_broken_transport_is_out_of_reach(raised: Exception) -> None:
    """No connection, no time left, or a peer that hung up, in the handshake too, is out of reach."""
    fault = transport_fault(raised)
    assert type(fault) is DuoUnavailableError
    assert "canary" not in str(fault)
