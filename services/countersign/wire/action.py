"""A version of an Action on the topic of the settings: JSON, under `tenant/action/<name>/<version>`.

Fields that this version doesn't know are accepted and left alone, as in `wire.tenant`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from countersign.core.action import ActionVersion
from countersign.core.errors import Problem, SettingsError
from countersign.core.identity import murmur2
from countersign.wire.results import OutboundRecord

MAX_ACTION_BYTES: Final = 1_000_000
"""Of a record's value: Kafka takes a batch of 1,048,588 bytes, with key, headers and its own frame."""

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(ActionVersion)
_HEADERS = [("content-type", b"application/json")]
_KEY = re.compile(
    r"(?P<tenant>[a-z0-9-]{1,63})/action/(?P<name>[a-z0-9][a-z0-9_-]{0,62})/(?P<version>[1-9][0-9]{0,8})"
)
_AN_ACTIONS: Final = re.compile(rb"[^/]*/action(/|\Z)")


class ActionKey(NamedTuple):
    """Which version of which Action a record is."""

    tenant: str
    name: str
    version: int

    def __str__(self) -> str:
        """Return it as a person would say it."""
        return f"{self.tenant}'s Action {self.name}, version {self.version}"


def key_of(action: ActionVersion) -> ActionKey:
    """Return which version of which Action this is."""
    return ActionKey(action.tenant, action.name, action.version)


def write_action(action: ActionVersion) -> bytes:
    """Return the version as a record's value."""
    return _encoder.encode(action)


def action_record(topic: str, place: ActionKey, value: bytes | None) -> OutboundRecord:
    """Return the record that publishes a version of an Action; without a value, that takes it away."""
    key = f"{place.tenant}/action/{place.name}/{place.version}".encode()
    return OutboundRecord(topic, key, value, _HEADERS, murmur2(key))


def action_of(key: bytes | None) -> ActionKey | None:
    """Return which version of an Action a record's key stands for; None where it stands for something else.

    Raises:
        SettingsError: it should be one's, and can't be.
    """
    if key is None or not _AN_ACTIONS.match(key):
        return None
    match = _KEY.fullmatch(key.decode(errors="replace"))
    if match is None:
        problem = Problem(
            key="key", problem="is no version of an Action", remedy="Use countersign actions deploy"
        )
        raise SettingsError(source="record of an Action", problems=[problem])
    return ActionKey(match["tenant"], match["name"], int(match["version"]))


def read_action(place: ActionKey, value: bytes) -> ActionVersion:
    """Return the version of an Action that a record holds.

    Args:
        place: what its key says.
        value: its value.

    Raises:
        SettingsError: it holds none, or another one.
    """
    try:
        action = _decoder.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        # Without a text that might quote from the value.
        reason = "is not valid" if isinstance(error, msgspec.ValidationError) else "is not JSON"
        raise _refused(place, "value", reason) from None
    for name in place._fields:
        if getattr(action, name) != getattr(place, name):
            raise _refused(place, name, "is not the one of the key")
    return action


def _refused(place: ActionKey, key: str, problem: str) -> SettingsError:
    remedy = "Deploy the tenant's Actions again"
    return SettingsError(
        source=f"record of {place}",
        problems=[Problem(key=key, problem=problem, remedy=remedy)],
    )
