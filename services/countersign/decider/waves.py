"""Cuts a batch into waves: at most one event of a user, and of an identity, in a wave; waves in order.

Law 3: a user's events are decided one after the other, each with what the one before it left behind,
while different users' events share one call to the store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from countersign.core.identity import EventIdentity
from countersign.core.login import Inbound
from countersign.core.tenant import TenantSettings


class Entry(NamedTuple):
    """An event of a batch.

    Attributes:
        place: where it stands in the batch.
        event: the event.
        tenant: the settings to judge it by; None where there are none.
    """

    place: int
    event: Inbound
    tenant: TenantSettings | None


def cut_into_waves(entries: Iterable[Entry]) -> Sequence[Sequence[Entry]]:
    """Return the entries as waves; within a wave, and for each user over the waves, in order.

    Of two events under one identity the first one's stands, so these keep their order, too.
    """
    waves: list[list[Entry]] = []
    turns: defaultdict[bytes | EventIdentity, int] = defaultdict(int)
    for entry in entries:
        key, identity = entry.event.key, entry.event.identity
        turn = max(turns[key], turns[identity])
        turns[key] = turns[identity] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(entry)
    return waves
