"""The sample relying party signs in whom Countersign allowed, in the browser that began, and nobody else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from countersign.client.answers import (
    LoginDecision,
    LoginOutcome,
    decision_of,
    may_follow,
    outcome_of,
    read_answer,
)
from countersign.core.effect import Effect
from countersign.core.errors import (
    BusUnavailableError,
    CountersignError,
    Defect,
    InvalidEventError,
    NoAnswerError,
)
from countersign.core.result import AccessDenied, Assurance, Reason, ResultType
from countersign.relying_party.app import create_app
from countersign.relying_party.pages import Pages
from countersign.relying_party.words import ASSURANCES, REASONS
from countersign.wire.results import write_result
from tests.builders import CHALLENGER, NOW, SHOP, a_login, an_identity, decided
from tests.client_bus import a_result
from tests.waiting import eventually

SITE = "http://localhost:8080"
CODE = "the-right-code"
ALICE = {"name": "alice"}


class FakeClient:
    """Answers as it was told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.decides = ResultType.LOGIN_CHALLENGED
        self.assurance = Assurance.NONE
        self.fails: CountersignError | None = None
        self.held: asyncio.Event | None = None
        self.submitted: list[tuple[str, datetime, Mapping[str, Any]]] = []
        self.completed: list[tuple[str, str, str]] = []
        self.forgotten: list[str] = []

    async def submit(
        self, login: Mapping[str, Any], *, event_id: str, time: datetime
    ) -> LoginDecision:
        """See `CountersignClient.submit`."""
        self.submitted.append((event_id, time, login))
        self._fail()
        record = a_result(self.decides, an_identity(event_id=event_id))
        decision = decision_of(read_answer(record.value, record.headers))
        return msgspec.structs.replace(decision, assurance=self.assurance)

    async def complete(self, event_id: str, code: str, *, user_id: str) -> LoginOutcome:
        """See `CountersignClient.complete`; one code is right."""
        self.completed.append((event_id, code, user_id))
        if self.held is not None:
            await self.held.wait()
        self._fail()
        kind = ResultType.CHALLENGE_PASSED if code == CODE else ResultType.CHALLENGE_DENIED
        record = a_result(kind, an_identity(event_id=event_id))
        return outcome_of(read_answer(record.value, record.headers))

    async def forget(self, user_id: str) -> None:
        """See `CountersignClient.forget`."""
        self._fail()
        self.forgotten.append(user_id)

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


@dataclass
class World:
    """The shop, what it asks, and the time that it sees."""

    site: str = SITE
    client: FakeClient = field(default_factory=FakeClient)
    now: datetime = NOW
    tokens: int = 0

    def __post_init__(self) -> None:
        """Put the shop together."""
        self.app = create_app(
            self.client,
            base_url=self.site,
            client_id="shop",
            clock=lambda: self.now,
            token=self._token,
        )

    def _token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens:030}"

    @asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """Open a browser of its own; its forms come from this site unless `headers` say otherwise."""
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),  # type: ignore[arg-type]  # each has own types for ASGI
            base_url=self.site,
            headers=headers or {"sec-fetch-site": "same-origin"},
        ) as browser:
            yield browser


@pytest.fixture
def world() -> World:
    """A shop on this machine."""
    return World()


