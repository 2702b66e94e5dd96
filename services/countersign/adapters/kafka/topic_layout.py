"""What the four topics have to be: names, partitions, retention, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

import msgspec

MAX_RECORD_BYTES: Final = 1_048_588
"""Largest batch of logins, and of settings: Kafka's own default, said aloud as the next one builds on it."""
MAX_DEAD_LETTER_BYTES: Final = MAX_RECORD_BYTES + 64 * 1024
"""Largest batch of dead letters: any record of `login-events`, with the headers that it gets on top."""


class TopicNames(msgspec.Struct, frozen=True, kw_only=True):
    """What the four topics are called."""

    login_events: str = "login-events"
    mfa_results: str = "mfa-results"
    dead_letters: str = "login-events-dlq"
    tenant_settings: str = "tenant-settings"


class Topic(NamedTuple):
    """What a topic is, or has to be.

    Attributes:
        name: its name.
        partitions: how many.
        replication_factor: how many copies of each.
        configs: the topic's settings that matter here, by Kafka's names.
    """

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


def wanted_topics(names: TopicNames, *, partitions: int, replication_factor: int) -> list[Topic]:
    """Return what the four topics have to be.

    Args:
        names: what they are called.
        partitions: of each; the tenants' settings have one, so that their versions have one order.
        replication_factor: of each.
    """
    # One copy may be away for maintenance and acks=all still says that two have the record.
    in_sync = {"min.insync.replicas": str(max(1, min(2, replication_factor - 1)))}
    login_events = {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(days=7),
        "max.message.bytes": str(MAX_RECORD_BYTES),
        # By the broker's clock: a sender whose clock is wrong must not have its events deleted unread.
        "message.timestamp.type": "LogAppendTime",
    }
    mfa_results = {"cleanup.policy": "delete", "retention.ms": _milliseconds(days=7)}
    dead_letters = {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(days=30),
        "max.message.bytes": str(MAX_DEAD_LETTER_BYTES),
    }
    tenant_settings = {
        "cleanup.policy": "compact",
        # A version of an Action has up to a million bytes (`wire.action`).
        "max.message.bytes": str(MAX_RECORD_BYTES),
    }
    return [
        Topic(name, count, replication_factor, configs | in_sync)
        for name, count, configs in (
            (names.login_events, partitions, login_events),
            (names.mfa_results, partitions, mfa_results),
            (names.dead_letters, partitions, dead_letters),
            (names.tenant_settings, 1, tenant_settings),
        )
    ]


def _milliseconds(*, days: int) -> str:
    return str(timedelta(days=days) // timedelta(milliseconds=1))
