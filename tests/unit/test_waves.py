"""Batches are cut into waves: one event of a user in each, every user's order kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.decider.waves import Entry, cut_into_waves
from tests.builders import a_login, a_tenant

TENANT = a_tenant()
EVENTS = {name: a_login(subject=f"auth0|{name}", event_id=name) for name in "abcde"}


@pytest.mark.law(3)
@given(st.text(alphabet="abcde", max_size=60))
def test_waves_keep_each_users_order(users: str) -> None:
    """Law 3: no wave holds a user twice, and over the waves each user's events stand as in the batch."""
    entries = [Entry(place, EVENTS[user], TENANT) for place, user in enumerate(users)]
    waves = cut_into_waves(entries)
    for wave in waves:
        keys = [entry.event.key for entry in wave]
        assert len(keys) == len(set(keys))
    flat = [entry for wave in waves for entry in wave]
    assert sorted(entry.place for entry in flat) == list(range(len(users)))
    for user in set(users):
        places = [entry.place for entry in flat if entry.event is EVENTS[user]]
        assert places == sorted(places)


@given(st.text(alphabet="abcde", max_size=60))
def test_no_more_waves_than_the_busiest_user_needs(users: str) -> None:
    """Different users share a wave: there are as many waves as the busiest user has events."""
    entries = [Entry(place, EVENTS[user], TENANT) for place, user in enumerate(users)]
    busiest = max((users.count(user) for user in users), default=0)
    assert len(cut_into_waves(entries)) == busiest


def test_one_identity_under_two_subjects_keeps_its_order() -> None:
    """Two events under one identity never share a wave: the one that stands first is the first."""
    events = [a_login(subject="auth0|ann"), a_login(subject="auth0|ben")]
    assert events[0].identity == events[1].identity
    entries = [Entry(place, event, TENANT) for place, event in enumerate(events)]
    assert [[entry.place for entry in wave] for wave in cut_into_waves(entries)] == [[0], [1]]
