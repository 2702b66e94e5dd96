"""A certificate that is replaced while its server runs; law: a bad one never takes the good one's place."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

LOOKS_EVERY: Final = timedelta(seconds=30)
"""How soon a replaced certificate is shown to new connections."""


class Certificate:
    """The files of a certificate and its private key, and the context that shows it.

    Args:
        cert_file: the certificate and its chain, PEM.
        key_file: its private key, PEM.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._files = (cert_file, key_file)
        self._shown = self._read()

    def renew(self, context: ssl.SSLContext) -> bool:
        """Show the files' certificate if they have changed; say whether it is another one now.

        Files that don't fit, as between the replacement of the one and of the other, are left for the
        next time. Connections that are open keep the certificate that they began with.
        """
        found = self._read()
        if found == self._shown or b"" in found:
            return False
        try:
            # Tried on another context first: a failure half-way would leave a pair that doesn't fit.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            log.warning("certificate_not_renewed", reason=type(error).__name__)
            return False
        self._shown = found
        log.info("certificate_renewed")
        return True

    async def watch(self, context: ssl.SSLContext, every: timedelta = LOOKS_EVERY) -> None:
        """Look for other files, for ever."""
        while True:
            await asyncio.sleep(every.total_seconds())
            self.renew(context)

    def _read(self) -> tuple[bytes, ...]:
        return tuple(_content(path) for path in self._files)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
