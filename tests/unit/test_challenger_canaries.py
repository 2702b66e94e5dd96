"""Secrets of a whole walk are looked for in everything that the challenger says; they are nowhere."""

from __future__ import annotations

import logging
from urllib.parse import unquote

import httpx
import pytest
from prometheus_client import generate_latest

from countersign.adapters.memory.duo import APPROVED
from countersign.core.challenge import PUBLICATION_GRACE
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoBusyError, DuoRefusedError, DuoUnavailableError
from countersign.core.tenant import ChallengeRules, Failmode
from countersign.logs import set_up_logs
from tests.browsers import DUO_HOST, Browser, Walk, code_of, state_of
from tests.builders import LAPTOP, RETURN_URL, a_login, a_tenant
from tests.shaky import ShakyPublisher, ShakyStore

EVENTS = (
    *(
        "wrong_browser",
        "unknown_state",
        "bad_callback",
        "fraud_reported",
        "failed_open",
        "challenge_ended",
    ),
    *("duo_error", "not_now", "outcomes_delayed", "outcomes_published_again", "unexpected"),
)
"""What the walk makes the challenger log."""


class Watched:
    """A walk that remembers every secret it came across, and every page it saw."""

    def __init__(self) -> None:
        self.store, self.bus = ShakyStore(), ShakyPublisher()
        rules = ChallengeRules(return_urls=(RETURN_URL,), failmode=Failmode.OPEN)
        tenant = a_tenant(challenge=rules)
        self.walk = Walk(tenant, store=self.store, publisher=self.bus)
        self.pages: list[str] = []
        self.challenges: set[str] = set()
        self.codes: set[str] = set()
        self.browsers: list[Browser] = []

    async def visited(self, event: str) -> tuple[Browser, httpx.Response]:
        """Open a challenge and its link, in a browser of its own."""
        # A user each, so that no push budget gets in the way.
        login = a_login(event_id=event, subject=f"auth0|{event}")
        challenge = await self.walk.open(login)
        self.challenges.add(challenge.id[2:])
        browser = self.walk.browser()
        self.browsers.append(browser)
        response = await browser.visit(challenge)
        self.saw(response)
        return browser, response

    async def prompted(self, event: str) -> tuple[Browser, str]:
        """Take a browser of its own to a prompt."""
        browser, response = await self.visited(event)
        return browser, state_of(response)

    def saw(self, response: httpx.Response) -> None:
        """Keep a page, and what a browser is not to be told: what only headers may say."""
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in {"location", "set-cookie"}
        }
        self.pages.append(response.text + repr(headers))

    def secrets(self) -> dict[str, set[str]]:
        """Return everything that nobody else may see, by what it is."""
        prompts = self.walk.duo.prompts
        states = {prompt.state for prompt in prompts}
        return {
            "state": states,
            "random part of a state": {state[24:] for state in states},
            "nonce": {prompt.nonce for prompt in prompts},
            "address at Duo": {f"{DUO_HOST}/oauth"},
            "code": self.codes,
            "cookie": {
                unquote(value) for one in self.browsers for value in one.http.cookies.values()
            },
            "browser": {LAPTOP},
        }


async def walked(here: Watched) -> None:
    """Walk through everything that a challenger may have something to say of."""
    duo = here.walk.duo
    for event, answer in (
        ("approved", APPROVED),
        ("denied", DuoAnswer(allowed=False)),
        ("fraud", DuoAnswer(allowed=False, fraud=True)),
        ("busy", DuoBusyError("busy")),
        ("refused", DuoRefusedError("refused")),
        ("away", DuoUnavailableError("away")),
    ):
        browser, state = await here.prompted(event)
        # Longer than any number of the memory twin's own, so that it is found only where it was put.
        code = f"{duo.answer(state, answer)}-canary-4711"
        known = code.removesuffix("-canary-4711")
        duo.answers[code] = duo.answers.pop(known)
        duo._issued[code] = duo._issued.pop(known)  # noqa: SLF001  # the twin has no way to choose a code
        here.codes.add(code)
        stranger = here.walk.browser()
        here.saw(await stranger.callback(state, duo_code=code))
        here.saw(await stranger.callback(state, duo_code=code, code=code))
        back = await browser.callback(state, duo_code=code)
        here.saw(back)
        if back.status_code == 303:
            here.codes.add(code_of(back))
        here.saw(await browser.callback(state, duo_code=code))
        here.saw(await browser.http.post("/callback", params={"state": state, "duo_code": code}))
    stranger = here.walk.browser()
    unknown = duo.prompts[0].state[:24] + "canary-4717" + "A" * 32
    here.codes.add("canary-4717")
    here.saw(await stranger.callback(unknown, duo_code="canary-4717"))
    duo.health["acme"] = DuoUnavailableError("away")
    _, back = await here.visited("let-in")
    here.codes.add(code_of(back))
    duo.health.clear()
    here.store.down = True
    browser, state = here.browsers[0], duo.prompts[0].state
    here.saw(await browser.callback(state, duo_code="canary-4712"))
    here.codes.add("canary-4712")
    here.store.down = False
    here.bus.down = True
    browser, state = await here.prompted("error")
    here.saw(await browser.callback(state, error="canary-4713", error_description="canary-4714"))
    here.codes |= {"canary-4713", "canary-4714"}
    await here.walk.challenger.outbox.drain()
    here.bus.down = False
    browser, state = await here.prompted("fault")
    here.store.before["challenges"] = fault
    here.saw(await browser.callback(state, duo_code="canary-4715"))
    here.codes |= {"canary-4715", "canary-4716"}
    here.walk.pass_time(minutes=6)
    await here.walk.challenger.sweeper.sweep()
    here.walk.now += PUBLICATION_GRACE
    await here.walk.challenger.sweeper.sweep()


async def fault() -> None:
    """Fail as nobody expects, with words that quote what came."""
    raise KeyError("canary-4716")  # noqa: EM101  # the words are the point


@pytest.mark.hazard(7)
@pytest.mark.hazard(12)
@pytest.mark.law(9)
async def test_no_secret_of_a_walk_is_seen_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Law 9: states, codes, cookies, nonces and Duo's addresses are in no log, metric, page or record."""
    here = Watched()
    set_up_logs("debug", "json")
    # The tests' own client, which says where it goes.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    await walked(here)
    said = capsys.readouterr()
    metrics = generate_latest(here.walk.challenger.metrics.registry).decode()
    everything = {
        "log": said.out + said.err,
        "metric": metrics,
        "record": repr(here.bus.records),
        "page": "\n".join(here.pages),
    }
    for event in EVENTS:
        assert event in everything["log"], event
    # Each challenge's outcome: the sweeper's, where nobody else's.
    assert len(here.bus.records) == len(here.challenges)
    for kind, secrets in here.secrets().items():
        assert secrets, kind
        for place, text in everything.items():
            assert not [one for one in secrets if one in text], (kind, place)
    # A page may offer its own browser the challenge's link again; nothing else knows it.
    for place in ("log", "metric", "record"):
        assert not [one for one in here.challenges if one in everything[place]], place
