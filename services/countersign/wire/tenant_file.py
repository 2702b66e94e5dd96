"""A tenant's settings as people write them: what a TOML file says, and how one is written.

`wire.tenant_toml` reads the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from countersign.core.action import ActionRef, ActionRules
from countersign.core.errors import Problem
from countersign.core.login import SourceUri, TenantId
from countersign.core.public_key import PublicKey
from countersign.core.sealed import SealedSecret
from countersign.core.tenant import (
    CLIENT_SECRET_LENGTH,
    ChallengeRules,
    DuoAccount,
    EventRules,
    Factors,
    Mfa,
    PushBudget,
    Remember,
    SignalRules,
    TenantSettings,
    Trust,
    problems,
)
from countersign.wire.durations import iso_duration
from countersign.wire.keys import key_problems, public_keys

KEEP: Final = "********"
"""Stands for a secret: the one in force is kept."""


class DuoDraft(msgspec.Struct, frozen=True, kw_only=True):
    """The section `[duo]`.

    Attributes:
        client_id: Duo's Client ID.
        api_host: Duo's API hostname.
        client_secret: Duo's Client secret, in clear; None: keep the one in force.
        client_secret_file: the file that it is in, as the settings file names it.
    """

    client_id: str
    api_host: str
    client_secret: str | None = None
    client_secret_file: str | None = None

    def __repr__(self) -> str:
        """Return who the account is, never its secret."""
        return f"DuoDraft(client_id={self.client_id!r}, api_host={self.api_host!r})"


class KeysDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A section with public keys.

    Attributes:
        keys: the keys, as they were written.
        jwks_file: the file with the keys, as the settings file names it.
    """

    keys: tuple[Mapping[str, Any], ...] = ()
    jwks_file: str | None = None


class EventsDraft(KeysDraft, frozen=True, kw_only=True):
    """The section `[events]`; see `EventRules`."""

    signed: bool = False


class SignalsDraft(KeysDraft, frozen=True, kw_only=True):
    """The section `[signals]`; see `SignalRules`."""

    trust: Trust = Trust.SIGNED
    issuer: SourceUri | None = None
    audience: SourceUri | None = None


class TenantDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's settings before they have a version, and with their secret in clear.

    Attributes:
        source: the file that they stand in.
        tenant: whose they are.
    """

    source: str
    tenant: TenantId
    duo: DuoDraft | None = None
    factors: Factors = Factors()
    mfa: Mfa = Mfa()
    remember: Remember = Remember()
    challenge: ChallengeRules = ChallengeRules()
    push_budget: PushBudget = PushBudget()
    events: EventsDraft = EventsDraft()
    signals: SignalsDraft = SignalsDraft()
    actions: ActionRules = ActionRules()

    def settings(
        self,
        *,
        version: int,
        updated_at: datetime,
        secret: SealedSecret | None,
        flow: tuple[ActionRef, ...] = (),
    ) -> TenantSettings:
        """Return the settings that this draft becomes.

        Args:
            version: their version.
            updated_at: when they are published.
            secret: goes with the draft's Duo account.
            flow: the Actions in force, of which a settings file says nothing.
        """
        duo = None
        if self.duo is not None and secret is not None:
            duo = DuoAccount(
                client_id=self.duo.client_id, client_secret=secret, api_host=self.duo.api_host
            )
        return TenantSettings(
            tenant=self.tenant,
            version=version,
            updated_at=updated_at,
            duo=duo,
            factors=self.factors,
            mfa=self.mfa,
            remember=self.remember,
            challenge=self.challenge,
            push_budget=self.push_budget,
            events=EventRules(signed=self.events.signed, keys=public_keys(self.events.keys)),
            signals=SignalRules(
                trust=self.signals.trust,
                issuer=self.signals.issuer,
                audience=self.signals.audience,
                keys=public_keys(self.signals.keys),
            ),
            actions=self.actions,
            flow=flow,
        )


# They make a draft into settings that can be judged; none of the three is.
_SOME_SECRET: Final = SealedSecret(key_id="", nonce="", ciphertext="")
_SOME_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SOME_VERSION: Final = 1


def draft_problems(draft: TenantDraft) -> Iterator[Problem]:
    """Find everything in a draft that keeps it from being published."""
    secret = draft.duo.client_secret if draft.duo is not None else None
    if secret is not None and len(secret) != CLIENT_SECRET_LENGTH:
        yield Problem(
            key="duo.client_secret",
            problem=f"has {len(secret)} characters, a Duo Client secret has {CLIENT_SECRET_LENGTH}",
            remedy="Copy the Client secret from the Duo application's page, or leave it out to keep"
            " the one in force",
        )
    yield from key_problems("events.keys", draft.events.keys)
    yield from key_problems("signals.keys", draft.signals.keys)
    yield from problems(
        draft.settings(version=_SOME_VERSION, updated_at=_SOME_INSTANT, secret=_SOME_SECRET)
    )


_SECTIONS: Final = (
    *("duo", "factors", "mfa", "remember", "challenge", "push_budget", "events", "signals"),
    "actions",
)


def write_toml(settings: TenantSettings) -> str:
    """Return the settings as a file that can be edited and applied again; the secret is masked."""
    lines = [
        f"# Version {settings.version}, published at {settings.updated_at.isoformat()}.",
        "# Edit this, then put it in force with: countersign settings apply FILE",
        "",
        f"tenant = {_toml(settings.tenant)}",
    ]
    for name in _SECTIONS:
        section = getattr(settings, name)
        if section is None:
            continue
        lines += ["", f"[{name}]"]
        for field in msgspec.structs.fields(section):
            value = getattr(section, field.name)
            if value is None:
                continue
            if isinstance(value, SealedSecret):
                lines.append("# Stars keep the secret that is in force.")
                value = KEEP
            lines.append(f"{field.encode_name} = {_toml(value)}")
    lines += _flow(settings.flow)
    return "\n".join(lines) + "\n"


def _flow(flow: tuple[ActionRef, ...]) -> Iterator[str]:
    """Tell the flow, which this file can't change."""
    if flow:
        yield ""
        yield "# The flow, which stays as it is; countersign actions deploy DIR changes it:"
    for ref in flow:
        version = f", version {ref.version}" if ref.version else ""
        yield f"#   {ref.name} ({ref.kind.value}{version})"


def _toml(value: Any) -> str:  # noqa: ANN401  # what a section can hold
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case timedelta():
            return _toml(iso_duration(value))
        case tuple() if value and isinstance(value[0], PublicKey):
            return "\n".join(["[", *(f"    {_toml(key)}," for key in value), "]"])
        case PublicKey():
            members = msgspec.to_builtins(value).items()
            return f"{{ {', '.join(f'{name} = {_toml(text)}' for name, text in members)} }}"
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            # TOML's basic strings are JSON's, but for the one control character that JSON lets stand.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
