"""The store's records: MessagePack, as compact as they can be and still be read by the next version.

Decisions and remembered browsers are arrays, so a field is only ever appended; challenges are maps.
"""

from __future__ import annotations

import msgspec

from countersign.core.challenge import Challenge
from countersign.core.remember import RememberedBrowser
from countersign.core.result import Decision

_encoder = msgspec.msgpack.Encoder()
_decision = msgspec.msgpack.Decoder(Decision)
_challenge = msgspec.msgpack.Decoder(Challenge)
_browser = msgspec.msgpack.Decoder(RememberedBrowser)


def pack(value: Decision | Challenge | RememberedBrowser) -> bytes:
    """Return the record of a value."""
    return _encoder.encode(value)


def unpack_decision(record: bytes) -> Decision:
    """Return the decision of a record."""
    return _decision.decode(record)


def unpack_challenge(record: bytes) -> Challenge:
    """Return the challenge of a record."""
    return _challenge.decode(record)


def unpack_browser(record: bytes) -> RememberedBrowser:
    """Return the remembered browser of a record."""
    return _browser.decode(record)
