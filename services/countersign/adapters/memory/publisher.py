"""The bus in memory: keeps what is published, in order."""

from __future__ import annotations

from collections.abc import Sequence

from countersign.wire.results import OutboundRecord


class MemoryPublisher:
    """`ports.Publisher` into a list."""

    def __init__(self) -> None:
        self.records: list[OutboundRecord] = []

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """See `ports.Publisher.publish`."""
        self.records.extend(records)
