"""Writes and reads the records of `mfa-results`: CloudEvents 1.0 in the binary form.

Law 2: the bytes are a function of the event and the recorded ruling, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import EventIdentity, Stage, murmur2, result_id, user_key
from countersign.core.result import (
    VERDICTS,
    AccessDenied,
    Assurance,
    Decision,
    DuoDetails,
    Factor,
    Outcome,
    Reason,
    Recorded,
    ResultType,
    Ruling,
    Verdict,
)

SOURCE = "/countersign"
"""`ce_source` of everything that Countersign publishes."""


class OutboundRecord(NamedTuple):
    """A record that is ready for the bus.

    Attributes:
        topic: where it goes.
        key: its key, as bytes; None only where a dead letter had none.
        value: its value; None only where a dead letter had none.
        headers: its headers, in order.
        key_hash: murmur2 of the key, which chooses the partition; None = any partition.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    key_hash: int | None


class ResultBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The JSON value of a result."""

    event_id: str
    tenant: str
    subject: str
    client_id: str
    verdict: Verdict
    reason: Reason
    assurance: Assurance
    decided_at: datetime
    settings_version: int
    trace: tuple[str, ...]
    challenge_url: str | None = None
    challenge_expires_at: datetime | None = None
    provider: str | None = None
    duo: DuoDetails | None = None
    access_denied: AccessDenied | None = None
    redirect_url: str | None = None
    factors: tuple[Factor, ...] = ()
    effects: tuple[Recorded, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A result as a relying party reads it.

    Attributes:
        id: `ce_id`; the same for every copy.
        type: the kind of result.
        identity: the login event that it answers.
        body: what it says.
    """

    id: str
    type: ResultType
    identity: EventIdentity
    body: ResultBody


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ResultBody)

_FIXED = (
    ("content-type", b"application/json"),
    ("ce_specversion", b"1.0"),
    ("ce_source", SOURCE.encode()),
)
_TYPES = {kind: f"countersign.{kind.value}.v1".encode() for kind in ResultType}
_KINDS = {text: kind for kind, text in _TYPES.items()}


def write_result(  # a result is made of these
    topic: str,
    identity: EventIdentity,
    subject: str,
    client_id: str,
    ruling: Ruling,
    *,
    traceparent: str | None = None,
) -> OutboundRecord:
    """Return the record of a decision or an outcome.

    Args:
        topic: the results' topic.
        identity: the login event that is answered.
        subject: the user.
        client_id: the relying party.
        ruling: what was found; a `Decision` or an `Outcome`.
        traceparent: W3C trace context of the login event, passed through.
    """
    stage = Stage.DECISION
    url = expires_at = provider = duo = access_denied = redirect_url = None
    factors: tuple[Factor, ...] = ()
    effects: tuple[Recorded, ...] = ()
    if isinstance(ruling, Decision):
        url = ruling.challenge.url if ruling.challenge is not None else None
        expires_at = ruling.challenge_expires_at
        provider = ruling.provider
        access_denied, redirect_url = ruling.access_denied, ruling.redirect_url
        factors, effects = ruling.factors, ruling.recorded
    elif isinstance(ruling, Outcome):
        stage = Stage.OUTCOME
        duo = ruling.duo
    body = ResultBody(
        event_id=identity.event_id,
        tenant=identity.tenant,
        subject=subject,
        client_id=client_id,
        verdict=VERDICTS[ruling.type],
        reason=ruling.reason,
        assurance=ruling.assurance,
        decided_at=ruling.decided_at,
        settings_version=ruling.settings_version,
        trace=ruling.trace,
        challenge_url=url,
        challenge_expires_at=expires_at,
        provider=provider,
        duo=duo,
        access_denied=access_denied,
        redirect_url=redirect_url,
        factors=factors,
        effects=effects,
    )
    key = user_key(identity.tenant, subject)
    headers = [
        *_FIXED,
        ("ce_id", result_id(identity, stage).encode()),
        ("ce_type", _TYPES[ruling.type]),
        ("ce_time", ruling.decided_at.isoformat().replace("+00:00", "Z").encode()),
        ("ce_tenantid", identity.tenant.encode()),
        ("ce_partitionkey", key),
        ("ce_causationid", identity.event_id.encode()),
        ("ce_causationsource", identity.source.encode()),
    ]
    if traceparent is not None:
        headers.append(("ce_traceparent", traceparent.encode()))
    return OutboundRecord(topic, key, _encoder.encode(body), headers, murmur2(key))


def cause(headers: Sequence[tuple[str, bytes]]) -> EventIdentity | None:
    """Return which login event a result answers, from its headers alone; None where they don't say."""
    texts = dict(headers)
    try:
        return EventIdentity(
            texts["ce_tenantid"].decode(),
            texts["ce_causationsource"].decode(),
            texts["ce_causationid"].decode(),
        )
    except (AttributeError, KeyError, UnicodeDecodeError):  # a header's value may be null
        return None


def read_result(value: bytes, headers: Sequence[tuple[str, bytes]]) -> Result:
    """Return the result that a record of `mfa-results` holds.

    Raises:
        InvalidEventError: it holds none.
    """
    identity = cause(headers)
    texts = dict(headers)
    kind = _KINDS.get(texts.get("ce_type", b""))
    ce_id = texts.get("ce_id")
    if identity is None or kind is None or not ce_id:
        raise InvalidEventError(Defect.INVALID_HEADERS, "the record is not one of Countersign's")
    try:
        body = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidEventError(
            Defect.INVALID_EVENT,
            "the value is not a result; is this client older than the service?",
        ) from None
    return Result(id=ce_id.decode(errors="replace"), type=kind, identity=identity, body=body)
