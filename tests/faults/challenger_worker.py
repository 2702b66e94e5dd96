"""A challenger in a process of its own, which kills itself where it is told to.

Run as `python -m tests.faults.challenger_worker POINT DIRECTORY`, its settings in the environment. The
points are the steps of a visit, a callback, a publication and a sweep; SIGKILL leaves no chance to tidy
up. The directory is what all processes' Duo shares: which codes are spent.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.memory.duo import APPROVED
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.challenger.app import Challenger
from countersign.challenger.metrics import Metrics
from countersign.core.challenge import Challenge, State
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoRefusedError
from countersign.core.tenant import DuoAccount
from countersign.logs import set_up_logs
from countersign.settings import load_settings
from countersign.wire.results import OutboundRecord
from tests.builders import a_tenant
from tests.bus import FixedTenants

STEPS: Final[dict[str, tuple[str, State | None]]] = {
    "visit": ("visit", None),
    "claim": ("settle", State.EXCHANGING),
    "exchange": ("exchange", None),
    "proof": ("settle", State.PROVEN),
    "denial": ("settle", State.DENIED),
    "expiry": ("settle", State.EXPIRED),
    "publish": ("publish", None),
    "noting": ("published", None),
}
"""Steps by name: the call, and for a challenge's next value the state that it brings."""

HELD: Final = "held publish"
"""Not a death: the first publication hangs, as with a broker that doesn't answer."""


class Dying:
    """Passes calls on, and dies before or after the first one that is the step.

    Args:
        real: whom the calls are for.
        point: where to die: "before STEP" or "after STEP"; any other text: nowhere.
    """

    def __init__(self, real: Any, point: str) -> None:  # noqa: ANN401  # any port
        self._real = real
        self._when, _, step = point.partition(" ")
        self._name, self._state = STEPS.get(step, ("", None))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever it has
        """Return the real one's method, or the one to die at."""
        real = getattr(self._real, name)
        if name != self._name or self._when not in {"before", "after"}:
            return real

        async def dying(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # passed on
            is_step = self._is_step(args[0])
            if is_step and self._when == "before":
                die()
            result = await real(*args, **kwargs)
            if is_step:
                die()
            return result

        return dying

    def _is_step(self, what: Any) -> bool:  # noqa: ANN401  # the first argument of any call
        if isinstance(what, Challenge) or self._state is None:
            return bool(what)
        return any(change.challenge.state is self._state for change in what)


class HeldPublisher:
    """Never comes back from its first publication."""

    def __init__(self, real: KafkaPublisher) -> None:
        self._real = real
        self._held = False

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """See `ports.Publisher.publish`."""
        if not self._held:
            self._held = True
            await asyncio.Event().wait()
        await self._real.publish(records)


class ScriptedDuo:
    """`ports.Duo` whose codes say what they bring, each good once, whichever process exchanges it.

    Args:
        spent: a directory with a file for each code that was exchanged.
        during: what happens while a code is exchanged.
    """

    def __init__(self, spent: Path, *, during: Callable[[], Any] | None = None) -> None:
        self._spent = spent
        self._during = during

    async def check(self, tenant: str, account: DuoAccount) -> None:
        """See `ports.Duo.check`; always well."""

    async def prompt_url(
        self, tenant: str, account: DuoAccount, *, username: str, state: str, nonce: str
    ) -> str:
        """See `ports.Duo.prompt_url`."""
        del tenant, username, nonce
        return f"https://{account.api_host}/oauth/v1/authorize?state={state}"

    async def exchange(
        self, tenant: str, account: DuoAccount, *, code: str, username: str, nonce: str
    ) -> DuoAnswer:
        """See `ports.Duo.exchange`; a code begins with "allow" or "deny"."""
        del tenant, account, username, nonce
        try:
            (self._spent / code).touch(exist_ok=False)
        except FileExistsError:
            msg = "The code is spent"
            raise DuoRefusedError(msg) from None
        if self._during is not None:
            await self._during()
        return APPROVED if code.startswith("allow") else DuoAnswer(allowed=False)


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


async def main(point: str, spent: Path) -> None:
    """Run until killed or told to stop, as the composition root does."""
    settings = load_settings()
    set_up_logs("warning", "json")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = connect_redis(settings)
    publisher = KafkaPublisher(kafka_connection(settings))
    await publisher.start()
    challenger = Challenger(
        settings,
        store=Dying(redis_store(settings, client), point),
        publisher=HeldPublisher(publisher) if point == HELD else Dying(publisher, point),
        tenants=FixedTenants(a_tenant()),
        duo=Dying(ScriptedDuo(spent), point),
        metrics=Metrics(),
    )
    await challenger.start()
    await stop.wait()
    await challenger.stop()
    await publisher.close()
    await client.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
