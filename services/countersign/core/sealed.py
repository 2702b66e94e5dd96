"""A secret as it travels on the bus and lies in Redis."""

from __future__ import annotations

import msgspec


class SealedSecret(msgspec.Struct, frozen=True, kw_only=True, tag_field="sealed", tag="aes-gcm"):
    """A secret that only holders of the settings key can read; all parts are base64.

    Attributes:
        key_id: names the key that sealed it, so that keys can be rotated.
        nonce: 96 bits, never used twice with one key (NIST SP 800-38D).
        ciphertext: with its tag. The tenant and what the secret is for are authenticated with it.
    """

    key_id: str
    nonce: str
    ciphertext: str
