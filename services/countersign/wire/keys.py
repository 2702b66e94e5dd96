"""A tenant's public keys: what may be one, the algorithm that it is for, and the key to verify with.

Law: a key has one algorithm, and its kind decides which; nothing that a sender writes does. No text here
holds a value of a key, since somebody may have listed a private one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from countersign.core.errors import Problem
from countersign.core.login import control_character_in
from countersign.core.public_key import PublicKey

_ALGORITHMS: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("EC", "P-256"): ("ES256",),
    ("RSA", None): ("RS256", "PS256"),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""What each kind of key is for, by its `kty` and `crv`; the first where the key itself doesn't say."""
ALGORITHMS: Final = tuple(name for names in _ALGORITHMS.values() for name in names)

_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth")
_MIN_RSA_BITS: Final = 2048  # RFC 7518, section 3.3
_MAX_RSA_BITS: Final = 8192  # one that takes long to verify with would slow every event down
_LONGEST_KID: Final = 256


def algorithm_of(key: PublicKey) -> str | None:
    """Return the one algorithm that a key is for; None where it is for none that is taken."""
    names = _ALGORITHMS.get((key.kty, key.crv), ())
    if key.alg is None:
        return names[0] if names else None
    return key.alg if key.alg in names else None


@lru_cache(maxsize=4096)
def verifier(key: PublicKey) -> PyJWK | None:
    """Return what verifies with a key; None where it can't be used."""
    algorithm = algorithm_of(key)
    if algorithm is None:
        return None
    try:
        made = PyJWK(msgspec.to_builtins(key), algorithm)
    except (PyJWTError, TypeError, ValueError):
        return None
    bits = getattr(made.key, "key_size", 0) if algorithm in _ALGORITHMS["RSA", None] else None
    return made if bits is None or _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS else None


def public_keys(jwks: Sequence[Mapping[str, Any]]) -> tuple[PublicKey, ...]:
    """Return the keys of a JWK Set that can be read, without members that are not read."""
    keys = []
    for jwk in jwks:
        try:
            keys.append(msgspec.convert(jwk, PublicKey))
        except msgspec.ValidationError:  # `key_problems` tells
            continue
    return tuple(keys)


def key_problems(place: str, jwks: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Find everything in a JWK Set that keeps it from being published.

    Args:
        place: the setting that holds it.
        jwks: its keys, as they were written.
    """
    for position, jwk in enumerate(jwks):
        for member, problem, remedy in (*_flaws_of_the_name(jwk), *_flaws(jwk)):
            key = f"{place}[{position}]{f'.{member}' if member else ''}"
            yield Problem(key=key, problem=problem, remedy=remedy)


_Flaw = tuple[str, str, str]
"""The member, what is wrong with it, and the remedy."""


def _flaws_of_the_name(jwk: Mapping[str, Any]) -> Iterator[_Flaw]:
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _LONGEST_KID:
        yield (
            "kid",
            f"is no text of 1 to {_LONGEST_KID} characters" if "kid" in jwk else "is missing",
            "Give each key a name of its own; signatures say by it which key they were made with",
        )
    elif control_character_in(kid) is not None:
        yield "kid", "holds a control character", "Leave it out"


def _verifies(key_ops: object) -> bool:
    return isinstance(key_ops, list) and "verify" in key_ops


def _flaws(jwk: Mapping[str, Any]) -> Iterator[_Flaw]:
    kind = jwk.get("kty")
    if kind == "oct" or "k" in jwk:
        yield (
            "kty",
            "is oct, a symmetric key, with which whoever verifies could sign",
            "Use a key pair, and give its public part here",
        )
        return
    if private := [member for member in _PRIVATE if member in jwk]:
        yield (
            private[0],
            "belongs to the private part of a key",
            "Give the public part alone, and make a new key pair if others have seen this one",
        )
        return
    if jwk.get("use", "sig") != "sig":
        yield "use", "is not sig", "Give a key that is for signatures"
    if "key_ops" in jwk and not _verifies(jwk["key_ops"]):  # RFC 7517, section 4.3
        yield (
            "key_ops",
            "doesn't list verify",
            "Give a key that is for verifying signatures, with verify in key_ops, or leave it out",
        )
    try:
        key = msgspec.convert(jwk, PublicKey)
    except msgspec.ValidationError:
        if isinstance(jwk.get("kid"), str):  # else that was it, and is told
            remedy = "Write the members as RFC 7518, section 6, says"
            yield "", "has a member that is missing or is no text", remedy
        return
    names = _ALGORITHMS.get((key.kty, key.crv))
    if names is None:
        yield (
            "kty",
            "and crv are of no kind that is taken",
            "Use EC with P-256, RSA, or OKP with Ed25519",
        )
    elif algorithm_of(key) is None:
        yield "alg", "is not for this kind of key", f"Use {' or '.join(names)}, or leave it out"
    elif verifier(key) is None:
        size = f" of {_MIN_RSA_BITS} to {_MAX_RSA_BITS} bits" if key.kty == "RSA" else ""
        yield (
            "",
            f"is no {key.kty} key{size} that can be verified with",
            "Export the public key again, as RFC 7518, section 6, says",
        )
