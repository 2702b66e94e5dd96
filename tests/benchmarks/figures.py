"""What is measured, and the little arithmetic on it; nothing here touches bus or store.

Law: a run is valid only if every login has exactly one result, of the right kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from tests.benchmarks.load import RESULTS, Login

LEFT_OUT = 0.05
"""The share of a throughput run that comes before its clock starts."""


class VoidRunError(Exception):
    """A run that measured nothing; the message says why."""


class Published(NamedTuple):
    """A result as it stands on the bus.

    Attributes:
        at: when the broker appended it, in milliseconds.
        event_id: the login that it answers.
        type: the kind of result, as `ce_type` says it.
    """

    at: int
    event_id: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """How fast a contender worked off a topic.

    Attributes:
        per_second: logins a second.
        cpu_micros: microseconds of its own processor time a login.
        store_micros: microseconds of the store's processor time a login.
        peak_bytes: the most memory that its process had.
    """

    per_second: float
    cpu_micros: float
    store_micros: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From a login's publication to its result's arrival, in milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreBytes:
    """What one of each costs in the store, keys and all.

    Attributes:
        login: a login without a challenge, for as long as the dedupe window lasts.
        challenged_login: a login with one, likewise; without the challenge itself.
        challenge: an open challenge with its deadline.
        budget: a user's push budget with one prompt in it.
        remembered: a user with one remembered browser.
    """

    login: float
    challenged_login: float
    challenge: float
    budget: float
    remembered: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one contender; what it measured, or why it is void."""

    round: int
    contender: str
    throughput: Throughput | None = None
    latency: Latency | None = None
    void: str | None = None


def per_second(instants: Iterable[int]) -> float:
    """Return how many results a second there were, from their instants in milliseconds.

    The clock starts when the first 5 % are there: what comes before is joining the group, loading
    scripts and filling the first fetches, which a long run would not show.
    """
    ordered = sorted(instants)
    start = ordered[int(len(ordered) * LEFT_OUT)]
    # A batch's results share an instant, so those of the starting one are not counted.
    counted = sum(instant > start for instant in ordered)
    return counted / max(ordered[-1] - start, 1) * 1000


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that so great a share of the values doesn't exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(ceil(share * len(ordered)), 1) - 1]


def flaw(published: Sequence[Published], logins: Sequence[Login]) -> str | None:
    """Return what is wrong with a run's results; None where each login has its one right result."""
    copies = Counter(result.event_id for result in published)
    wanted = {login.event_id: f"countersign.{RESULTS[login.user.kind]}.v1" for login in logins}
    missing = len(wanted.keys() - copies.keys())
    unasked = len(copies.keys() - wanted.keys())
    repeated = sum(count > 1 for count in copies.values())
    wrong = sum(wanted.get(result.event_id, result.type) != result.type for result in published)
    found = {
        "logins have no result": missing,
        "have several": repeated,
        "results are of the wrong kind": wrong,
        "answer nothing that was asked": unasked,
    }
    parts = [f"{count:,} {what}" for what, count in found.items() if count]
    return f"of {len(logins):,}: {', '.join(parts)}" if parts else None
