"""What every store owes the caches of tenants' Actions: in memory, on a server, on a cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.core.cache import MAX_ENTRIES, changed
from countersign.core.effect import CacheWrite
from countersign.core.facts import CacheEntry
from countersign.ports import CacheWrites
from tests.builders import ACME, GLOBEX, NOW

if TYPE_CHECKING:
    from datetime import datetime

    from tests.contract.conftest import MakeCaches


def put(key: str, value: str = "v", *, minutes: int = 15) -> CacheWrite:
    """Return a change that puts an entry."""
    return CacheWrite(key=key, value=value, expires_at=NOW + timedelta(minutes=minutes))


def writes(*changes: CacheWrite, tenant: str = ACME, at: datetime = NOW) -> CacheWrites:
    """Return what one login's Actions want changed."""
    return CacheWrites(tenant=tenant, at=at, writes=changes)


async def test_what_was_put_is_read_until_it_is_deleted(make_caches: MakeCaches) -> None:
    """An entry is read as it was put, also "", and is gone once it is deleted."""
    async with make_caches() as caches:
        await caches.cache([writes(put("a", "1"), put("b", ""), put("a", "zwei\x00:ö"))])
        end = NOW + timedelta(minutes=15)
        assert await caches.cached([ACME]) == {
            ACME: {"a": CacheEntry("zwei\x00:ö", end), "b": CacheEntry("", end)}
        }
        await caches.cache([writes(CacheWrite(key="a"), CacheWrite(key="never there"))])
        assert await caches.cached([ACME]) == {ACME: {"b": CacheEntry("", end)}}


@pytest.mark.law(10)
async def test_caches_of_tenants_are_apart(make_caches: MakeCaches) -> None:
    """Law 10: the same key in two tenants' caches is two entries."""
    async with make_caches() as caches:
        await caches.cache(
            [writes(put("k", "acme's")), writes(put("k", "globex's"), tenant=GLOBEX)]
        )
        cached = await caches.cached([GLOBEX, ACME, "initech"])
        assert {
            tenant: {k: e.value for k, e in found.items()} for tenant, found in cached.items()
        } == {
            ACME: {"k": "acme's"},
            GLOBEX: {"k": "globex's"},
            "initech": {},
        }


async def test_what_has_ended_goes_with_the_next_change(make_caches: MakeCaches) -> None:
    """An entry whose end has passed is no longer there once anything is changed."""
    async with make_caches() as caches:
        await caches.cache([writes(put("short", minutes=1), put("long", minutes=60))])
        await caches.cache([writes(put("new"), at=NOW + timedelta(minutes=1))])
        assert set((await caches.cached([ACME]))[ACME]) == {"long", "new"}


async def test_a_full_cache_loses_what_ends_first(make_caches: MakeCaches) -> None:
    """Of more than twenty entries the ones that end last stay."""
    async with make_caches() as caches:
        await caches.cache([writes(*(put(f"k{n:02}", minutes=n + 1) for n in range(MAX_ENTRIES)))])
        await caches.cache([writes(put("one more", minutes=30))])
        left = set((await caches.cached([ACME]))[ACME])
        assert left == {"one more", *(f"k{n:02}" for n in range(1, MAX_ENTRIES))}


async def test_nothing_is_asked_for_no_tenant(make_caches: MakeCaches) -> None:
    """No tenant and no change are no call."""
    async with make_caches() as caches:
        assert await caches.cached([]) == {}
        await caches.cache([])


CHANGES = st.lists(
    st.builds(
        lambda key, value, minutes: (
            put(key, value, minutes=minutes) if value is not None else CacheWrite(key=key)
        ),
        st.sampled_from([f"k{n}" for n in range(25)]),
        st.none() | st.text(max_size=5),
        st.integers(1, 60),
    ),
    max_size=30,
)


@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(CHANGES, min_size=1, max_size=3))
async def test_every_store_changes_a_cache_alike(
    make_caches: MakeCaches, rounds: list[list[CacheWrite]]
) -> None:
    """Whatever is changed, what is left is what `core.cache` says."""
    async with make_caches() as caches:
        expected: dict[str, CacheEntry] = {}
        for number, changes in enumerate(rounds):
            at = NOW + timedelta(minutes=10 * number)
            await caches.cache([writes(*changes, at=at)])
            expected = changed(expected, tuple(changes), at)
        assert (await caches.cached([ACME]))[ACME] == expected
