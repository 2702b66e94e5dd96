"""Makes certificates for localhost, and an authority that signs them and nothing else, ever.

Law: the authority's own key is never written anywhere, so nobody who trusts it risks more than localhost.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from countersign.core.errors import Problem, SettingsError

_LIFETIME: Final = timedelta(days=90)
_LEFT: Final = timedelta(days=1)
"""With less left, certificates are made anew."""
_NAMES: Final = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


class Certificates(msgspec.Struct, frozen=True, kw_only=True):
    """Where the files are, all PEM.

    Attributes:
        authority: the authority's certificate, which clients are to trust.
        certificate: the server's certificate.
        key: the server's private key, for nobody else to read.
    """

    authority: Path
    certificate: Path
    key: Path


def certificates(directory: Path, *, now: datetime) -> Certificates:
    """Return certificates that are valid for a day at least, made where there are none.

    Args:
        directory: where they are; made if it isn't there.
        now: the time.

    Raises:
        SettingsError: they can't be written.
    """
    found = Certificates(
        authority=directory / "ca.pem",
        certificate=directory / "cert.pem",
        key=directory / "key.pem",
    )
    if _usable(found, now + _LEFT):
        return found
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _make(found, now)
    except OSError as error:
        problem = Problem(
            key="--directory",
            problem=f"{directory} can't be written to ({error.strerror})",
            remedy="Give a directory that this process may write to",
        )
        source = "simulator"
        raise SettingsError(source, [problem]) from error
    return found


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


def _usable(found: Certificates, until: datetime) -> bool:
    try:
        authority = x509.load_pem_x509_certificate(found.authority.read_bytes())
        leaf = x509.load_pem_x509_certificate(found.certificate.read_bytes())
        key = serialization.load_pem_private_key(found.key.read_bytes(), None)
        leaf.verify_directly_issued_by(authority)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return (
        key.public_key() == leaf.public_key()
        and until < leaf.not_valid_after_utc
        and until < authority.not_valid_after_utc
    )


def _make(found: Certificates, now: datetime) -> None:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Countersign's Duo simulator, this machine only")
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _builder(name, name, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = (
        _builder(_name("localhost"), name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    found.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    found.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(found.key, private)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks of one house differ a little.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
