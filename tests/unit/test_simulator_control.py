"""The control page: faults, scripts and the ledger by hand, without a script."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.fault import Endpoint, Fault
from tests.simulated import Browser

MARKUP = "<script>alert(1)</script>\"'&"


async def page(browser: Browser) -> str:
    """Return the page."""
    answer = await browser.http.get("/control")
    assert answer.status_code == 200
    return str(answer.text)


async def submit(browser: Browser, path: str, **fields: str) -> Any:  # noqa: ANN401  # any answer
    """Send a form."""
    return await browser.http.post(path, data=fields)


async def test_fault_by_hand() -> None:
    """A fault is chosen, listed with what is left, and removed."""
    browser = Browser()
    assert "None: the simulator behaves as Duo does." in await page(browser)
    answer = await submit(
        browser,
        "/control/faults",
        fault="slow",
        endpoint="token",
        username="alice",
        times="2",
        seconds="1.5",
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/control")
    (injected,) = browser.simulator.faults
    assert (injected.fault, injected.endpoint, injected.username, injected.times) == (
        Fault.SLOW,
        Endpoint.TOKEN,
        "alice",
        2,
    )
    assert injected.seconds == 1.5
    shown = await page(browser)
    assert "2 more times" in shown
    button = re.search(r'<button name="id" value="(\w+)"', shown)
    assert button is not None
    answer = await submit(browser, "/control/faults/remove", id=button[1])
    assert answer.status_code == 303
    assert list(browser.simulator.faults) == []


async def test_empty_fields_say_nothing() -> None:
    """No endpoint, no user, no seconds and no times: everywhere, for all, until it is removed."""
    browser = Browser()
    await submit(
        browser, "/control/faults", fault="html", endpoint="", username="", times="", seconds=" "
    )
    (injected,) = browser.simulator.faults
    assert (injected.endpoint, injected.username, injected.times) == (None, None, None)
    assert "until removed" in await page(browser)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "fault"),
        ({"fault": MARKUP}, "fault"),
        ({"fault": "html", "endpoint": "x"}, "endpoint"),
        ({"fault": "html", "times": "many"}, "times"),
        ({"fault": "html", "times": "9" * 5000}, "times"),
        ({"fault": "html", "times": "0"}, "times"),
        ({"fault": "slow", "seconds": "nan"}, "seconds"),
        ({"fault": "slow", "seconds": "inf"}, "seconds"),
        ({"fault": "slow"}, "seconds"),
        ({"fault": "html", "endpoint": "health_check", "username": "alice"}, "username"),
    ],
)
async def test_wrong_form_is_shown_again(fields: dict[str, str], field: str) -> None:
    """What can't be is said on the page, which keeps what was typed and injects nothing."""
    browser = Browser()
    answer = await submit(browser, "/control/faults", **fields)
    assert answer.status_code == 400
    assert re.search(rf'role="alert">{field}:', answer.text)
    assert "<script" not in answer.text
    assert html.escape(fields.get("username", "")) in answer.text
    assert list(browser.simulator.faults) == []


async def test_script_by_hand() -> None:
    """A user is scripted and answers by hand again; an unknown behaviour is refused."""
    browser = Browser()
    answer = await submit(browser, "/control/scripts", scripted="bob", behaviour="fraud")
    assert answer.status_code == 303
    assert browser.simulator.scripts == {"bob": Behaviour.FRAUD}
    assert "<bdi>bob</bdi>: <strong>fraud</strong>" in await page(browser)
    for fields in (
        {"scripted": "bob", "behaviour": "dance"},
        {"scripted": "", "behaviour": "fraud"},
        {"scripted": "x" * 1025, "behaviour": "fraud"},
        {},
    ):
        assert (await submit(browser, "/control/scripts", **fields)).status_code == 400
    await submit(browser, "/control/scripts/remove", scripted="bob")
    await submit(browser, "/control/scripts/remove", scripted="bob")
    assert browser.simulator.scripts == {}


async def test_latest_of_the_ledger_is_shown() -> None:
    """The latest fifty entries are shown, the last one first; what names hold is text."""
    browser = Browser()
    for _ in range(60):
        await browser.check_health()
    browser.simulator.faults.inject(Fault.HTML, Endpoint.AUTHORIZE, username=MARKUP, times=2)
    browser.simulator.scripts[MARKUP] = Behaviour.APPROVE
    await browser.authorize(duo_uname=MARKUP)
    shown = await page(browser)
    assert "<script" not in shown
    assert shown.count(html.escape(MARKUP, quote=False).split("\"'")[0]) >= 3
    entries = re.findall(r"<time[^>]*>12:00:00</time>\s*<strong>(\w+)</strong>", shown)
    # Words of a line are words, and don't run together.
    assert re.search(r"html\s+<bdi>", shown)
    assert (len(entries), entries[0], entries[1]) == (50, "fault_injected", "health_checked")


async def test_page_is_a_plain_page() -> None:
    """It runs no script, is in a language, and has a label for each field."""
    browser = Browser()
    answer = await browser.http.get("/control")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    # Otherwise a browser would hide the origin of the page's own forms.
    assert answer.headers["referrer-policy"] == "same-origin"
    assert '<html lang="en">' in answer.text
    fields = set(re.findall(r'<(?:input|select) id="([\w-]+)"', answer.text))
    assert fields == set(re.findall(r'<label for="([\w-]+)"', answer.text))
    assert len(fields) == 7


async def test_repeated_fields_are_refused() -> None:
    """A field twice, or a body that is no form, is refused on each of the page's addresses."""
    browser = Browser()
    form = {"content-type": "application/x-www-form-urlencoded"}
    for path in ("faults", "faults/remove", "scripts", "scripts/remove"):
        for content, headers in ((b"id=1&id=2", form), (b"{}", {}), (b"id=%ff", form)):
            answer = await browser.http.post(f"/control/{path}", content=content, headers=headers)
            assert answer.status_code == 400


async def test_duo_pages_do_not_lead_here() -> None:
    """Nothing that Duo has links to what Duo hasn't."""
    browser = Browser()
    await browser.open()
    assert "control" not in browser.page
