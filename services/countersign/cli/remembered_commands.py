"""`countersign remembered`: a user's remembered browsers, to look at and to forget."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.table import Table

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.publishing import reading
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.cli.app import FAILED, OK
from countersign.cli.output import answers, notes
from countersign.cli.session import begin
from countersign.cli.shown import one_line
from countersign.cli.signing import chosen_signer
from countersign.core import remember
from countersign.core.identity import EventIdentity
from countersign.core.remember import RememberedBrowser
from countersign.core.tenant import Remember
from countersign.ports import Store
from countersign.settings import Settings
from countersign.wire.outbound_events import signed, write_browsers_forget

_SOURCE: Final = "/countersign/command-line"
_LOOK_SECONDS: Final = 0.1
_HANDLE_LENGTH: Final = 22
_TABLE_WIDTH: Final = 110


def _check_handle(_type: object, handle: str | None) -> None:
    # One handle in sixty-four begins with a hyphen.
    if handle is not None and handle.startswith("-") and len(handle) != _HANDLE_LENGTH:
        message = f"There is no option {handle}"
        raise ValueError(message)


app = App(
    name="remembered",
    help="""Show and forget the browsers that a user has passed a challenge with.

A remembered browser stands in for a challenge until it was idle for too long, or is too old.""",
)


@app.command(name="list")
async def list_(tenant: str, user_id: str) -> None:
    """List a user's remembered browsers.

    A browser is shown by its handle, the keyed hash of its id: nothing else is stored.

    Args:
        tenant: The user's tenant.
        user_id: The user's `user.user_id`, as in the login events.
    """
    settings = begin()
    async with _store(settings) as store:
        browsers = await store.remembered(tenant, user_id)
    async with reading(settings) as tenants:
        found = tenants.get(tenant)
    if found is None:
        notes().print(
            f"There are no settings for tenant {one_line(tenant)}; the caps are Auth0's own."
        )
    limits = found.remember if found else Remember()
    now = datetime.now(UTC)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("handle", "since", "last used", "ends", "challenge"):
        table.add_column(column, no_wrap=True)
    for name, browser in sorted(browsers.items(), key=lambda item: item[1].renewed, reverse=True):
        ends = remember.ends_at(browser, limits)
        table.add_row(
            name,
            f"{browser.since:%Y-%m-%d %H:%M}",
            f"{browser.renewed:%Y-%m-%d %H:%M}",
            f"{ends:%Y-%m-%d %H:%M}" if now < ends else "ended",
            browser.challenge,
        )
    if browsers:
        console = answers()
        # A handle that is cut off to fit the terminal is of no use.
        console.width = max(console.width, _TABLE_WIDTH)
        console.print(table)
    else:
        notes().print("No browser of this user is remembered.")


@app.command
async def forget(
    tenant: str,
    user_id: str,
    handle: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, validator=_check_handle)
    ] = None,
    /,
    *,
    wait: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    sign: Path | None = None,
    kid: str | None = None,
) -> int:
    """Forget one remembered browser of a user, or all of them.

    It goes over the bus, as an event among the user's own: it is in force for every login that comes
    after it on the topic, and challenges that are open now will not be remembered either.

    Args:
        tenant: The user's tenant.
        user_id: The user's `user.user_id`, as in the login events.
        handle: The browser to forget, as `remembered list` shows it; all of them without it.
        wait: Wait until it is gone from the list, for so many seconds at most.
        sign: Sign the event with this private key (PEM), for a tenant that takes signed ones alone.
        kid: What the tenant's settings call that key.
    """
    signer = chosen_signer(sign, kid)
    settings = begin()
    identity = EventIdentity(tenant, _SOURCE, secrets.token_urlsafe(16))
    record = write_browsers_forget(
        settings.login_events_topic, identity, datetime.now(UTC), user_id, browser=handle
    )
    if signer is not None:
        record = signed(record, tenant, signer)
    async with AsyncExitStack() as stack:
        store, standing = None, dict[str, RememberedBrowser]()
        if handle is not None or wait is not None:
            store = await stack.enter_async_context(_store(settings))
            standing = await store.remembered(tenant, user_id)
        if handle is not None:
            standing = {name: browser for name, browser in standing.items() if name == handle}
            if not standing:
                notes().print(
                    "Error: no browser of this user has that handle, and nothing was published. See which"
                    " there are with: countersign remembered list"
                )
                return FAILED
        publisher = KafkaPublisher(kafka_connection(settings))
        stack.push_async_callback(publisher.close)
        await publisher.publish([record])
        notes().print("Published; in force for every login that comes after it.")
        if store is None or wait is None:
            return OK
        if await _gone(store, tenant, user_id, standing, wait):
            notes().print("Done; gone from the list.")
            return OK
    notes().print(
        f"Error: still on the list after {wait:g} s. The event is published and will be taken in its turn:"
        " look whether a decider is running, and for the event among the dead letters"
    )
    return FAILED


async def _gone(
    store: Store,
    tenant: str,
    user_id: str,
    browsers: Mapping[str, RememberedBrowser],
    within: float,
) -> bool:
    """Say whether the browsers are gone in time; one that has passed another challenge since is another."""
    try:
        async with asyncio.timeout(within):
            while True:
                now = await store.remembered(tenant, user_id)
                if not any(
                    name in now and now[name].challenge == browser.challenge
                    for name, browser in browsers.items()
                ):
                    return True
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        return False


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    redis = connect_redis(settings)
    try:
        yield redis_store(settings, redis)
    finally:
        await redis.aclose()
