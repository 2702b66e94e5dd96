"""A sealed secret opens for its tenant and Duo account alone, and shows itself nowhere."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.adapters.sealing import Sealer, key_id
from countersign.core.errors import SettingsError
from countersign.core.sealed import SealedSecret
from tests.builders import ACME, GLOBEX

CLIENT = "DIXXXXXXXXXXXXXXXXXX"
SECRET = "canary-canary-canary-canary-canary-canar"
KEY = bytes(range(32))
NEXT_KEY = bytes(range(1, 33))


def sealed(sealer: Sealer | None = None, secret: str = SECRET) -> SealedSecret:
    """Return a secret sealed for Acme."""
    return (sealer or Sealer([KEY])).seal(secret, tenant=ACME, purpose=CLIENT)


@given(secret=st.text(), tenant=st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True))
def test_what_is_sealed_opens(secret: str, tenant: str) -> None:
    """Sealing and unsealing gives the secret back, whatever it is."""
    sealer = Sealer([KEY])
    value = sealer.seal(secret, tenant=tenant, purpose=CLIENT)
    assert sealer.unseal(value, tenant=tenant, purpose=CLIENT) == secret


@pytest.mark.law(9)
def test_sealed_secret_shows_nothing() -> None:
    """Neither the sealed value nor the sealer holds the secret or the key in its repr."""
    sealer = Sealer([KEY])
    for text in (repr(sealed(sealer)), repr(sealer), repr(vars(sealer))):
        assert SECRET not in text
        assert repr(KEY)[2:-1] not in text
        assert KEY.hex() not in text


def test_no_two_seals_are_alike() -> None:
    """A nonce is never used twice: the same secret sealed again looks different."""
    assert len({sealed().nonce for _ in range(100)}) == 100
    assert sealed().ciphertext != sealed().ciphertext


def test_nonce_can_be_given() -> None:
    """With the nonce as an argument, sealing is a function of its arguments."""
    sealer = Sealer([KEY], nonces=lambda: bytes(12))
    assert sealed(sealer) == sealed(sealer)


@pytest.mark.law(10)
@pytest.mark.parametrize(
    ("tenant", "purpose"),
    [(GLOBEX, CLIENT), (ACME, "DIYYYYYYYYYYYYYYYYYY")],
)
def test_seal_binds_tenant_and_account(tenant: str, purpose: str) -> None:
    """A sealed secret that is moved to another tenant or Duo account doesn't open."""
    with pytest.raises(SettingsError, match="does not open"):
        Sealer([KEY]).unseal(sealed(), tenant=tenant, purpose=purpose)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "AAAAAAAAAAAAAAAA"},
        {"nonce": "AA=="},
        {"nonce": ""},
        {"nonce": "not base64!"},
        {"ciphertext": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"ciphertext": ""},
        {"ciphertext": "ü"},
    ],
)
def test_changed_seal_does_not_open(changes: dict[str, str]) -> None:
    """Whatever was changed of a sealed secret, it is refused, and the error quotes nothing of it."""
    with pytest.raises(SettingsError, match="does not open") as raised:
        Sealer([KEY]).unseal(
            msgspec.structs.replace(sealed(), **changes), tenant=ACME, purpose=CLIENT
        )
    assert SECRET not in str(raised.value)


def test_unknown_key_is_named() -> None:
    """A secret under a key that this process lacks says which key, and what to do."""
    with pytest.raises(SettingsError, match=f"{key_id(KEY)}.*COUNTERSIGN_SETTINGS_KEY_PREVIOUS"):
        Sealer([NEXT_KEY]).unseal(sealed(), tenant=ACME, purpose=CLIENT)


def test_earlier_keys_still_read() -> None:
    """While keys are changed, the first seals and the others still unseal."""
    sealer = Sealer([NEXT_KEY, KEY])
    assert sealer.unseal(sealed(), tenant=ACME, purpose=CLIENT) == SECRET
    assert sealed(sealer).key_id == key_id(NEXT_KEY)


def test_renewing_keeps_what_says_the_same() -> None:
    """A secret that stands under the key in use is kept as it is, given again or left out."""
    sealer, kept = Sealer([KEY]), sealed()
    for secret in (SECRET, None):
        assert sealer.renewed(kept, secret, tenant=ACME, purpose=CLIENT) is kept


def test_renewing_seals_what_changed() -> None:
    """Another secret is sealed anew; so is the same one where the key was changed."""
    other = SECRET[::-1]
    for keys, secret, due in (
        ([KEY], other, other),
        ([NEXT_KEY, KEY], None, SECRET),
        ([NEXT_KEY, KEY], SECRET, SECRET),
        ([NEXT_KEY], other, other),
    ):
        sealer = Sealer(keys)
        value = sealer.renewed(sealed(), secret, tenant=ACME, purpose=CLIENT)
        assert value is not None
        assert value.key_id == key_id(keys[0])
        assert sealer.unseal(value, tenant=ACME, purpose=CLIENT) == due


def test_renewing_needs_a_secret() -> None:
    """Nothing given and nothing standing is nothing; a standing one that can't be read is told."""
    assert Sealer([KEY]).renewed(None, None, tenant=ACME, purpose=CLIENT) is None
    with pytest.raises(SettingsError, match="which this process doesn't have"):
        Sealer([NEXT_KEY]).renewed(sealed(), None, tenant=ACME, purpose=CLIENT)
