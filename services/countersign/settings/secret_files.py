"""A secret whose file was replaced while the process runs, as it is now.

Secrets managers replace files in place, or by a link to another directory; so the path is followed
anew each time, and a file that can't be read now leaves what was known.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from countersign.core.errors import SettingsError
from countersign.settings.checks import SETTINGS_KEY_BYTES, decoded
from countersign.settings.loading import secrets_directory
from countersign.settings.model import variable

if TYPE_CHECKING:
    from countersign.settings.model import Settings


def secret_now(name: str, known: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return a secret as its file holds it now.

    Args:
        name: the setting.
        known: what it was when the process started; it stands where the setting is no file.
        environ: the environment; a variable there wins over the file, as at the start.
    """
    if environ.get(variable(name)):
        return known
    try:
        directory = secrets_directory(environ)
        wanted = variable(name).lower()
        for path in directory.iterdir() if directory is not None else ():
            if path.name.lower() == wanted and (text := path.read_text(encoding="utf-8").strip()):
                return text
    except (SettingsError, OSError, UnicodeDecodeError):
        pass
    return known


def settings_keys_now(
    settings: Settings, environ: Mapping[str, str] = os.environ
) -> tuple[bytes, ...]:
    """Return the keys that Duo secrets are sealed with, as their files hold them now.

    A file that holds no key, since it is being written for example, adds none.
    """
    texts = []
    for name in ("settings_key", "settings_key_previous"):
        secret = getattr(settings, name)
        known = secret.get_secret_value() if secret is not None else None
        texts += (secret_now(name, known, environ) or "").split(",")
    return tuple(key for text in texts if text and len(key := _key(text)) == SETTINGS_KEY_BYTES)


def _key(text: str) -> bytes:
    try:
        return decoded(text)
    except ValueError:
        return b""
