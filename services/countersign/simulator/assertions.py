"""Verifies what clients sign with their secret: assertions, and requests for a prompt.

Law: what isn't signed with HS512 by the client that it names, for this very endpoint and this moment,
is refused; so is an assertion that was seen before. Only a request for a prompt may leave out by whom
and for whom it is, as Duo's SDK for Java does; what it says there must be right.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from jwt.warnings import InsecureKeyLengthWarning

from countersign.simulator.errors import InvalidClientError, InvalidRequestError
from countersign.simulator.shelf import Shelf

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523, section 2.2."""
_ALGORITHM: Final = "HS512"
_LONGEST_ASSERTION: Final = timedelta(hours=1)
_LONGEST_REQUEST: Final = timedelta(hours=1)
"""What Duo's SDK for Java asks for; those for Python and Node ask for five minutes."""
_LEEWAY: Final = timedelta(seconds=60)
"""What the SDK grants us (its LEEWAY), so we grant as much for a request."""
_LONGEST_TOKEN: Final = 32 * 1024
_LONGEST_JTI: Final = 256
_MOST_SEEN: Final = 100_000


class Assertions:
    """Verifies tokens.

    Args:
        accounts: client id → client secret.
        api_host: host and port that clients know us by.
        clock: tells the time.
    """

    def __init__(
        self, accounts: Mapping[str, str], *, api_host: str, clock: Callable[[], datetime]
    ) -> None:
        self._accounts = accounts
        self._base = f"https://{api_host}"
        self._clock = clock
        self._seen: Shelf[bool] = Shelf(lifetime=_LONGEST_ASSERTION, most=_MOST_SEEN, clock=clock)

    def client(self, given: Mapping[str, str], *, path: str, skew: timedelta = timedelta(0)) -> str:
        """Return the client id that an assertion proves; the assertion is good for this once.

        Args:
            given: the request's parameters.
            path: of the endpoint that was called.
            skew: by how much the clock differs that it is judged by.

        Raises:
            InvalidClientError: it proves nothing.
        """
        client_id = named_client(given) or ""
        claims = self._verified(
            client_id,
            given.get("client_assertion", ""),
            audience=self._base + path,
            required=("iss", "sub", "aud", "exp", "jti"),
        )
        if claims["sub"] != client_id:
            reason = "The assertion's subject is not the client."
            raise InvalidClientError(reason)
        self._check_expiry(claims, at_most=_LONGEST_ASSERTION, leeway=timedelta(0), skew=skew)
        jti = claims["jti"]
        if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
            reason = "The assertion has no usable jti."
            raise InvalidClientError(reason)
        # A client id has no blank, so no other pair makes the same key.
        key = f"{client_id} {jti}"
        if self._seen.get(key):
            reason = "The assertion was used before."
            raise InvalidClientError(reason)
        self._seen.put(key, value=True)
        return client_id

    def request(
        self, given: Mapping[str, str], *, skew: timedelta = timedelta(0)
    ) -> Mapping[str, Any]:
        """Return the claims of a request for a prompt.

        Args:
            given: the request's parameters.
            skew: by how much the clock differs that it is judged by.

        Raises:
            InvalidClientError: it isn't the client's, or not for now.
            InvalidRequestError: it names another client.
        """
        client_id = given.get("client_id", "")
        request = given.get("request", "")
        # Duo's SDK for Java says neither by whom nor for whom it is. Verified are the same bytes.
        named = tuple(unverified(request).keys() & {"iss", "aud"})
        claims = self._verified(client_id, request, audience=self._base, required=("exp", *named))
        self._check_expiry(claims, at_most=_LONGEST_REQUEST, leeway=_LEEWAY, skew=skew)
        if claims.get("client_id", client_id) != client_id:
            reason = "The signed request names another client."
            raise InvalidRequestError(reason)
        return claims

    def _verified(
        self, client_id: str, token: str, *, audience: str, required: tuple[str, ...]
    ) -> dict[str, Any]:
        secret = self._accounts.get(client_id)
        if secret is None or not token or len(token) > _LONGEST_TOKEN:
            reason = "The client is unknown, or signed nothing."
            raise InvalidClientError(reason)
        try:
            with quiet_key_length():
                return jwt.decode(
                    token,
                    secret,
                    algorithms=[_ALGORITHM],
                    audience=audience,
                    issuer=client_id,
                    # Times are judged below, by our own clock.
                    options={
                        "require": list(required),
                        "verify_iss": "iss" in required,
                        "verify_aud": "aud" in required,
                        "verify_exp": False,
                        "verify_iat": False,
                        "verify_nbf": False,
                    },
                )
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
            reason = "The signed token is not this client's, or not for this endpoint."
            raise InvalidClientError(reason) from error

    def _check_expiry(
        self, claims: Mapping[str, Any], *, at_most: timedelta, leeway: timedelta, skew: timedelta
    ) -> None:
        expires, now = claims["exp"], (self._clock() + skew).timestamp()
        earliest, latest = now - leeway.total_seconds(), now + (at_most + leeway).total_seconds()
        # Asked this way round, it refuses NaN as well.
        if not (type(expires) in {int, float} and earliest < expires <= latest):
            reason = "The signed token is expired, or lives too long; compare the clocks."
            raise InvalidClientError(reason)


def named_client(given: Mapping[str, str]) -> str | None:
    """Return which client a call says that it comes from; None: it doesn't say.

    A client id needn't be sent beside an assertion (RFC 7521, section 4.2), and Duo's SDK for Java doesn't.
    """
    if "client_id" in given:
        return given["client_id"]
    subject = unverified(given.get("client_assertion", "")).get("sub")
    return subject if isinstance(subject, str) else None


def unverified(token: str) -> Mapping[str, Any]:
    """Return what a token says, which nobody vouches for; nothing, where it can't be read."""
    if not token or len(token) > _LONGEST_TOKEN:
        return {}
    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
        return {}


def sign(claims: Mapping[str, Any], secret: str) -> str:
    """Return the claims as a token that the client can verify with its secret."""
    with quiet_key_length():
        return jwt.encode(dict(claims), secret, algorithm=_ALGORITHM)


def quiet_key_length() -> warnings.catch_warnings[None]:
    """Return a block without PyJWT's warning that a key is short: Duo's secrets are, for HS512."""
    return warnings.catch_warnings(action="ignore", category=InsecureKeyLengthWarning)
