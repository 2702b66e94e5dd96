"""The HTTP of Duo's SDK; law: one bounded `POST` to the named host over verified TLS, or our own error.

It stands where the SDK has the module `requests`: the SDK gives no timeout, and has no other seam.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final

import msgspec
import requests

from countersign.adapters.duo.deadline import PinnedAdapter, call_of
from countersign.adapters.duo.faults import status_fault, transport_fault
from countersign.core.errors import DuoError, DuoRefusedError

MAX_BODY: Final = 65_536
"""Bytes of an answer, decoded; a token with 100 groups has about 8,000."""
_CHUNK: Final = 8_192


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of status 200, as much of `requests.Response` as the SDK reads."""

    content: bytes
    status_code: int = 200

    def json(self) -> Any:  # noqa: ANN401  # anything that JSON can hold, as in requests
        """Return the body, read as JSON."""
        return json.loads(self.content)


class Transport:
    """Posts for the SDK, from any thread.

    Args:
        timeout: seconds that a call may take in all.
        connections: so many are kept open for each host.
    """

    def __init__(self, *, timeout: float, connections: int) -> None:
        self._timeout = timeout
        self._connections = connections
        self._sessions: dict[Path, requests.Session] = {}
        self._lock = threading.Lock()

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        verify: object = None,
        proxies: object = None,
    ) -> Answer:
        """Return Duo's answer, its status 200 and its body within the limit.

        Args:
            url: an https address.
            data: form fields, for the body.
            params: fields for the query.
            headers: further headers.
            verify: the file of the authorities to trust; anything else is refused, as the SDK takes an
                empty text or "DISABLE" for a wish to verify nothing.
            proxies: not used; nothing comes between us and Duo's host.

        Raises:
            DuoUnavailableError: no connection, no whole answer in time, or a status of the 5xx kind.
            DuoBusyError: status 429.
            DuoRefusedError: any other status, a redirect, a TLS fault, too large a body.
        """
        del proxies
        found = self._answer(url, data, params, headers, verify)
        if isinstance(found, DuoError):
            # Raised where nothing is being handled, so that no context goes with it.
            raise found
        return found

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()

    def _answer(
        self,
        url: str,
        data: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        verify: object,
    ) -> Answer | DuoError:
        try:
            session = self._session(verify)
            with (
                call_of(self._timeout),
                session.post(
                    url,
                    data=data,
                    params=params,
                    headers=headers,
                    # Half for one address, so that a name's second address has its chance.
                    timeout=(self._timeout / 2, self._timeout),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                return status_fault(response.status_code) or _read(response)
        except DuoError as error:
            return error
        except Exception as exc:  # noqa: BLE001  # nothing of requests may go further: its texts quote the URL
            return transport_fault(exc)

    def _session(self, verify: object) -> requests.Session:
        if not isinstance(verify, str) or not (ca_file := Path(verify)).is_file():
            msg = "There is no file of certificates to verify Duo's by"
            raise DuoRefusedError(msg)
        with self._lock:
            if ca_file not in self._sessions:
                self._sessions[ca_file] = _session(ca_file, self._connections)
            return self._sessions[ca_file]


def _session(ca_file: Path, connections: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc and no CA bundle that the environment names
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers["Accept-Encoding"] = "identity"
    session.adapters.clear()  # and so no plain HTTP
    session.mount("https://", PinnedAdapter(ca_file, connections=connections))
    return session


def _read(response: requests.Response) -> Answer | DuoError:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            return DuoRefusedError("Duo's answer is too large")
    return Answer(content=bytes(body))
