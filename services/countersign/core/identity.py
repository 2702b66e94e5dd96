"""Who and which: identities, the bucket of a user, and the keyed hashes that stand for them.

Law 10: the tenant is part of every hash, and the parts are joined with their lengths, so no value
can be mistaken for another's. Law 9: the hashes are keyed, so a dump of Redis names nobody.
"""

from __future__ import annotations

import hashlib
import re
import struct
import uuid
from base64 import urlsafe_b64encode
from enum import StrEnum
from functools import lru_cache, partial

import msgspec

BUCKETS = 256
"""How many buckets users fall into; a power of two, so that Kafka's partitions nest in them."""

CHALLENGE_ID = re.compile(r"[0-9a-f]{2}[A-Za-z0-9_-]{22}")
"""What a challenge id looks like; int() alone would also take a sign, a space and other scripts' digits."""

MIN_KEY_BYTES = 32
_MAX_KEY_BYTES = 64  # BLAKE2b's own limit (RFC 7693, section 2.1)

RESULT_NAMESPACE = uuid.UUID("6f1d4c86-8f0d-5c1c-9a57-3d0d4a3f6f5e")
"""The namespace of the results' ids, for whoever wants to work one out."""

_NAMESPACE_BYTES = RESULT_NAMESPACE.bytes
_UUID_MASK = ~((0xF << 76) | (0x3 << 62))
_UUID5 = (0x5 << 76) | (0x2 << 62)

_WORD = struct.Struct("<I")
# A pure function's answers for the keys of a few batches: an event asks for each several times.
_REMEMBERED_HASHES = 16_384
_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


class EventIdentity(msgspec.Struct, frozen=True, order=True):
    """What makes a login event the same event: CloudEvents' source and id, within a tenant."""

    tenant: str
    source: str
    event_id: str


class Stage(StrEnum):
    """Which of an event's two results: what was decided, or how its challenge ended."""

    DECISION = "decision"
    OUTCOME = "outcome"


def user_key(tenant: str, subject: str) -> bytes:
    """Return the Kafka key of a user. A tenant has no colon, so it splits in one way only."""
    return f"{tenant}:{subject}".encode()


