"""Reads security signals: CAEP and RISC events in a Security Event Token (RFC 8417), or its claims as JSON.

A token is read here before it is verified, to learn whose signal it would be. Law: an error names the
claim and the remedy, and holds nothing of what came (law 9).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.login import Identifier, SourceUri
from countersign.wire.decoding import decode

CAEP: Final = "https://schemas.openid.net/secevent/caep/event-type/"
RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"
ASSURANCE_LEVEL_CHANGE: Final = f"{CAEP}assurance-level-change"
KNOWN: Final = (
    f"{CAEP}session-revoked",
    f"{CAEP}credential-change",
    ASSURANCE_LEVEL_CHANGE,
    f"{RISC}account-disabled",
    f"{RISC}account-purged",
    f"{RISC}account-credential-change-required",
)
"""The events that make a user's remembered browsers be forgotten."""

_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
# RFC 8417, section 2.3. RFC 7515, section 4.1.9: without regard to case, "application/" is implied.
_TYPES: Final = ("secevent+jwt", "application/secevent+jwt")
_YEAR_9999: Final = 253_402_300_799


class _Named(msgspec.Struct, frozen=True):
    """A subject identifier (RFC 9493), or one of the drafts before it, with `subject_type`."""

    format: str | None = None
    subject_type: str | None = None
    id: str | None = None
    iss: str | None = None
    sub: str | None = None

    @property
    def kind(self) -> str | None:
        kind = self.subject_type if self.format is None else self.format
        return None if kind is None else kind.replace("-", "_")


class _Subject(_Named, frozen=True):
    """Likewise, a complex one included: it names the user, and what of the user's.

    And perhaps what isn't the user's: who is of which of these is not known here.
    """

    user: _Named | None = None
    tenant: Any = None
    org_unit: Any = None
    group: Any = None


class _Payload(msgspec.Struct, frozen=True):
    """What an event says."""

    subject: _Subject | None = None
    change_direction: str | None = None


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    """A SET's claims, those that are read."""

    iss: SourceUri
    jti: Identifier
    iat: Annotated[float, Meta(ge=0, le=_YEAR_9999)]
    events: dict[str, msgspec.Raw]
    aud: str | tuple[str, ...] | None = None
    sub_id: _Subject | None = None


class _Header(msgspec.Struct, frozen=True):
    typ: str | None = None


class Signal(NamedTuple):
    """A signal as its sender tells it.

    Attributes:
        issuer: who says so.
        jti: the signal's own id.
        issued_at: when it was said.
        audience: for whom.
        subject: the user.
        revokes: whether the user's remembered browsers are to be forgotten.
        token: the SET; None where the claims came as JSON.
    """

    issuer: str
    jti: str
    issued_at: datetime
    audience: tuple[str, ...]
    subject: str
    revokes: bool
    token: str | None


_claims = msgspec.json.Decoder(_Claims)
_payload = msgspec.json.Decoder(_Payload)
_header = msgspec.json.Decoder(_Header)


def read_token(token: str) -> Signal:
    """Return the signal that a SET holds; whether it is to be trusted is asked later.

    Raises:
        InvalidEventError: it holds none.
    """
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        raise InvalidEventError(
            Defect.INVALID_EVENT,
            "the token is no JWT in the compact form; send header, payload and signature in base64url,"
            " joined by dots, not encrypted",
        )
    typ = decode(_header, _decoded(parts[1])).typ
    if typ is None or typ.lower() not in _TYPES:
        raise InvalidEventError(
            Defect.INVALID_EVENT, f"the token's typ is another; send a SET, with typ {_TYPES[0]}"
        )
    return _signal(decode(_claims, _decoded(parts[2])), token)


