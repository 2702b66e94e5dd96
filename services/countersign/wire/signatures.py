"""Verifies JSON Web Signatures (RFC 7515) against a tenant's public keys.

Law: who sent something is said by a key that the tenant lists, named by `kid`, with that key's own
algorithm; never `none`, never a shared secret, and no extension that isn't understood. An error says
what is wrong and holds nothing of what came (law 9).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.public_key import PublicKey
from countersign.wire.keys import ALGORITHMS, verifier
from countersign.wire.signed_part import HEADER, SignedPart

MAX_SIGNATURE_LENGTH: Final = 8192
"""The longest detached signature: far more than a header and the largest RSA signature need."""

_COMPACT: Final = "the token"
_PART: Final = re.compile(r"[A-Za-z0-9_-]+")
_jws = PyJWS(algorithms=ALGORITHMS)


class _Header(msgspec.Struct, frozen=True):
    """A JWS's protected header, what is read of it."""

    alg: str | None = None
    kid: str | None = None
    crit: Any = msgspec.UNSET
    b64: Any = msgspec.UNSET


_header = msgspec.json.Decoder(_Header)


def verify_event(part: SignedPart, keys: Sequence[PublicKey]) -> None:
    """Verify an event's detached signature (RFC 7515, appendix F).

    Args:
        part: the signature, and what it has to cover.
        keys: the tenant's.

    Raises:
        InvalidEventError: it doesn't hold; the error says why and what to do.
    """
    text = part.signature
    if text is None:
        raise _refused(HEADER, "is missing; this tenant takes signed events alone")
    if not text or len(text) > MAX_SIGNATURE_LENGTH:
        raise _refused(HEADER, f"is no text, or too long a one; {_DETACHED}")
    protected, _, rest = text.partition(".")
    payload, _, signature = rest.partition(".")
    if payload or not _PART.fullmatch(protected) or not _PART.fullmatch(signature):
        raise _refused(HEADER, f"is no detached JWS; {_DETACHED}")
    content = urlsafe_b64encode(part.content).rstrip(b"=").decode()
    _verify(HEADER, f"{protected}.{content}.{signature}", protected, keys)


def verify_token(token: str, keys: Sequence[PublicKey]) -> None:
    """Verify a JWS in its compact form.

    Args:
        token: the JWS.
        keys: the tenant's.

    Raises:
        InvalidEventError: it doesn't hold; the error says why and what to do.
    """
    protected, *others = token.split(".")
    if len(others) != 2 or not all(map(_PART.fullmatch, (protected, *others))):  # noqa: PLR2004  # payload and signature
        raise _refused(_COMPACT, "is no signed JWS in the compact form; send one that is signed")
    _verify(_COMPACT, token, protected, keys)


def _verify(what: str, token: str, protected: str, keys: Sequence[PublicKey]) -> None:
    try:
        header = _header.decode(urlsafe_b64decode(protected + "=" * (-len(protected) % 4)))
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise _refused(
            what, "has no JSON with alg and kid for its header; send both as texts"
        ) from None
    if header.crit is not msgspec.UNSET or header.b64 is not msgspec.UNSET:
        # RFC 7515, section 4.1.11: who doesn't understand an extension refuses. None is understood.
        raise _refused(what, "has a header with crit or b64; sign without extensions")
    if header.kid is None:
        raise _refused(what, "has no kid in its header; name the key that signed")
    key = next((key for key in keys if key.kid == header.kid), None)
    if key is None:
        raise _refused(
            what,
            "has a kid that the tenant's settings don't list; list the public key there, then replay"
            " the dead letter",
        )
    made = verifier(key)
    if made is None:
        raise _refused(what, "names a key that can't be used; apply the tenant's settings again")
    if header.alg != made.algorithm_name:
        raise _refused(what, f"has another alg than its key, which is for {made.algorithm_name}")
    try:
        _jws.decode_complete(token, made, algorithms=[made.algorithm_name])
    except (PyJWTError, ValueError, RecursionError):
        raise _refused(
            what, "doesn't verify; sign the very bytes that are sent, with the key that kid names"
        ) from None


_DETACHED: Final = "send a JWS in the compact form with an empty middle part"


def _refused(what: str, detail: str) -> InvalidEventError:
    return InvalidEventError(Defect.INVALID_SIGNATURE, f"{what} {detail}")
