"""A ready-made signer, for tenants that take signed events alone: ES256, RS256, PS256 or EdDSA.

Needs PyJWT and cryptography (`pip install 'countersign-mfa[signing]'`), which are imported when a signer
is made. Any other function that signs will do, too: one that asks a key store, for example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from countersign.core.errors import Problem, SettingsError
from countersign.wire.signed_part import Signer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    _Key = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey

_PUBLIC: Final = ("crv", "x", "y", "n", "e")
_NOT_PEM: Final = "is no private key in PEM that this password, if any, opens"
_OTHER: Final = "is of another kind, or too short"
_MIN_RSA_BITS: Final = 2048  # RFC 7518, section 3.3


def signer(
    private_key: bytes, kid: str, *, pss: bool = False, password: bytes | None = None
) -> Signer:
    """Return a signer for `CountersignClient(signer=…)`.

    Args:
        private_key: in PEM; EC on P-256, RSA of at least 2048 bits, or Ed25519.
        kid: names the key, as in the tenant's settings.
        pss: sign with PS256 instead of RS256, as the `alg` of the RSA key in the settings says.
        password: opens the private key, where it is encrypted.

    Raises:
        SettingsError: the key can't be used.
        ImportError: PyJWT or cryptography isn't installed.
    """
    from jwt.api_jws import PyJWS  # noqa: PLC0415  # the client itself needs neither

    key, algorithm = _loaded(private_key, password)
    if pss and algorithm == "RS256":
        algorithm = "PS256"
    jws = PyJWS(algorithms=[algorithm])

    def sign(content: bytes) -> str:
        whole = jws.encode(content, key, algorithm, headers={"kid": kid, "typ": ""})
        protected, _, signature = whole.split(".")
        return f"{protected}..{signature}"

    return sign


def public_jwk(
    private_key: bytes, kid: str, *, pss: bool = False, password: bytes | None = None
) -> dict[str, str]:
    """Return the public half of a key as the JSON Web Key that the tenant's settings list.

    Args:
        private_key: as for `signer`.
        kid: as for `signer`.
        pss: as for `signer`.
        password: as for `signer`.

    Raises:
        SettingsError: the key can't be used.
        ImportError: PyJWT or cryptography isn't installed.
    """
    from jwt.algorithms import get_default_algorithms  # noqa: PLC0415  # as above

    key, algorithm = _loaded(private_key, password)
    algorithm = "PS256" if pss and algorithm == "RS256" else algorithm
    made: Any = get_default_algorithms()[algorithm]
    members: dict[str, Any] = made.to_jwk(key.public_key(), as_dict=True)
    public: dict[str, str] = {name: str(members[name]) for name in _PUBLIC if name in members}
    return {"kid": kid, "kty": str(members["kty"]), "alg": algorithm, "use": "sig"} | public


def _loaded(private_key: bytes, password: bytes | None) -> tuple[_Key, str]:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.asymmetric.ec import (  # noqa: PLC0415  # as above
        SECP256R1,
        EllipticCurvePrivateKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  # as above
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  # as above
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(private_key, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _unusable(_NOT_PEM) from None
    match key:
        case EllipticCurvePrivateKey(curve=SECP256R1()):
            return key, "ES256"
        case RSAPrivateKey() if key.key_size >= _MIN_RSA_BITS:
            return key, "RS256"
        case Ed25519PrivateKey():
            return key, "EdDSA"
        case _:
            raise _unusable(_OTHER)


def _unusable(problem: str) -> SettingsError:
    remedy = f"Use EC on P-256, Ed25519, or RSA of at least {_MIN_RSA_BITS} bits"
    return SettingsError("private key", [Problem(key="key", problem=problem, remedy=remedy)])
