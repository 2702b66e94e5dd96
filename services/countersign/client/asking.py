"""One question: publish an event, and wait for the result that answers it.

Law: it ends in the answer, or in an error at the deadline at the latest; whichever, nothing of it is left.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from countersign.client.bus import Bus
from countersign.client.inbox import Call, Inbox
from countersign.core.errors import NoAnswerError
from countersign.core.identity import EventIdentity
from countersign.wire.results import Result


async def answered(
    bus: Bus, inbox: Inbox, login: EventIdentity, call: Call, within: timedelta
) -> Result:
    """Publish what the call asks, and return the result that answers it.

    Args:
        bus: the way onto the bus.
        inbox: where results come in.
        login: the login event that the result has to name.
        call: what is asked, and of whom.
        within: how long to wait.

    Raises:
        NoAnswerError: none came in time, or the client was closed.
        BusUnavailableError: the event can't be published.
        InvalidEventError: the topic takes no event as large as this.
    """
    with inbox.waiting(login, call):
        publishing = asyncio.create_task(bus.publish(call.record))
        publishing.add_done_callback(call.fail_with)
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await call.answer
        except TimeoutError:
            look = (
                "Look whether a decider is running, and for the event among the dead letters"
                if publishing.done()
                else "Kafka has not acknowledged the event; look whether it is up"
            )
            message = (
                f"no answer for login event {login.event_id!r} within {in_seconds(within)};"
                f" don't allow the login. {look}"
            )
            raise NoAnswerError(message) from None
        finally:
            publishing.cancel()


def in_seconds(duration: timedelta) -> str:
    """Return a duration as errors tell it."""
    return f"{duration.total_seconds():g} s"
