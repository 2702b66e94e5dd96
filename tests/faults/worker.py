"""A decider in a process of its own, which kills itself where it is told to.

Run as `python -m tests.faults.worker POINT`, its settings in the environment. The points are the steps
of a batch; SIGKILL leaves no chance to tidy up, as a lost machine wouldn't.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.decider import app
from countersign.decider.app import Decider
from countersign.decider.metrics import Metrics
from countersign.logs import set_up_logs
from countersign.probe.readiness import Readiness
from countersign.settings import Settings, load_settings
from countersign.wire.results import OutboundRecord
from tests.builders import a_tenant
from tests.bus import FixedTenants
from tests.no_flows import no_effects

POINTS = (
    "polled",
    "before facts",
    "after facts",
    "before record",
    "after record",
    "before settle",
    "after settle",
    "before forget",
    "after forget",
    "before publish",
    "half published",
    "after publish",
    "after published",
    "before commit",
    "after commit",
)
SESSION = timedelta(seconds=1.5)
"""Shorter than production's least, so that the group misses a dead worker soon."""


class Dying:
    """Passes calls on, and dies before or after those to one method.

    Args:
        real: whom the calls are for.
        point: where to die: "before NAME" or "after NAME".
    """

    def __init__(self, real: Any, point: str) -> None:  # noqa: ANN401  # any port
        self._real = real
        self._point = point

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever it has
        """Return the real one's method, or the one to die at."""
        real = getattr(self._real, name)
        if not self._point.endswith(f" {name}"):
            return real

        async def dying(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # passed on
            if self._point.startswith("before") and _counts(args):
                die()
            result = await real(*args, **kwargs)
            if self._point.startswith("after") and _counts(args):
                die()
            return result

        return dying


class HalfPublisher:
    """Publishes half of a batch, then dies."""

    def __init__(self, real: KafkaPublisher) -> None:
        self._real = real

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """See `ports.Publisher.publish`."""
        await self._real.publish(records[: len(records) // 2])
        die()


def dying_consumer(point: str) -> Callable[[Settings], AIOKafkaConsumer]:
    """Return what makes consumers that die at the point, if it is one of theirs."""
    real = app.consumer

    def make(settings: Settings) -> AIOKafkaConsumer:
        consumer = real(settings)
        if point in {"before commit", "after commit"}:
            consumer.commit = Dying(consumer, point).commit
        elif point == "polled":
            getmany = consumer.getmany

            async def polled(**kwargs: Any) -> Any:  # noqa: ANN401  # aiokafka's own
                if await getmany(**kwargs):
                    die()

            consumer.getmany = polled
        return consumer

    return make


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def _counts(args: Sequence[Any]) -> bool:
    """A call about nothing is no step of a batch."""
    return not args or bool(args[0])


async def main(point: str) -> None:
    """Run until killed or told to stop."""
    settings = load_settings().model_copy(update={"kafka_session_timeout": SESSION})
    set_up_logs("warning", "json")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = connect_redis(settings)
    store = redis_store(settings, client)
    publisher = KafkaPublisher(kafka_connection(settings))
    app.consumer = dying_consumer(point)  # type: ignore[assignment]  # the seam that this program is for
    decider = Decider(
        settings,
        store=Dying(store, point),
        effects=no_effects(),
        publisher=HalfPublisher(publisher)
        if point == "half published"
        else Dying(publisher, point),
        tenants=FixedTenants(a_tenant()),
        readiness=Readiness("events"),
        metrics=Metrics(),
    )
    await decider.start()
    await stop.wait()
    await decider.stop()
    await publisher.close()
    await client.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