@pytest.fixture
async def browser(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has not been here."""
    async with world.browser() as opened:
        yield opened


async def back(browser: httpx.AsyncClient, code: str = CODE) -> httpx.Response:
    """Come back from the challenge."""
    return await browser.get("/return", params={"mfa_code": code})


async def test_a_stranger_is_asked_for_a_name(browser: httpx.AsyncClient) -> None:
    """Nobody is signed in at first, and no cookie is set for looking."""
    page = await browser.get("/")
    assert page.status_code == 200
    assert "Sign in</button>" in page.text
    assert "leaves the first factor out" in page.text
    assert "set-cookie" not in page.headers


async def test_a_sign_in_asks_about_this_user_and_browser(
    world: World, browser: httpx.AsyncClient
) -> None:
    """What is asked names user, application, browser, return address and end; the id is our own."""
    await browser.post("/sign-in", data={"name": " alice "})
    ((event_id, time, event),) = world.client.submitted
    assert event["user"]["user_id"] == "sample|alice"
    assert event["user"]["email"] == "alice@example.com"
    assert event["client"]["client_id"] == "shop"
    assert event["login"] == {
        "browser_id": browser.cookies["sample_browser"],
        "return_url": f"{SITE}/return",
        "expires_at": (NOW + timedelta(minutes=10)).isoformat(),
    }
    assert time == NOW
    assert event_id not in browser.cookies.values()


async def test_a_challenged_browser_goes_and_comes_back(
    world: World, browser: httpx.AsyncClient
) -> None:
    """Sent to the challenge, back with the code, signed in; the code leaves the address bar."""
    sent = await browser.post("/sign-in", data=ALICE)
    assert (sent.status_code, sent.headers["location"]) == (303, f"{CHALLENGER}/c/c1")
    assert "Sign in</button>" in (await browser.get("/")).text
    returned = await back(browser)
    assert (returned.status_code, returned.headers["location"]) == (303, "/")
    page = await browser.get("/")
    assert "You are signed in, alice" in page.text
    assert "You passed a Duo challenge." in page.text
    assert "duo_allowed" in page.text
    assert CODE not in page.text
    event_id = world.client.submitted[0][0]
    assert world.client.completed == [(event_id, CODE, "sample|alice")]


@pytest.mark.parametrize("assurance", Assurance)
async def test_each_assurance_has_its_own_words(world: World, assurance: Assurance) -> None:
    """The page says what stands behind the sign-in, never one dressed as another."""
    world.client.decides = ResultType.LOGIN_ALLOWED
    world.client.assurance = assurance
    async with world.browser() as browser:
        sent = await browser.post("/sign-in", data=ALICE)
        assert (sent.status_code, sent.headers["location"]) == (303, "/")
        page = (await browser.get("/")).text
    shown = [one for one, words in ASSURANCES.items() if words.split(":")[0] in page]
    assert shown == [assurance]
    assert f"<code>{assurance.value}</code>" in page


def test_every_reason_has_words() -> None:
    """Whoever is turned away reads why."""
    assert REASONS.keys() == set(Reason)
    assert ASSURANCES.keys() == set(Assurance)
    assert len(set(ASSURANCES.values())) == len(Assurance)


async def test_a_denied_sign_in_says_why(world: World, browser: httpx.AsyncClient) -> None:
    """Turned away with the reason in words, and its code and rules in small print."""
    world.client.decides = ResultType.LOGIN_DENIED
    page = await browser.post("/sign-in", data=ALICE)
    assert page.status_code == 403
    assert REASONS[Reason.ACTION_DENIED] in page.text
    assert "action_denied" in page.text
    assert "policy-all-applications" in page.text
    assert "Sign in</button>" in (await browser.get("/")).text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://acme.example/why?a=1&b=2", True),
        ("http://localhost:8000/why", True),
        ("http://acme.example/why", False),
        ("javascript:alert(1)", False),
        ("//evil.example/", False),
        ("/why", False),
        ("https://[evil", False),
        ("https://acme.example\\@evil.example/", False),
        ("https:///why", False),
    ],
)
def test_an_actions_words_are_text_and_its_address_a_link(url: str, *, shown: bool) -> None:
    """What an Action says is escaped, and where it sends the browser is a link if it may be followed."""
    said = AccessDenied(reason="<script>alert('Zürich')</script>")
    effect = Effect(denied=Reason.ACTION_DENIED, access_denied=said, redirect_url=url)
    login = a_login()
    decision = decided(login, effect=effect)
    record = write_result("mfa-results", login.identity, login.subject, SHOP, decision)
    answer = decision_of(read_answer(record.value, record.headers))
    assert (answer.access_denied, answer.redirect_url) == (said, url)
    page = Pages().denied(answer).content
    assert "<script>" not in page
    assert "&lt;script&gt;alert(&#39;Zürich&#39;)" in page
    assert may_follow(url) is shown
    assert ('rel="noreferrer"' in page) is shown


async def test_a_delegated_sign_in_signs_nobody_in(
    world: World, browser: httpx.AsyncClient
) -> None:
    """Another provider's challenge is told, and lets nobody in."""
    world.client.decides = ResultType.LOGIN_DELEGATED
    page = await browser.post("/sign-in", data=ALICE)
    assert page.status_code == 200
    assert "guardian" in page.text
    assert "Sign in</button>" in (await browser.get("/")).text


@pytest.mark.law(8)
@pytest.mark.parametrize("error", [NoAnswerError("late"), BusUnavailableError("down")])
async def test_no_answer_is_no_sign_in_and_is_asked_again_alike(
    world: World, browser: httpx.AsyncClient, error: CountersignError
) -> None:
    """Without an answer nobody is signed in; the next try is the same question to the letter."""
    world.client.fails = error
    page = await browser.post("/sign-in", data=ALICE)
    assert page.status_code == 503
    assert "could not be checked, so you are not signed in" in page.text
    assert "Sign in</button>" in (await browser.get("/")).text
    assert (await back(browser)).status_code == 503
    assert world.client.completed == []
    world.client.fails = None
    world.now += timedelta(minutes=1)
    assert (await browser.post("/sign-in", data=ALICE)).status_code == 303
    first, second = world.client.submitted
    assert first == second


@pytest.mark.parametrize(
    ("name", "later"), [("bob", timedelta()), ("alice", timedelta(minutes=10))]
)
async def test_another_sign_in_is_another_question(
    world: World, browser: httpx.AsyncClient, name: str, later: timedelta
) -> None:
    """Another user, or a try after the login's end, has a new event id."""
    world.client.fails = NoAnswerError("late")
    await browser.post("/sign-in", data=ALICE)
    world.now += later
    await browser.post("/sign-in", data={"name": name})
    (first, *_), (second, *_) = world.client.submitted
    assert first != second


async def test_an_unanswered_return_can_be_tried_again(
    world: World, browser: httpx.AsyncClient
) -> None:
    """The page offers its own address again and holds no code; the second try signs in."""
    await browser.post("/sign-in", data=ALICE)
    world.client.fails = NoAnswerError("late")
    page = await back(browser)
    assert page.status_code == 503
    assert 'href=""' in page.text
    assert CODE not in page.text
    assert "Sign in</button>" in (await browser.get("/")).text
    world.client.fails = None
    assert (await back(browser)).status_code == 303
    assert "You are signed in" in (await browser.get("/")).text


@pytest.mark.law(6)
async def test_a_relayed_link_is_worthless(world: World, browser: httpx.AsyncClient) -> None:
    """A browser that began no sign-in gets nothing, and nothing is published."""
    await browser.post("/sign-in", data=ALICE)
    async with world.browser() as victim:
        page = await back(victim)
        assert page.status_code == 400
        assert "This browser began no sign-in" in page.text
        assert "set-cookie" not in page.headers
    assert world.client.completed == []


@pytest.mark.law(6)
async def test_a_code_counts_only_for_the_browsers_own_login(
    world: World, browser: httpx.AsyncClient
) -> None:
    """Whatever the URL says, the event is the session's own."""
    await browser.post("/sign-in", data={"name": "mallory"})
    async with world.browser() as victim:
        await victim.post("/sign-in", data=ALICE)
        (thief, *_), (own, *_) = world.client.submitted
        await victim.get(
            "/return",
            params={"mfa_code": CODE, "event_id": thief, "user_id": "sample|mallory"},
        )
    assert world.client.completed == [(own, CODE, "sample|alice")]
    assert "Sign in</button>" in (await browser.get("/")).text


async def test_a_wrong_code_denies(world: World, browser: httpx.AsyncClient) -> None:
    """A denied challenge is told, stays denied, and isn't asked about again."""
    await browser.post("/sign-in", data=ALICE)
    assert (await back(browser, "wrong")).status_code == 403
    again = await back(browser)
    assert again.status_code == 403
    assert REASONS[Reason.DUO_DENIED] in again.text
    assert len(world.client.completed) == 1


async def test_a_second_return_completes_nothing(world: World, browser: httpx.AsyncClient) -> None:
    """A reload shows how it stands, even while the first is under way."""
    await browser.post("/sign-in", data=ALICE)
    world.client.held = asyncio.Event()
    both = [asyncio.create_task(back(browser)) for _ in range(2)]
    await eventually(lambda: bool(world.client.completed))
    world.client.held.set()
    assert [page.status_code for page in await asyncio.gather(*both)] == [303, 303]
    assert (await back(browser)).status_code == 303
    assert len(world.client.completed) == 1


async def test_a_return_without_a_code_is_not_finished(
    world: World, browser: httpx.AsyncClient
) -> None:
    """The link of an ended challenge brings the browser back without a code."""
    await browser.post("/sign-in", data=ALICE)
    for query in ("", "?mfa_code=", "?other=1"):
        page = await browser.get(f"/return{query}")
        assert page.status_code == 200
        assert "not finished" in page.text
        assert "Sign in again" in page.text
    assert world.client.completed == []


@pytest.mark.parametrize("query", ["mfa_code=a&mfa_code=b", f"mfa_code={'x' * 257}"])
async def test_a_strange_code_is_refused(
    world: World, browser: httpx.AsyncClient, query: str
) -> None:
    """Repeated or too long, it is no code, and the sign-in stays as it was."""
    await browser.post("/sign-in", data=ALICE)
    assert (await browser.get(f"/return?{query}")).status_code == 400
    assert world.client.completed == []
    assert (await back(browser)).status_code == 303


async def test_a_code_that_the_client_refuses_is_refused(
    world: World, browser: httpx.AsyncClient
) -> None:
    """What the client says can't be a code is a bad address, not a fault."""
    await browser.post("/sign-in", data=ALICE)
    world.client.fails = InvalidEventError(Defect.INVALID_EVENT, "code holds a control character")
    assert (await back(browser, "a\x00b")).status_code == 400


async def test_each_sign_in_has_a_session_of_its_own(
    world: World, browser: httpx.AsyncClient
) -> None:
    """A session that was planted, or that was before, is worth nothing after a sign-in."""
    planted = "planted-by-mallory-0123456789"
    browser.cookies.set("sample_session", planted, domain="localhost.local")
    await browser.post("/sign-in", data=ALICE)
    first = browser.cookies["sample_session"]
    await back(browser)
    await browser.post("/sign-in", data=ALICE)
    second = browser.cookies["sample_session"]
    assert len({planted, first, second}) == 3
    async with world.browser() as mallory:
        for old in (planted, first):
            mallory.cookies.set("sample_session", old, domain="localhost.local")
            assert "Sign in</button>" in (await mallory.get("/")).text
            assert (await back(mallory)).status_code == 400


async def test_of_two_tabs_the_later_sign_in_stays(
    world: World, browser: httpx.AsyncClient
) -> None:
    """The browser completes the sign-in that it began last."""
    await browser.post("/sign-in", data=ALICE)
    await browser.post("/sign-in", data={"name": "bob"})
    await back(browser)
    last = world.client.submitted[1][0]
    assert world.client.completed == [(last, CODE, "sample|bob")]
    assert "You are signed in, bob" in (await browser.get("/")).text


async def test_a_session_ends_by_itself(world: World, browser: httpx.AsyncClient) -> None:
    """After eight hours the user signs in again."""
    world.client.decides = ResultType.LOGIN_ALLOWED
    await browser.post("/sign-in", data=ALICE)
    world.now += timedelta(hours=8)
    assert "Sign in</button>" in (await browser.get("/")).text


async def test_signing_out_leaves_the_browser_remembered(
    world: World, browser: httpx.AsyncClient
) -> None:
    """The session ends on the server, too; the browser keeps its id."""
    world.client.decides = ResultType.LOGIN_ALLOWED
    await browser.post("/sign-in", data=ALICE)
    session = browser.cookies["sample_session"]
    known = browser.cookies["sample_browser"]
    assert (await browser.post("/sign-out")).status_code == 303
    assert "sample_session" not in browser.cookies
    assert browser.cookies["sample_browser"] == known
    browser.cookies.set("sample_session", session, domain="localhost.local")
    assert "Sign in</button>" in (await browser.get("/")).text


async def test_forgetting_tells_countersign_and_drops_the_browser(
    world: World, browser: httpx.AsyncClient
) -> None:
    """The next sign-in comes from a browser that nobody knows."""
    world.client.decides = ResultType.LOGIN_ALLOWED
    await browser.post("/sign-in", data=ALICE)
    known = browser.cookies["sample_browser"]
    await browser.post("/forget")
    assert world.client.forgotten == ["sample|alice"]
    assert "sample_browser" not in browser.cookies
    assert "next sign-in will be challenged" in (await browser.get("/")).text
    await browser.post("/sign-in", data=ALICE)
    assert browser.cookies["sample_browser"] != known


async def test_a_forget_that_failed_is_told(world: World, browser: httpx.AsyncClient) -> None:
    """What was not acknowledged is not called done; a stranger has nothing forgotten."""
    assert (await browser.post("/forget")).headers["location"] == "/"
    world.client.decides = ResultType.LOGIN_ALLOWED
    await browser.post("/sign-in", data=ALICE)
    world.client.fails = BusUnavailableError("down")
    page = await browser.post("/forget")
    assert page.status_code == 503
    assert "could not be confirmed" in page.text
    assert "will be challenged" not in (await browser.get("/")).text
    assert "sample_browser" in browser.cookies
    assert world.client.forgotten == []


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/forget"])
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": SITE},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"accept": "text/html"},
    ],
)
async def test_other_sites_forms_do_nothing(
    world: World, path: str, headers: dict[str, str]
) -> None:
    """A form that is not known to be this site's own is refused, and nothing is asked."""
    async with world.browser(**headers) as browser:
        page = await browser.post(path, data=ALICE)
    assert page.status_code == 403
    assert "nothing was done" in page.text
    assert "set-cookie" not in page.headers
    assert world.client.submitted == []


