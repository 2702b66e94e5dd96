"""Results as relying parties see them: an event's decision, and how its challenge ended."""

from __future__ import annotations

from countersign.core.identity import EventIdentity, Stage, result_id
from countersign.wire.results import Result, read_result
from tests.bus import Bus, Copy


class Results:
    """Finds results among all that has passed over a bus.

    Args:
        bus: the bus, which reads on while something is waited for.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._count = 0
        self._copies: dict[bytes, set[Copy]] = {}

    async def of(self, identity: EventIdentity, stage: Stage) -> Result:
        """Return an event's result, once it is on the bus.

        Raises:
            AssertionError: there is none in time, or its copies differ (law 2).
        """
        name = result_id(identity, stage).encode()
        await self._bus.until(lambda: name in self._heard())
        result = self.so_far(identity, stage)
        assert result is not None
        return result

    def so_far(self, identity: EventIdentity, stage: Stage) -> Result | None:
        """Return an event's result, if it has been on the bus.

        Raises:
            AssertionError: its copies differ (law 2).
        """
        copies = self._heard().get(result_id(identity, stage).encode(), set())
        assert len(copies) <= 1
        return next((read_result(one.value or b"", one.headers) for one in copies), None)

    def _heard(self) -> dict[bytes, set[Copy]]:
        for copy in self._bus.results[self._count :]:
            self._copies.setdefault(dict(copy.headers)["ce_id"], set()).add(copy)
        self._count = len(self._bus.results)
        return self._copies
