"""Attacks on what tenants ask to be signed: events, and the signals that forget browsers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from countersign.core.challenge import State
from countersign.core.errors import Defect
from countersign.core.identity import Stage
from countersign.core.result import Assurance
from countersign.wire.inbound import read_event
from countersign.wire.tenant_file import EventsDraft, SignalsDraft
from tests.attacks.policy import REMEMBERED, known_browser
from tests.attacks.scene import Scene
from tests.attacks.table import CHALLENGED, NOTHING, PASSED, Row, nobody, passed
from tests.attacks.world import LIFETIME
from tests.builders import InboundRecord, a_forget_record, a_login_record
from tests.signals import AUDIENCE, ISSUER, a_set, a_signal_record, claims
from tests.signing import a_jwk, a_signer, sign

_SIGNED: Final = {"events": EventsDraft(signed=True, keys=(a_jwk(),))}
_HEEDING: Final = {"signals": SignalsDraft(issuer=ISSUER, audience=AUDIENCE, keys=(a_jwk(),))}
Forge = Callable[[InboundRecord], InboundRecord]


def as_it_is(record: InboundRecord) -> InboundRecord:
    """Send an event without a signature."""
    return record


def by_a_stranger(record: InboundRecord) -> InboundRecord:
    """Sign an event with another key, under the name of the tenant's."""
    return sign(record, a_signer("ES256", "a-stranger", kid="k1"))


def by_a_key_that_is_not_listed(record: InboundRecord) -> InboundRecord:
    """Sign an event with another key, under its own name."""
    return sign(record, a_signer("ES256", "k2"))


def changed_afterwards(record: InboundRecord) -> InboundRecord:
    """Change what was signed."""
    genuine = sign(record)
    assert genuine.value is not None
    return InboundRecord(genuine.key, genuine.value + b" ", genuine.headers)


def under_another_id(record: InboundRecord) -> InboundRecord:
    """Send the signed data as another event."""
    genuine = sign(record)
    headers = [
        (name, value + b"-2" if name == "ce_id" else value) for name, value in genuine.headers
    ]
    return InboundRecord(genuine.key, genuine.value, headers)


async def forged(scene: Scene, forge: Forge) -> None:
    """A forged login is a dead letter, claims nothing, and the genuine one of its id is decided."""
    record = a_login_record(
        tenant=scene.row.tenant,
        event_id=scene.event_id(),
        subject=scene.user,
        time=datetime.now(UTC),
        expires_at=datetime.now(UTC) + LIFETIME,
    )
    await scene.refused(forge(record))
    genuine = sign(record)
    await scene.world.bus.send(genuine)
    result = await scene.world.results.of(read_event(*genuine).identity, Stage.DECISION)
    assert (result.type, result.body.reason) == CHALLENGED


async def forged_forget(scene: Scene) -> None:
    """Nobody but the tenant's own makes its users' browsers forgotten."""
    record = a_forget_record(
        tenant=scene.row.tenant,
        event_id=scene.event_id(),
        subject=scene.user,
        time=datetime.now(UTC),
    )
    await scene.refused(record)


async def signal(scene: Scene, content: Callable[[str], object], *, taken: bool) -> None:
    """A signal forgets the user's browsers only by the issuer's word for this tenant and user."""
    browser_id = await known_browser(scene)
    told = content(scene.user)
    assert isinstance(told, str | dict)
    record = a_signal_record(
        told,
        subject=scene.user,
        tenant=scene.row.tenant,
        event_id=scene.event_id(),
        time=datetime.now(UTC),
    )
    if taken:
        await scene.world.bus.send(record)
    else:
        await scene.refused(record)
    await scene.login(browser_id=browser_id)


def _forged(number: int, name: str, forge: Forge) -> Row:
    expected = nobody(ends=(), decisions=(), dead_letters=(Defect.INVALID_SIGNATURE,))
    attack = partial(forged, forge=forge)
    return Row(f"signed-{number} {name}", ("34",), attack, expected, settings=_SIGNED)


def _signal(
    number: int, name: str, content: Callable[[str], object], *defects: Defect, heeded: bool = False
) -> Row:
    expected = passed(
        ends=(PASSED, NOTHING),
        decisions=(CHALLENGED, CHALLENGED if heeded else REMEMBERED),
        state=State.PASSED,
        assurance=Assurance.MFA,
        remembered=0 if heeded else 1,
        dead_letters=defects,
    )
    attack = partial(signal, content=content, taken=heeded)
    return Row(f"signed-{number} {name}", ("24",), attack, expected, settings=_HEEDING)


ROWS: Final = (
    _forged(10, "no signature", as_it_is),
    _forged(11, "another's key under the right name", by_a_stranger),
    _forged(12, "a key that isn't listed", by_a_key_that_is_not_listed),
    _forged(13, "changed after it was signed", changed_afterwards),
    _forged(14, "signed data under another id", under_another_id),
    Row(
        "signed-15 a forged forget",
        ("34", "24"),
        forged_forget,
        nobody(ends=(), decisions=(), dead_letters=(Defect.INVALID_SIGNATURE,)),
        settings=_SIGNED,
    ),
    _signal(
        30,
        "a session that the issuer revokes",
        lambda user: a_set(claims(subject=user)),
        heeded=True,
    ),
    _signal(
        31,
        "claims without a signature",
        lambda user: claims(subject=user),
        Defect.INVALID_SIGNATURE,
    ),
    _signal(
        32,
        "a token by another's key",
        lambda user: a_set(claims(subject=user), name="a-stranger", header={"kid": "k1"}),
        Defect.INVALID_SIGNATURE,
    ),
    _signal(
        33,
        "a token for somebody else's ears",
        lambda user: a_set(claims(subject=user, aud="https://other.example.com")),
        Defect.INVALID_EVENT,
    ),
    _signal(
        34,
        "a token of another issuer",
        lambda user: a_set(claims(subject=user, iss="https://evil.example.net")),
        Defect.INVALID_EVENT,
    ),
    _signal(
        35,
        "a token about somebody else",
        lambda user: a_set(claims(subject=f"{user}-mallory")),
        Defect.KEY_MISMATCH,
    ),
)