async def test_older_browsers_say_their_origin(world: World) -> None:
    """Where a browser doesn't know Fetch Metadata, its `Origin` decides."""
    async with world.browser(origin=SITE) as browser:
        assert (await browser.post("/sign-in", data=ALICE)).status_code == 303


@pytest.mark.parametrize(
    ("site", "prefix", "secure"),
    [(SITE, "", False), ("https://shop.example.com", "__Host-", True)],
)
async def test_cookies_are_closed(site: str, prefix: str, *, secure: bool) -> None:
    """No script reads them; over TLS they are bound to this very host."""
    world = World(site=site)
    async with world.browser() as browser:
        page = await browser.post("/sign-in", data=ALICE)
        session, known = page.headers.get_list("set-cookie")
        browser_id = browser.cookies[f"{prefix}sample_browser"]
        assert f"{prefix}sample_session" in browser.cookies
        await back(browser)
        await browser.post("/forget")
        await browser.post("/sign-out")
        assert not dict(browser.cookies)
    assert world.client.submitted[0][2]["login"]["browser_id"] == browser_id
    for cookie, name in ((session, "sample_session"), (known, "sample_browser")):
        assert cookie.startswith(f"{prefix}{name}=token-")
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert "Path=/" in cookie
        assert "domain" not in cookie.lower()
        assert ("Secure" in cookie) is secure
    assert "Max-Age=34560000" in known
    assert "Max-Age" not in session


