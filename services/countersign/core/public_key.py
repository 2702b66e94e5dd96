"""A tenant's public key, a JSON Web Key (RFC 7517): who holds its private half speaks for the tenant.

What may be one is judged in `wire.keys`, since that takes cryptography.
"""

from __future__ import annotations

import msgspec

MAX_KEYS = 20
"""How many keys of a kind a tenant can list: some in use, and those that were replaced of late."""


class PublicKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key's public members, those that are read.

    Attributes:
        kid: names the key; a signature says which one it was made with.
        kty: the kind of key: `EC`, `RSA` or `OKP`.
        alg: the one algorithm that it is for; None: its kind's first.
        crv: the curve of an `EC` or `OKP` key.
        x: a point's coordinate, or the whole of an `OKP` key.
        y: its other coordinate.
        n: an RSA key's modulus.
        e: an RSA key's exponent.
    """

    kid: str
    kty: str
    alg: str | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None
    n: str | None = None
    e: str | None = None