def read_claims(data: bytes) -> Signal:
    """Return the signal that a SET's claims, as JSON, hold.

    Raises:
        InvalidEventError: they hold none.
    """
    if not data.lstrip().startswith(b"{"):
        raise InvalidEventError(
            Defect.INVALID_EVENT,
            "the data are no JSON object; send the claims as one, or a SET with the content-type"
            " application/secevent+jwt",
        )
    return _signal(decode(_claims, data), None)


def _signal(claims: _Claims, token: str | None) -> Signal:
    known = {kind: decode(_payload, claims.events[kind]) for kind in KNOWN if kind in claims.events}
    if not claims.events:
        raise InvalidEventError(Defect.INVALID_EVENT, "events is empty; send at least one")
    if not known:
        raise InvalidEventError(
            Defect.UNKNOWN_TYPE,
            f"events holds none of those that are read; they are {', '.join(KNOWN)}",
        )
    audience = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    return Signal(
        issuer=claims.iss,
        jti=claims.jti,
        issued_at=datetime.fromtimestamp(claims.iat, UTC),
        audience=audience or (),
        subject=_user(claims, known),
        revokes=any(
            kind != ASSURANCE_LEVEL_CHANGE or payload.change_direction != "increase"
            for kind, payload in known.items()
        ),
        token=token,
    )


def _user(claims: _Claims, known: dict[str, _Payload]) -> str:
    users = {*_users(claims, known)}
    if not users:
        raise InvalidEventError(
            Defect.INVALID_EVENT, f"sub_id is missing; send it, {_SUBJECT_REMEDY}"
        )
    if len(users) > 1:
        raise InvalidEventError(
            Defect.INVALID_EVENT,
            "sub_id and the events' subjects name different users; send a signal for each user",
        )
    return users.pop()


def _users(claims: _Claims, known: dict[str, _Payload]) -> Iterator[str]:
    for subject in (claims.sub_id, *(payload.subject for payload in known.values())):
        if subject is not None:
            yield _name(subject, claims.iss)


def _name(subject: _Subject, issuer: str) -> str:
    named: _Named = subject
    if subject.kind == "complex" or (subject.kind is None and subject.user is not None):
        if subject.user is None:
            raise InvalidEventError(
                Defect.INVALID_EVENT,
                "sub_id is complex and has no user; only what a whole user is about is taken:"
                f" send user in it, {_SUBJECT_REMEDY}",
            )
        if foreign := [part for part in _NOT_THE_USERS if getattr(subject, part) is not None]:
            raise InvalidEventError(
                Defect.INVALID_EVENT,
                f"sub_id is complex and has {foreign[0]}, of which it is not known here who belongs to it;"
                " leave it out, and send a signal for each user",
            )
        named = subject.user
    user = {"opaque": named.id, "iss_sub": named.sub}.get(named.kind or "")
    if not user:
        raise InvalidEventError(
            Defect.INVALID_EVENT,
            f"sub_id is in a format that doesn't name a user here; send it {_SUBJECT_REMEDY}",
        )
    # Another issuer's user may well have the same name (RFC 9493, section 3.2.4).
    if named.kind == "iss_sub" and named.iss != issuer:
        raise InvalidEventError(
            Defect.INVALID_EVENT,
            f"sub_id.iss is {'missing' if named.iss is None else 'another than the iss of the signal'};"
            " send the same one, or the user_id in the format opaque with id",
        )
    return user


_NOT_THE_USERS: Final = ("tenant", "org_unit", "group")
_SUBJECT_REMEDY: Final = (
    "in the format opaque with id, or iss_sub with the signal's iss and sub, being the user_id"
)


def _decoded(part: str) -> bytes:
    # Of a wrong length, which no base64 has, there is no JSON either.
    data = urlsafe_b64decode(part + "=" * (-len(part) % 4)) if len(part) % 4 != 1 else b""
    try:
        data.decode()
    except UnicodeDecodeError:
        raise InvalidEventError(
            Defect.NOT_JSON, "the token holds what is not UTF-8; send header and claims as JSON"
        ) from None
    return data
