"""The simulator's files: certificates that are made once, and an account that is made up once."""

from __future__ import annotations

import secrets
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from countersign.adapters.tenant_files import load_draft
from countersign.cli.app import run
from countersign.core.errors import SettingsError
from countersign.simulator.account import given_account, made_up_account
from countersign.simulator.certificates import certificates

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_certificates_are_made_once(tmp_path: Path) -> None:
    """Certificates that are good for another day stay; older or damaged ones are made anew."""
    found = certificates(tmp_path, now=NOON)
    first = found.authority.read_bytes()
    assert stat.S_IMODE(found.key.stat().st_mode) == 0o600
    certificates(tmp_path, now=NOON + timedelta(days=88))
    assert found.authority.read_bytes() == first
    certificates(tmp_path, now=NOON + timedelta(days=89))
    second = found.authority.read_bytes()
    assert second != first
    found.key.write_text("no key")
    certificates(tmp_path, now=NOON + timedelta(days=89))
    assert found.authority.read_bytes() != second


def test_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    """Where certificates can't be written, the error names the option."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SettingsError, match="--directory"):
        certificates(blocked, now=NOON)
    with pytest.raises(SettingsError, match="--directory"):
        made_up_account(blocked, port=8444)


def test_account_is_made_up_once(tmp_path: Path) -> None:
    """A made-up account has Duo's lengths and stays; its settings file can be applied."""
    account = made_up_account(tmp_path, port=8444)
    assert (len(account.client_id), len(account.client_secret)) == (20, 40)
    assert account.client_secret not in repr(account)
    assert stat.S_IMODE((tmp_path / "client-secret").stat().st_mode) == 0o600
    assert made_up_account(tmp_path, port=8444) == account
    draft = load_draft(tmp_path / "tenant.toml")
    assert draft.duo is not None
    assert draft.duo.client_secret == account.client_secret
    assert draft.duo.api_host == "localhost:8444"


def test_port_of_https_goes_unsaid(tmp_path: Path) -> None:
    """On port 443 clients know the simulator as `localhost`: Duo's SDK for Java can't say a port."""
    made_up_account(tmp_path, port=443)
    draft = load_draft(tmp_path / "tenant.toml")
    assert draft.duo is not None
    assert draft.duo.api_host == "localhost"


@pytest.mark.parametrize(("length", "key"), [(19, "--client-id"), (20, "--client-secret-file")])
def test_wrong_lengths_are_told(tmp_path: Path, length: int, key: str) -> None:
    """An id or a secret of another length than Duo's is refused by its option, without its value."""
    secret = secrets.token_hex(20) if length == 19 else secrets.token_hex(19)
    file = tmp_path / "secret"
    file.write_text(secret)
    with pytest.raises(SettingsError, match=key) as raised:
        given_account("D" * length, file)
    assert secret not in str(raised.value)


def test_half_an_account_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A client id without a secret is no account."""
    assert run(["simulator", "--client-id", "D" * 20]) == 1
    assert "--client-secret-file" in capsys.readouterr().err
