"""The store's keys: each tagged with its user's bucket, each value in them a keyed hash (law 10).

Keys of one tag share a slot in a Redis Cluster, so a script may touch them together.
"""

from __future__ import annotations

from zlib import crc32

from countersign.core.identity import (
    BUCKETS,
    EventIdentity,
    Pseudonyms,
    bucket_of,
    challenge_bucket,
    murmur2,
    user_key,
)


class Keys:
    """Builds the keys.

    Args:
        pseudonyms: the keyed hashes that stand for users, events and browsers.
    """

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.pseudonyms = pseudonyms

    def claim(self, identity: EventIdentity) -> tuple[int, str]:
        """Return bucket and key of an event's claim.

        Its bucket is the event's own, not a user's: an event under another subject has to find it. No
        partition is to nest in it, and the name is a hash already, so the quickest checksum will do.
        """
        name = self.pseudonyms.event(identity)
        bucket = crc32(name.encode()) % BUCKETS
        return bucket, f"{{{bucket:02x}}}:claim:{name}"

    def decided(self, bucket: int, identity: EventIdentity) -> str:
        """Return the key of an event's decision."""
        return f"{{{bucket:02x}}}:decided:{self.pseudonyms.event(identity)}"

    def remembered(self, bucket: int, user: str) -> str:
        """Return the key of a user's remembered browsers."""
        return f"{{{bucket:02x}}}:remembered:{user}"

    def budget(self, bucket: int, user: str) -> str:
        """Return the key of a user's recent prompts."""
        return f"{{{bucket:02x}}}:budget:{user}"

    def challenge(self, challenge_id: str) -> str:
        """Return the key of a challenge."""
        return f"{{{challenge_bucket(challenge_id):02x}}}:challenge:{challenge_id}"

    def due(self, bucket: int) -> str:
        """Return the key of a bucket's deadlines."""
        return f"{{{bucket:02x}}}:due"

    def cache(self, tenant: str) -> tuple[int, str]:
        """Return bucket and key of the cache of a tenant's Actions; as with claims, no user's bucket."""
        name = self.pseudonyms.cache(tenant)
        bucket = crc32(name.encode()) % BUCKETS
        return bucket, f"{{{bucket:02x}}}:cache:{name}"

    def user(self, tenant: str, subject: str) -> tuple[int, str]:
        """Return a user's bucket, and what stands for the user."""
        bucket = bucket_of(murmur2(user_key(tenant, subject)))
        return bucket, self.pseudonyms.user(tenant, subject)
