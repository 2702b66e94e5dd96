"""A login's challenge as the browser will meet it."""

from __future__ import annotations

from countersign.core.identity import Pseudonyms, bucket_of
from countersign.core.login import LoginAttempted
from countersign.core.result import ChallengeLink


def challenge_link(pseudonyms: Pseudonyms, event: LoginAttempted, public_url: str) -> ChallengeLink:
    """Return the challenge that a login would have, and our own stable URL for it.

    Args:
        pseudonyms: the keyed hashes of the deployment.
        event: the login.
        public_url: what the challenges' URLs start with.
    """
    challenge_id = pseudonyms.challenge(event.identity, bucket_of(event.key_hash))
    return ChallengeLink(challenge_id, f"{public_url.rstrip('/')}/c/{challenge_id}")
