"""What the loops by hand keep in Redis: plain keys, plain commands, no scripts.

Reading is one MGET, which is the quickest there is: hence a remembered browser is a key of its own, and
the push budget a counter that ends with its window. Writing is a pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from countersign.core import remember
from countersign.core.challenge import Challenge
from countersign.core.decision import decide
from countersign.core.effect import NO_EFFECT
from countersign.core.facts import Facts
from countersign.core.identity import Pseudonyms, bucket_of
from countersign.core.login import LoginAttempted
from countersign.core.remember import RememberedBrowser
from countersign.core.result import ChallengeLink, Decision, Reason
from countersign.core.tenant import MAX_IDLE, TenantSettings
from countersign.wire.records import pack, unpack_browser, unpack_decision

DUE = "due"


def facts_keys(event: LoginAttempted) -> tuple[str, str, str]:
    """Return the keys of what is known: earlier decision, remembered browser, recent prompts."""
    tenant, source, event_id = event.identity.tenant, event.identity.source, event.identity.event_id
    return (
        f"decided:{tenant}:{source}:{event_id}",
        remembered_key(tenant, event.subject, event.event.login.browser_id),
        f"prompts:{tenant}:{event.subject}",
    )


def remembered_key(tenant: str, subject: str, browser: str | None) -> str:
    """Return the key of a remembered browser."""
    return f"remembered:{tenant}:{subject}:{browser}"


def judge(
    event: LoginAttempted,
    tenant: TenantSettings,
    found: Sequence[bytes | None],
    now: datetime,
    link: ChallengeLink,
) -> Decision:
    """Return the earlier decision, or decide by what the keys of `facts_keys` held."""
    decided, browser, prompts = found
    if decided is not None:
        return unpack_decision(decided)
    facts = Facts(
        remembered=unpack_browser(browser) if browser is not None else None,
        prompts=(now,) * int(prompts) if prompts is not None else (),
    )
    return decide(event, tenant, NO_EFFECT, facts, now, link)


def link_of(event: LoginAttempted, pseudonyms: Pseudonyms, public_url: str) -> ChallengeLink:
    """Return the challenge that the event would have; nobody may guess it, so it is a keyed hash."""
    challenge_id = pseudonyms.challenge(event.identity, bucket_of(event.key_hash))
    return ChallengeLink(challenge_id, f"{public_url}/c/{challenge_id}")


def record(
    pipeline: Pipeline,
    event: LoginAttempted,
    tenant: TenantSettings,
    decision: Decision,
    found: Sequence[bytes | None],
    keep: timedelta,
) -> int:
    """Add the commands that record a new decision; return how many.

    The first one's answer is the decision that somebody else was first with, if any.
    """
    decided, remembered, prompts = facts_keys(event)
    pipeline.set(decided, pack(decision), nx=True, get=True, px=keep)
    if decision.challenge is not None and decision.challenge_expires_at is not None:
        challenge = _challenge(event, decision, decision.challenge.id)
        pipeline.set(f"challenge:{challenge.id}", pack(challenge), nx=True)
        pipeline.zadd(DUE, {challenge.id: challenge.deadline.timestamp()})
        pipeline.incr(prompts)
        pipeline.pexpire(prompts, tenant.push_budget.window, nx=True)
        return 5
    if decision.reason is Reason.REMEMBERED_BROWSER and found[1] is not None:
        renewed = remember.renewed(unpack_browser(found[1]), decision.decided_at)
        ends = remember.ends_at(renewed, tenant.remember)
        pipeline.set(remembered, pack(renewed), xx=True, px=ends - decision.decided_at)
        return 2
    return 1


def _challenge(event: LoginAttempted, decision: Decision, challenge_id: str) -> Challenge:
    assert decision.challenge_expires_at is not None
    return Challenge(
        id=challenge_id,
        identity=event.identity,
        subject=event.subject,
        client_id=event.event.client.client_id,
        created_at=decision.decided_at,
        deadline=decision.challenge_expires_at,
        duo_username=event.subject,
        return_url=event.event.login.return_url or "",
        settings_version=decision.settings_version,
        browser=event.event.login.browser_id if decision.may_remember else None,
        traceparent=event.traceparent,
    )


async def remember_browsers(client: Redis, browsers: dict[str, RememberedBrowser]) -> None:
    """Remember browsers, by their keys."""
    pipeline = client.pipeline(transaction=False)
    for key, browser in browsers.items():
        pipeline.set(key, pack(browser), px=MAX_IDLE)
    await pipeline.execute()
