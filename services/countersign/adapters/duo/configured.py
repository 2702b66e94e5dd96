"""Makes the way to Duo from the process's settings."""

from __future__ import annotations

from typing import Final

from countersign.adapters.duo.universal import DuoUniversal
from countersign.adapters.sealing import Sealer, sealer_of
from countersign.core.errors import Problem, SettingsError
from countersign.settings import Settings
from countersign.settings.model import SOURCE, variable

CALLBACK_PATH: Final = "/callback"
"""Where Duo sends browsers back to, below the public URL."""
MAX_REDIRECT_URI: Final = 256
"""Duo's own limit, in characters."""


def duo_universal_of(settings: Settings, sealer: Sealer | None = None) -> DuoUniversal:
    """Return the deployment's way to Duo; whoever asks for it closes it.

    Args:
        settings: the process's settings.
        sealer: opens the accounts' secrets; None for one with the settings' keys.

    Raises:
        SettingsError: there is no settings key, or the public URL is too long for Duo.
    """
    redirect_uri = f"{settings.public_url}{CALLBACK_PATH}"
    if len(redirect_uri) > MAX_REDIRECT_URI:
        problem = Problem(
            key=variable("public_url"),
            problem=f"makes a redirect URI of {len(redirect_uri)} characters, Duo takes {MAX_REDIRECT_URI}",
            remedy="Give a shorter address",
        )
        raise SettingsError(source=SOURCE, problems=[problem])
    return DuoUniversal(
        sealer if sealer is not None else sealer_of(settings),
        redirect_uri=redirect_uri,
        hosts=settings.duo_hosts,
        ca_file=settings.duo_ca_file,
        timeout=settings.duo_timeout,
    )
