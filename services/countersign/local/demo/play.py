"""The play: the stack up, the scenes one after the other, then whatever else passes over the bus."""

from __future__ import annotations

import asyncio
import contextlib
from time import perf_counter

from rich.console import Console

from countersign.adapters.kafka.configured import kafka_connection
from countersign.client import CountersignClient
from countersign.local.demo.cast import decider, started, web_services
from countersign.local.demo.killed_worker import kill_a_worker
from countersign.local.demo.scenes import SCENES
from countersign.local.demo.show import Show
from countersign.local.demo.stage import Stage
from countersign.local.demo.tap import Tap, tapped
from countersign.local.demo.world import World, open_world
from countersign.logs import set_up_logs
from countersign.probe.stop import told_to_stop

_SOURCE = "https://shop.example.com"


async def play(*, stay: bool) -> bool:
    """Play all scenes; say whether each ended as it had to.

    Args:
        stay: stay up afterwards, and show further events, until Ctrl-C or SIGTERM.

    Raises:
        StackError: something can't start; nothing is left running.
    """
    set_up_logs("critical", "console")
    show = Show(Console(highlight=False, markup=False, emoji=False, soft_wrap=True))
    show.say("Countersign: starting Kafka, Valkey and all services on this machine …", "bold")
    began = perf_counter()
    async with contextlib.AsyncExitStack() as cleanup:
        world = await cleanup.enter_async_context(open_world())
        worker = decider(world, "decider-1")
        await started(cleanup, worker, *web_services(world))
        settings = world.settings
        connection = kafka_connection(settings)
        tap = await cleanup.enter_async_context(
            tapped(connection, settings.mfa_results_topic, settings.dead_letters_topic)
        )
        client = await cleanup.enter_async_context(
            CountersignClient(connection, source=_SOURCE, tenant="acme")
        )
        show.say(
            f"Kafka at {world.stack.kafka}, Valkey at {world.stack.redis_url},"
            f" ready after {perf_counter() - began:.1f} s.\n"
        )
        stage = Stage(world, client, tap, show)
        show.head()
        for scene in SCENES:
            await scene(stage)
        await started(cleanup, decider(world, "decider-2"))
        await kill_a_worker(stage, worker)
        right = stage.right == stage.played
        show.say(
            f"   {stage.right} of {stage.played} ended as they must.", "green" if right else "red"
        )
        if stay:
            await _stay(world, tap, show)
    return right


async def _stay(world: World, tap: Tap, show: Show) -> None:
    """Show what passes, until told to stop."""
    exports = "\n".join(f"     export {name}={value}" for name, value in world.environment.items())
    show.say("\nTo walk the way yourself, open", "bold")
    show.say(f"     {world.addresses.shop_url}", "bold cyan")
    show.say("   and sign in under any name; Duo's prompt is the simulator's, on this machine too.")
    show.say(
        "\nStill up; further events are shown as they come. Ctrl-C ends it.\n"
        "   In another terminal, to look around (.venv/bin/countersign --help):\n"
        f"{exports}\n"
        "     countersign settings show acme\n"
        "     countersign tail --from-beginning\n"
        "     countersign dead-letters list\n"
    )
    stop = told_to_stop()
    while not tap.live.empty():
        tap.live.get_nowait()  # those were played, and shown
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        coming = asyncio.create_task(tap.live.get())
        await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if coming.done():
            show.line("live", coming.result(), None, right=None)
        else:
            coming.cancel()
    show.say("\nStopping …")
