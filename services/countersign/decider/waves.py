"""Cuts a batch into waves: at most one event of a user in a wave, waves in order.

Law 3: a user's events are decided one after the other, each with what the one before it left behind,
while different users' events share one call to the store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from countersign.core.login import Inbound
from countersign.core.tenant import TenantSettings


class Entry(NamedTuple):
    """An event of a batch.

    Attributes:
        place: where it stands in the batch.
        event: the event.
        tenant: the settings to judge it by.
    """

    place: int
    event: Inbound
    tenant: TenantSettings


def cut_into_waves(entries: Iterable[Entry]) -> Sequence[Sequence[Entry]]:
    """Return the entries as waves; within a wave, and for each user over the waves, in order."""
    waves: list[list[Entry]] = []
    seen: defaultdict[bytes, int] = defaultdict(int)
    for entry in entries:
        key = entry.event.key
        turn = seen[key]
        seen[key] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(entry)
    return waves
