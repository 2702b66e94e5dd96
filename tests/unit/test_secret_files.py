"""Secrets that are replaced while the process runs: used as they are by then, and never half-written."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from countersign.adapters.sealing import Sealer, key_id
from countersign.core.errors import SettingsError
from countersign.settings import load_settings
from countersign.settings.secret_files import secret_now, settings_keys_now
from tests.builders import ACME

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
CLIENT = "DIXXXXXXXXXXXXXXXXXX"


def text(key: bytes) -> str:
    """Return a key as it stands in a file."""
    return b64encode(key).decode() + "\n"


def where(directory: Path, **more: str) -> dict[str, str]:
    """Return an environment that names the directory."""
    return {"COUNTERSIGN_SECRETS_DIR": str(directory), **more}


def test_a_secret_is_what_its_file_holds_now(tmp_path: Path) -> None:
    """The file as it was, then as it was replaced, whatever the case of its name."""
    file = tmp_path / "countersign_redis_password"
    file.write_text("the first\n")
    assert secret_now("redis_password", "known", where(tmp_path)) == "the first"
    file.unlink()
    (tmp_path / "COUNTERSIGN_REDIS_PASSWORD").write_text("the second")
    assert secret_now("redis_password", "known", where(tmp_path)) == "the second"


def test_a_file_that_is_not_there_or_empty_leaves_what_was_known(tmp_path: Path) -> None:
    """In the midst of a replacement the old secret stands; without a directory, always."""
    assert secret_now("redis_password", "known", where(tmp_path)) == "known"
    (tmp_path / "countersign_redis_password").write_bytes(b"")
    assert secret_now("redis_password", "known", where(tmp_path)) == "known"
    (tmp_path / "countersign_redis_password").write_bytes(b"\xff\xfe")
    assert secret_now("redis_password", "known", where(tmp_path)) == "known"
    assert secret_now("redis_password", "known", where(tmp_path / "gone")) == "known"


def test_the_environment_wins_as_it_did_at_the_start(tmp_path: Path) -> None:
    """A variable can't be replaced from outside, and no file takes its place."""
    (tmp_path / "countersign_redis_password").write_text("from the file")
    given = where(tmp_path, COUNTERSIGN_REDIS_PASSWORD="known")
    assert secret_now("redis_password", "known", given) == "known"


def test_a_secret_sealed_with_a_replaced_key_opens_without_a_restart(tmp_path: Path) -> None:
    """The key was changed as documented, and the running process reads it when it is first needed."""
    settings = load_settings(settings_key=text(OLD))
    sealer = Sealer(
        settings.settings_keys(), newer=lambda: settings_keys_now(settings, where(tmp_path))
    )
    sealed = Sealer([NEW]).seal("a secret", tenant=ACME, purpose=CLIENT)
    with pytest.raises(SettingsError):
        sealer.unseal(sealed, tenant=ACME, purpose=CLIENT)
    (tmp_path / "countersign_settings_key").write_text(text(NEW))
    (tmp_path / "countersign_settings_key_previous").write_text(text(OLD))
    assert sealer.unseal(sealed, tenant=ACME, purpose=CLIENT) == "a secret"
    assert sealer.key_id == key_id(OLD)


def test_half_a_key_is_none(tmp_path: Path) -> None:
    """A file that is being written adds no key, and does no harm."""
    settings = load_settings(settings_key=text(OLD))
    for half in (text(NEW)[:20], "&&&", ","):
        (tmp_path / "countersign_settings_key").write_text(half)
        assert settings_keys_now(settings, where(tmp_path)) == ()
