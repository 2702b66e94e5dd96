"""The options `--sign` and `--kid`: what a command publishes for a tenant that takes signed events alone."""

from __future__ import annotations

from pathlib import Path

from countersign.cli.shown import one_line
from countersign.client.signing import signer
from countersign.core.errors import CountersignError
from countersign.wire.signed_part import Signer


def chosen_signer(sign: Path | None, kid: str | None) -> Signer | None:
    """Return the signer that the options ask for; None where they ask for none.

    Raises:
        CountersignError: one is missing, or the key can't be read.
        SettingsError: the key can't be used.
    """
    if sign is None and kid is None:
        return None
    if sign is None or kid is None:
        message = "--sign and --kid go together: the private key's file, and the name of its key"
        raise CountersignError(message)
    try:
        pem = sign.read_bytes()
    except OSError as error:
        message = (
            f"{one_line(str(sign))} can't be read: {error.strerror}. Give the private key's file"
        )
        raise CountersignError(message) from error
    return signer(pem, kid)