async def test_pages_have_safe_headers_and_no_scripts(
    world: World, browser: httpx.AsyncClient
) -> None:
    """Errors have them, too; forms may lead to the challenger; HSTS only over TLS."""
    for path in ("/", "/unheard-of", "/return", "/style.css", "/health"):
        page = await browser.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "form-action 'self' https: http://localhost:* http://127.0.0.1:*" in policy
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in page.headers
        assert not re.search(r"<script|\son\w+=|style=", page.text)
    assert (await browser.get("/unheard-of")).status_code == 404
    assert (await browser.get("/health")).text == "ok\n"
    assert (await browser.get("/style.css")).headers["content-type"].startswith("text/css")
    async with World(site="https://shop.example.com").browser() as other:
        assert "strict-transport-security" in (await other.get("/")).headers
    assert world.client.submitted == []


async def test_names_are_shown_never_run(world: World, browser: httpx.AsyncClient) -> None:
    """HTML in a name stays text, in the page and in the form."""
    world.client.decides = ResultType.LOGIN_ALLOWED
    name = '"><img src=x onerror=alert(1)>'
    await browser.post("/sign-in", data={"name": name})
    assert "&lt;img src=x" in (await browser.get("/")).text
    world.client.fails = NoAnswerError("late")
    for page in (
        await browser.get("/"),
        await browser.post("/sign-in", data={"name": name}),
        await browser.post("/sign-in", data={"name": name * 9}),
    ):
        assert "<img" not in page.text


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\x00b", "a\nb", "a\u202eb", "x" * 9000])
async def test_a_name_that_is_none_is_told_on_the_form(
    world: World, browser: httpx.AsyncClient, name: str
) -> None:
    """Bounded, and without control characters; the form comes back with what to do."""
    page = await browser.post("/sign-in", data={"name": name})
    assert page.status_code == 400
    assert 'role="alert"' in page.text
    assert "Sign in</button>" in page.text
    assert world.client.submitted == []


async def test_a_huge_form_is_refused(world: World, browser: httpx.AsyncClient) -> None:
    """More than a form can be is not read."""
    assert (await browser.post("/sign-in", data={"name": "x" * 20_000})).status_code == 413
    assert world.client.submitted == []
