"""Seals tenants' secrets for the bus: AES-256-GCM, bound to the tenant and what each is for.

Law: a secret in clear leaves this file only as `unseal`'s return value; no repr and no error has it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from countersign.core.errors import Problem, SettingsError
from countersign.core.sealed import SealedSecret
from countersign.settings import Settings
from countersign.settings.secret_files import settings_keys_now

NONCE_BYTES: Final = 12
"""96 bits (NIST SP 800-38D, section 8.2). Random ones are good for 2^32 secrets a key."""


def random_nonce() -> bytes:
    """Return a nonce that no other secret has."""
    return os.urandom(NONCE_BYTES)


def key_id(key: bytes) -> str:
    """Return what a key is called; tells nothing of the key."""
    return hashlib.sha256(b"countersign settings key\n" + key).hexdigest()[:12]


class Sealer:
    """Seals with the first key, and unseals what any of them has sealed.

    Args:
        keys: 32 bytes each; the one in use first, then earlier ones.
        nonces: makes a fresh nonce; only tests give another.
        newer: tells the keys that there are by now, where a secret is sealed with one that isn't known.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        nonces: Callable[[], bytes] = random_nonce,
        newer: Callable[[], Sequence[bytes]] = tuple,
    ) -> None:
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.key_id = key_id(keys[0])
        self._nonces = nonces
        self._newer = newer

    def seal(self, secret: str, *, tenant: str, purpose: str) -> SealedSecret:
        """Return the secret, sealed so that it opens for this tenant and purpose alone."""
        nonce = self._nonces()
        sealed = self._ciphers[self.key_id].encrypt(
            nonce, secret.encode(), _bound_to(tenant, purpose)
        )
        return SealedSecret(
            key_id=self.key_id,
            nonce=base64.b64encode(nonce).decode(),
            ciphertext=base64.b64encode(sealed).decode(),
        )

    def renewed(
        self, kept: SealedSecret | None, secret: str | None, *, tenant: str, purpose: str
    ) -> SealedSecret | None:
        """Return what is to be sealed from now on; the one that stands where nothing changes.

        Args:
            kept: what stands for this tenant and purpose, if anything.
            secret: the secret in clear; None: the one that stands.
            tenant: whose secret it is.
            purpose: what it is for: the client id of a Duo account, or `core.action.secret_purpose`.

        Returns:
            The secret under the key in use, so that applying settings again is how a key is changed;
            None where there is none.

        Raises:
            SettingsError: what stands is needed, and can't be unsealed.
        """
        if kept is None or (secret is None and kept.key_id == self.key_id):
            sealed = None if secret is None else self.seal(secret, tenant=tenant, purpose=purpose)
            return kept or sealed
        try:
            stands = self.unseal(kept, tenant=tenant, purpose=purpose)
        except SettingsError:
            if secret is None:
                raise
            stands = None
        if kept.key_id == self.key_id and stands == secret:
            return kept
        clear = stands if secret is None else secret
        return None if clear is None else self.seal(clear, tenant=tenant, purpose=purpose)

    def unseal(self, sealed: SealedSecret, *, tenant: str, purpose: str) -> str:
        """Return the secret in clear.

        Raises:
            SettingsError: this process has not the key, or the secret was sealed for something else.
        """
        if sealed.key_id not in self._ciphers:
            self._ciphers.update((key_id(key), AESGCM(key)) for key in self._newer())
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise _refused(
                tenant,
                f"is sealed with the key {sealed.key_id}, which this process doesn't have",
                "Add that key to COUNTERSIGN_SETTINGS_KEY_PREVIOUS, or apply the settings again"
                " with the secret in them",
            )
        try:
            return cipher.decrypt(
                base64.b64decode(sealed.nonce, validate=True),
                base64.b64decode(sealed.ciphertext, validate=True),
                _bound_to(tenant, purpose),
            ).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise _refused(
                tenant,
                "does not open: it was changed, or sealed for another tenant or Duo account",
                "Apply the settings again with the secret in them",
            ) from None


def sealer_of(settings: Settings) -> Sealer:
    """Return a sealer with the deployment's keys; renewed ones are found in their files.

    Raises:
        SettingsError: there is no settings key.
    """
    return Sealer(settings.settings_keys(), newer=lambda: settings_keys_now(settings))


def _bound_to(tenant: str, purpose: str) -> bytes:
    # A tenant's name has no line break, so no other pair makes the same bytes.
    return f"{tenant}\n{purpose}".encode()


def _refused(tenant: str, problem: str, remedy: str) -> SettingsError:
    return SettingsError(
        source=f"settings of {tenant}",
        problems=[Problem(key="duo.client_secret", problem=problem, remedy=remedy)],
    )
