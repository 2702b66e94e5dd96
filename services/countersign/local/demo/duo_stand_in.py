"""Stands in for the person at Duo's prompt, and for the browser's way there and back.

It moves a challenge through the same transitions, in the same store, as the web service would, and
hands out the one-time return code. Nothing is decided here: without the code nothing passes.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from countersign.core.challenge import Proof, Visit, claim, prove
from countersign.core.identity import Pseudonyms
from countersign.core.result import Assurance
from countersign.ports import Change, Store

_LEASE = timedelta(seconds=15)


async def approve(store: Store, pseudonyms: Pseudonyms, challenge_url: str) -> str:
    """Approve a challenge, and return the code that the browser would bring back.

    Args:
        store: where the challenge is.
        pseudonyms: the deployment's keyed hashes.
        challenge_url: where the browser was sent.

    Raises:
        LookupError: there is no such challenge.
    """
    challenge_id = challenge_url.rsplit("/", 1)[-1]
    (challenge,) = await store.challenges([challenge_id])
    if challenge is None:
        message = "no such challenge"
        raise LookupError(message)
    now = datetime.now(UTC)
    holder, code = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    claimed = claim(challenge, holder, now, _LEASE)
    await store.settle([Change(challenge=claimed)])
    visit = Visit(id="", cookie="", at=now)
    code_hash = pseudonyms.code(challenge_id, code)
    proof = Proof(assurance=Assurance.MFA, code_hash=code_hash, visit=visit)
    await store.settle([Change(challenge=prove(claimed, holder, proof, now))])
    return code
