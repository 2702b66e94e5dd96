"""Remembered browsers: how long at most, under which caps, and never from the future."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.remember import (
    RememberedBrowser,
    ends_at,
    is_live,
    remembered,
    renewed,
)
from countersign.core.tenant import MAX_ABSOLUTE, MAX_IDLE, Remember
from tests import strategies
from tests.builders import NOW, a_browser

DAY = timedelta(days=1)
MOMENT = timedelta(milliseconds=1)
LIMITS = Remember()

limits = st.builds(
    Remember,
    idle=st.integers(-10, 400).map(lambda days: days * DAY),
    absolute=st.integers(-10, 400).map(lambda days: days * DAY),
)


@pytest.mark.law(7)
def test_an_unused_browser_ends_after_seven_days() -> None:
    """Law 7: live up to the last moment of seven idle days, and not a moment longer."""
    browser = remembered("challenge", LIMITS, NOW)
    assert is_live(browser, LIMITS, NOW)
    assert is_live(browser, LIMITS, NOW + MAX_IDLE - MOMENT)
    assert not is_live(browser, LIMITS, NOW + MAX_IDLE)


@pytest.mark.law(7)
def test_a_used_browser_ends_after_thirty_days() -> None:
    """Law 7: renewal every day keeps it, until thirty days are over."""
    browser = remembered("challenge", LIMITS, NOW)
    for day in range(1, 30):
        assert is_live(browser, LIMITS, NOW + day * DAY)
        browser = renewed(browser, NOW + day * DAY)
    assert browser.absolute_end == NOW + MAX_ABSOLUTE
    assert is_live(browser, LIMITS, NOW + MAX_ABSOLUTE - MOMENT)
    assert not is_live(browser, LIMITS, NOW + MAX_ABSOLUTE)


@pytest.mark.law(7)
@given(browser=strategies.browsers, limits=limits)
def test_no_settings_stretch_the_ends(browser: RememberedBrowser, limits: Remember) -> None:
    """Law 7: whatever a tenant's settings say, 7 days idle and 30 days in all are the most."""
    end = ends_at(browser, limits)
    assert end <= browser.renewed + MAX_IDLE
    assert end <= browser.since + MAX_ABSOLUTE
    assert end <= browser.renewed + limits.idle
    assert end <= browser.since + limits.absolute
    assert end <= browser.absolute_end


@pytest.mark.law(7)
@given(limits=limits)
def test_a_new_browser_is_never_promised_more_than_thirty_days(limits: Remember) -> None:
    """Law 7: the absolute end is set once, by the tenant's cap or the law's."""
    browser = remembered("challenge", limits, NOW)
    assert browser.absolute_end == NOW + min(limits.absolute, MAX_ABSOLUTE)
    assert (browser.since, browser.renewed, browser.challenge) == (NOW, NOW, "challenge")


def test_the_caps_in_force_shorten_what_was_promised() -> None:
    """A tenant that lowers its caps ends the browsers that were remembered before."""
    browser = a_browser(since=NOW - 2 * DAY)
    assert is_live(browser, LIMITS, NOW)
    assert not is_live(browser, Remember(idle=2 * DAY), NOW)
    assert not is_live(browser, Remember(absolute=2 * DAY), NOW)


def test_raised_caps_do_not_lengthen_what_was_promised() -> None:
    """A browser that was remembered under a shorter cap keeps its end."""
    browser = remembered("challenge", Remember(absolute=DAY), NOW)
    assert not is_live(browser, LIMITS, NOW + DAY)


@given(browser=strategies.browsers, now=strategies.near_now, limits=limits)
def test_renewal_moves_only_the_idle_end_and_only_onwards(
    browser: RememberedBrowser, now: datetime, limits: Remember
) -> None:
    """Renewing never moves since, the absolute end or the challenge, nor the idle end back."""
    after = renewed(browser, now)
    assert after.renewed == max(browser.renewed, now)
    assert (after.since, after.absolute_end, after.challenge) == (
        browser.since,
        browser.absolute_end,
        browser.challenge,
    )
    assert ends_at(after, limits) >= ends_at(browser, limits)


@pytest.mark.parametrize("ahead", [timedelta(seconds=61), DAY, 365 * DAY])
def test_a_browser_from_the_future_is_not_live(ahead: timedelta) -> None:
    """Whether passed or renewed in the future, some clock is wrong, so it exempts nobody."""
    assert not is_live(a_browser(since=NOW + ahead), LIMITS, NOW)
    assert not is_live(a_browser(since=NOW - DAY, renewed=NOW + ahead), LIMITS, NOW)


def test_clocks_may_differ_a_little() -> None:
    """A browser that another machine's clock remembered within the minute ahead is live."""
    assert is_live(a_browser(since=NOW + timedelta(seconds=60)), LIMITS, NOW)
    assert is_live(a_browser(renewed=NOW + timedelta(seconds=60)), LIMITS, NOW)
