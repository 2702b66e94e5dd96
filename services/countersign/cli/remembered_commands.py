"""`countersign remembered`: a user's remembered browsers, to look at and to forget."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Final

from cyclopts import App
from rich.table import Table

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.cli.output import answers, notes
from countersign.cli.session import begin, reading
from countersign.cli.shown import one_line
from countersign.core import remember
from countersign.core.identity import EventIdentity
from countersign.core.tenant import Remember
from countersign.wire.outbound_events import write_browsers_forget

_SOURCE: Final = "/countersign/command-line"

app = App(
    name="remembered",
    help="""Show and forget the browsers that a user has passed a challenge with.

A remembered browser stands in for a challenge until it was idle for too long, or is too old.""",
)


@app.command(name="list")
async def list_(tenant: str, user_id: str) -> None:
    """List a user's remembered browsers. Browsers are shown as keyed hashes; nothing else is stored.

    Args:
        tenant: The user's tenant.
        user_id: The user's `user.user_id`, as in the login events.
    """
    settings = begin()
    redis = connect_redis(settings)
    try:
        store = redis_store(settings, redis)
        browsers = await store.remembered(tenant, user_id)
    finally:
        await redis.aclose()
    async with reading(settings) as tenants:
        found = tenants.get(tenant)
    if found is None:
        notes().print(
            f"There are no settings for tenant {one_line(tenant)}; the caps are Auth0's own."
        )
    limits = found.remember if found else Remember()
    now = datetime.now(UTC)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("browser", "since", "last used", "ends"):
        table.add_column(column, no_wrap=True)
    for name, browser in sorted(browsers.items(), key=lambda item: item[1].renewed, reverse=True):
        ends = remember.ends_at(browser, limits)
        table.add_row(
            name,
            f"{browser.since:%Y-%m-%d %H:%M}",
            f"{browser.renewed:%Y-%m-%d %H:%M}",
            f"{ends:%Y-%m-%d %H:%M}" if now < ends else "ended",
        )
    if browsers:
        answers().print(table)
    else:
        notes().print("No browser of this user is remembered.")


@app.command
async def forget(tenant: str, user_id: str) -> None:
    """Forget all remembered browsers of a user.

    It goes over the bus, as an event among the user's own: it is in force for every login that comes
    after it on the topic, and challenges that are open now will not be remembered either.

    Args:
        tenant: The user's tenant.
        user_id: The user's `user.user_id`, as in the login events.
    """
    settings = begin()
    identity = EventIdentity(tenant, _SOURCE, secrets.token_urlsafe(16))
    record = write_browsers_forget(
        settings.login_events_topic, identity, datetime.now(UTC), user_id
    )
    publisher = KafkaPublisher(kafka_connection(settings))
    try:
        await publisher.publish([record])
    finally:
        await publisher.close()
    notes().print("Published; in force for every login that comes after it.")
