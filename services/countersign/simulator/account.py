"""The Duo account that the simulator plays, given or made up, and a tenant's settings file for it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

import msgspec

from countersign.core.errors import Problem, SettingsError
from countersign.core.tenant import CLIENT_ID_LENGTH, CLIENT_SECRET_LENGTH
from countersign.simulator.certificates import write_private

HTTPS_PORT: Final = 443
_TENANT: Final = """\
# A tenant whose users meet Countersign's Duo simulator: countersign settings apply {file}
tenant = "acme"

[duo]
client_id = "{client_id}"
client_secret_file = "client-secret"
api_host = "{api_host}"

[factors]
duo = true

[mfa]
policy = "all-applications"
duo_username = "user_id"

[challenge]
return_urls = ["http://localhost:8080/return"]
"""


def api_host(port: int) -> str:
    """Return the host that clients know the simulator by.

    Duo's SDK for Java can't call a host with a port, so HTTPS's own port goes unsaid.
    """
    return "localhost" if port == HTTPS_PORT else f"localhost:{port}"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A Duo application's credentials."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Return the account without its secret."""
        return f"Account({self.client_id!r})"


def given_account(client_id: str, secret_file: Path) -> Account:
    """Return the account that was given.

    Raises:
        SettingsError: it can't be one of Duo's.
    """
    try:
        client_secret = secret_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise _refused(
            key="--client-secret-file",
            problem=f"{secret_file} can't be read ({why})",
            remedy="Give a file that holds the client secret and nothing else",
        ) from error
    _check_length("--client-id", client_id, CLIENT_ID_LENGTH)
    _check_length("--client-secret-file", client_secret, CLIENT_SECRET_LENGTH)
    return Account(client_id=client_id, client_secret=client_secret)


def made_up_account(directory: Path, *, port: int) -> Account:
    """Return the account in a directory, made up the first time, with a tenant's settings file beside it.

    Files that are there stay as they are, so that settings in force stay true.

    Args:
        directory: holds `client-id`, `client-secret` and `tenant.toml`.
        port: the port of the simulator, for the settings file.

    Raises:
        SettingsError: the files can't be written, or hold no account.
    """
    named, secret, tenant = (
        directory / name for name in ("client-id", "client-secret", "tenant.toml")
    )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not (named.exists() and secret.exists()):
            client_id = "DI" + secrets.token_hex((CLIENT_ID_LENGTH - 2) // 2).upper()
            named.write_text(f"{client_id}\n", "utf-8")
            write_private(secret, f"{secrets.token_hex(CLIENT_SECRET_LENGTH // 2)}\n".encode())
        account = given_account(named.read_text("utf-8").strip(), secret)
        if not tenant.exists():
            text = _TENANT.format(file=tenant, client_id=account.client_id, api_host=api_host(port))
            tenant.write_text(text, "utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise _refused(
            key="--directory",
            problem=f"{directory} can't be used ({why})",
            remedy="Give a directory that this process may write to",
        ) from error
    return account


def _check_length(key: str, text: str, length: int) -> None:
    if len(text) != length or not text.isascii() or not text.isalnum():
        raise _refused(
            key=key,
            problem=f"has {len(text)} characters; Duo's have {length} letters and digits",
            remedy="Leave both --client-id and --client-secret-file out to have them made up",
        )


def _refused(*, key: str, problem: str, remedy: str) -> SettingsError:
    return SettingsError(
        source="simulator", problems=[Problem(key=key, problem=problem, remedy=remedy)]
    )
