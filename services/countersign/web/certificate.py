"""A certificate that is replaced while its server runs; law: a bad one never takes the good one's place.

The server's own context shows nothing of its own: at each handshake it hands over to the one of the last
good pair, which is complete before anybody sees it and never changed afterwards.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

import structlog

log = structlog.get_logger(__name__)

LOOKS_EVERY: Final = timedelta(seconds=30)
"""How soon a replaced certificate is shown to new connections."""
# Where there is such a place a key is on no disk, and nothing else need be writable in a container.
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # what is made there has a random name and is private


class Pair(NamedTuple):
    """What the files held, read once.

    Attributes:
        cert: the certificate and its chain, PEM.
        key: its private key, PEM.
    """

    cert: bytes
    key: bytes


def loaded(pair: Pair) -> ssl.SSLContext:
    """Return a new context that shows the pair.

    Raises:
        OSError: it can't be used (`ssl.SSLError` is one).
    """
    context = _a_context()
    # `ssl` reads files alone. The directory is its owner's alone, and goes with what is in it.
    memory = str(_MEMORY) if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        cert_file, key_file = Path(directory, "cert.pem"), Path(directory, "key.pem")
        cert_file.write_bytes(pair.cert)
        key_file.write_bytes(pair.key)
        # With a password, wrong as it is, an encrypted key fails; without one a prompt would wait for it.
        context.load_cert_chain(cert_file, key_file, password="")
    return context


def _a_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Certificate:
    """The files of a certificate and its private key, and the context that shows it.

    Args:
        cert_file: the certificate and its chain, PEM.
        key_file: its private key, PEM.
        load: makes a context of what was read.

    Raises:
        OSError: the files can't be read, or hold no pair that can be used (`ssl.SSLError` is one).
    """

    def __init__(
        self,
        cert_file: Path,
        key_file: Path,
        *,
        load: Callable[[Pair], ssl.SSLContext] = loaded,
    ) -> None:
        self._files = (cert_file, key_file)
        self._load = load
        self._pair = self._read()
        self._shown = self._load(self._pair)
        self.context = _a_context()
        """What the server listens with."""
        self.context.sni_callback = self._hand_over

    def renew(self) -> bool:
        """Show the files' certificate if they have changed; say whether it is another one now.

        Files that don't fit, as between the replacement of the one and of the other, are left for the
        next time. Connections that are open keep the certificate that they began with.
        """
        try:
            found = self._read()
            if found == self._pair:
                return False
            # Of the very bytes that were read: the files may be others by now.
            self._shown = self._load(found)
        except OSError as error:  # ssl.SSLError is one
            log.warning("certificate_not_renewed", reason=type(error).__name__)
            return False
        self._pair = found
        log.info("certificate_renewed")
        return True

    async def watch(self, every: timedelta = LOOKS_EVERY) -> None:
        """Look for other files, for ever."""
        while True:
            await asyncio.sleep(every.total_seconds())
            self.renew()

    def _read(self) -> Pair:
        cert, key = self._files
        return Pair(cert.read_bytes(), key.read_bytes())

    def _hand_over(self, connection: ssl.SSLObject, name: str | None, base: ssl.SSLContext) -> None:
        # Called for each handshake, one that names no server too (ssl.SSLContext.sni_callback).
        del name, base
        connection.context = self._shown