@lru_cache(maxsize=_REMEMBERED_HASHES)
def murmur2(data: bytes) -> int:
    """Return Kafka's 32-bit murmur2 of `data`, unsigned.

    The same function as the Java client's `Utils.murmur2` (Apache Kafka, clients), so a bucket and
    a partition of one key nest. Here in one pass over the unpacked words, since it runs for every
    event, once when it comes and once when its result goes.
    """
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length & ~3
    for (k,) in _WORD.iter_unpack(data[:whole]):
        k = (k * _M) & _MASK  # noqa: PLW2901  # the mixing step is written on one register
        k ^= k >> 24  # noqa: PLW2901  # as above
        h = ((h * _M) & _MASK) ^ ((k * _M) & _MASK)
    if tail := data[whole:]:
        h = ((h ^ int.from_bytes(tail, "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


def bucket_of(key_hash: int) -> int:
    """Return the bucket of a user from the murmur2 of the user's key."""
    return key_hash % BUCKETS


def partition_of(key_hash: int, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives a key with this murmur2."""
    return (key_hash & 0x7FFFFFFF) % partitions


def result_id(identity: EventIdentity, stage: Stage) -> str:
    """Return the `ce_id` of a result: UUIDv5 (RFC 9562) of the event and the stage.

    The name is the four parts joined by line feeds, which none of them can hold.
    """
    name = f"{identity.tenant}\n{identity.source}\n{identity.event_id}\n{stage.value}"
    # As `uuid.uuid5`, but without its object: version 5 and the variant go into the SHA-1 by hand.
    digest = hashlib.sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).digest()
    bits = int.from_bytes(digest[:16], "big") & _UUID_MASK | _UUID5
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Pseudonyms:
    """Keyed BLAKE2b hashes (RFC 7693), 128 bits as 22 URL-safe characters, one kind apart from another.

    Args:
        key: the deployment's identifier key, 32 to 64 random bytes. Every process has the same one;
            changing it forgets every remembered browser and orphans every open challenge.

    Raises:
        ValueError: the key is too short or too long.
    """

    def __init__(self, key: bytes) -> None:
        if not MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
            message = f"the identifier key has {len(key)} bytes; give it 32 to 64 random bytes"
            raise ValueError(message)
        # A keyed state is made once a kind and copied for each value: that costs half of a new one.
        # The latest hashes are kept, since one event asks for each of its own several times.
        keep = lru_cache(maxsize=_REMEMBERED_HASHES)
        event, user, browser, code, state, cookie, nonce, returned, cache = (
            hashlib.blake2b(key=key, digest_size=16, person=kind)
            for kind in (
                *(b"event", b"user", b"browser", b"code"),
                *(b"state", b"cookie", b"nonce", b"return", b"cache"),
            )
        )
        self._event = keep(partial(_hash, event))
        self._user = keep(partial(_hash, user))
        self._browser = keep(partial(_hash, browser))
        self._code = partial(_hash, code)
        self._state = partial(_hash, state)
        self._cookie = partial(_hash, cookie)
        self._nonce = partial(_hash, nonce)
        self._returned = partial(_hash, returned)
        self._cache = keep(partial(_hash, cache))

    def event(self, identity: EventIdentity) -> str:
        """Return what stands for a login event in a key."""
        return self._event(identity.tenant, identity.source, identity.event_id)

    def user(self, tenant: str, subject: str) -> str:
        """Return what stands for a user in a key."""
        return self._user(tenant, subject)

    def browser(self, tenant: str, subject: str, browser_id: str) -> str:
        """Return what stands for a user's browser; another user's same browser has another hash."""
        return self._browser(tenant, subject, browser_id)

    def cache(self, tenant: str) -> str:
        """Return what stands for the cache of a tenant's Actions in a key."""
        return self._cache(tenant)

    def challenge(self, identity: EventIdentity, bucket: int) -> str:
        """Return the challenge id of an event: its user's bucket in hex, then the event's hash.

        The same event has the same challenge (law 2), and without the key nobody can guess it.
        """
        return f"{bucket:02x}{self.event(identity)}"

    def code(self, challenge_id: str, code: str) -> str:
        """Return what is kept of a one-time return code, bound to its challenge (law 9)."""
        return self._code(challenge_id, code)

    def state(self, challenge_id: str, state: str) -> str:
        """Return what is kept of a visit's `state`; it names the visit."""
        return self._state(challenge_id, state)

    def cookie(self, challenge_id: str, cookie: str) -> str:
        """Return what is kept of a visit's cookie."""
        return self._cookie(challenge_id, cookie)

    def nonce(self, challenge_id: str, state: str) -> str:
        """Return a visit's nonce: nobody can tell it from the state, and it needs no keeping."""
        return self._nonce(challenge_id, state)

    def return_code(self, challenge_id: str, cookie: str) -> str:
        """Return the one-time return code of a visit.

        Whoever holds the visit's cookie gets the same one again, so an answer that was lost on the way to
        the browser can be given again although only the code's hash is kept (law 9).
        """
        return self._returned(challenge_id, cookie)


def challenge_bucket(challenge_id: str) -> int:
    """Return the bucket that a challenge id carries.

    Raises:
        ValueError: it is no challenge id.
    """
    if not CHALLENGE_ID.fullmatch(challenge_id):
        message = "a challenge id has two hexadecimal digits and 22 URL-safe characters"
        raise ValueError(message)
    return int(challenge_id[:2], 16)


def _hash(keyed: hashlib.blake2b, *parts: str) -> str:
    state = keyed.copy()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(4, "big"))
        state.update(data)
    return urlsafe_b64encode(state.digest()).decode("ascii")[:22]
