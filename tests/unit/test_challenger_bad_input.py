"""Garbage in any place of a browser's request to the challenger: a page that fits, and nothing moves."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Iterable
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.challenge import Challenge, State
from countersign.core.errors import DuoError
from tests.browsers import Browser, Walk, at_the_prompt, title_of
from tests.builders import GLOBEX, a_login, a_tenant
from tests.bus import FixedTenants

UNKNOWN = (404, "This link is not known")
NO_SUCH_PAGE = (404, "There is no such page")
BAD_REQUEST = (400, "This address can’t be used")
WRONG_BROWSER = (403, "This sign-in belongs to another browser")
WRONG_METHOD = (405, "That can’t be done here")

MEGABYTE = 1024 * 1024


class Said(NamedTuple):
    """A response."""

    status: int
    headers: dict[bytes, bytes]
    body: str

    @property
    def page(self) -> tuple[int, str]:
        """Status and title."""
        found = re.search("<title>(.*?)</title>", self.body)
        return self.status, unescape(found[1]) if found else ""


async def ask(
    app: Any,  # noqa: ANN401  # any ASGI application
    path: str,
    query: bytes = b"",
    *,
    method: str = "GET",
    cookies: Iterable[bytes] = (),
) -> Said:
    """Return what is answered; asked without an HTTP client, which would refuse to send garbage."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "https",
        "server": ("mfa.example.com", 443),
        "client": ("203.0.113.7", 50000),
        "root_path": "",
        "method": method,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query,
        "headers": [(b"cookie", cookie) for cookie in cookies],
        "state": {},
    }
    await app(scope, receive, send)
    body = b"".join(part.get("body", b"") for part in sent[1:])
    return Said(int(sent[0]["status"]), dict(sent[0]["headers"]), body.decode())


class Prompted(NamedTuple):
    """A challenge whose browser is at its prompt, with Duo's code for it."""

    walk: Walk
    challenge: Challenge
    browser: Browser
    state: str
    code: str

    @property
    def cookie(self) -> bytes:
        """The browser's cookie, as it sends it."""
        ((name, value),) = self.browser.http.cookies.items()
        return f"{name}={value}".encode()

    async def come_back(self, query: bytes, *cookies: bytes) -> Said:
        """Ask for the callback, with the right cookie unless others are given."""
        return await ask(
            self.walk.challenger.app, "/callback", query, cookies=cookies or (self.cookie,)
        )

    async def is_untouched(self) -> None:
        """Nothing moved, nothing was asked of Duo, nothing was published; and the browser can go on."""
        standing = await self.walk.stands(self.challenge)
        assert (standing.state, standing.revision) == (State.PENDING, 1)
        assert standing.outcome is None
        assert len(self.walk.duo.prompts) == 1
        assert self.code in self.walk.duo.answers
        assert await self.walk.results() == []
        back = await self.browser.callback(self.state, duo_code=self.code)
        assert back.status_code == 303


async def prompted() -> Prompted:
    """Return a challenge whose browser is at its prompt and may come back."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    return Prompted(walk, challenge, browser, state, walk.duo.approve(state))


def is_a_page(said: Said) -> None:
    """Every answer that is a page is HTML with a title, not to be kept by anybody."""
    assert said.headers[b"content-type"] == b"text/html; charset=utf-8"
    assert said.headers[b"cache-control"] == b"no-store"
    assert said.page[1]


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/c/x", UNKNOWN),
        ("/c/00" + "A" * 22, UNKNOWN),
        ("/c/0g" + "A" * 22, UNKNOWN),
        ("/c/" + "A" * 24, UNKNOWN),
        ("/c/00" + "A" * 21, UNKNOWN),
        ("/c/00" + "A" * 23, UNKNOWN),
        ("/c/00" + "A" * 22 + "\n", UNKNOWN),
        ("/c/00" + "A" * 22 + "\x00", UNKNOWN),
        ("/c/ 0" + "A" * 22, UNKNOWN),
        ("/c/\u0660\u0660" + "A" * 22, UNKNOWN),
        ("/c/00" + "é" * 22, UNKNOWN),
        ("/c/\ufffd", UNKNOWN),
        ("/c/..", UNKNOWN),
        ("/c/{challenge_id:str}", UNKNOWN),
        ("/c/" + "A" * MEGABYTE, UNKNOWN),
        ("/c/00" + "A" * 22 + "/more", NO_SUCH_PAGE),
        ("/c", NO_SUCH_PAGE),
        ("/", NO_SUCH_PAGE),
        ("//", NO_SUCH_PAGE),
        ("/C/00" + "A" * 22, NO_SUCH_PAGE),
        ("/callback/x", NO_SUCH_PAGE),
        ("/schema", NO_SUCH_PAGE),
        ("/metrics", NO_SUCH_PAGE),
        ("/templates/page.html", NO_SUCH_PAGE),
        ("/style.css/../routes.py", NO_SUCH_PAGE),
        ("/" + "/".join("a" * 10_000), NO_SUCH_PAGE),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_what_is_no_address_of_a_challenge_is_a_page(
    path: str, page: tuple[int, str]
) -> None:
    """Unknown, malformed and huge addresses lead to a page, and the store isn't asked for nonsense."""
    said = await ask(Walk().challenger.app, path)
    assert said.page == page
    is_a_page(said)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "BREW"])
@pytest.mark.parametrize("where", ["/c/{id}", "/callback"])
async def test_other_methods_are_told_what_goes(method: str, where: str) -> None:
    """Nothing but GET moves a challenge, HEAD included: whoever only looks opens no prompt."""
    here = await prompted()
    path = where.format(id=here.challenge.id)
    query = f"state={here.state}&duo_code={here.code}".encode()
    app = here.walk.challenger.app
    said = await ask(app, path, query, method=method, cookies=[here.cookie])
    assert said.page == WRONG_METHOD
    assert b"GET" in said.headers[b"allow"]
    is_a_page(said)
    await here.is_untouched()


QUERIES: dict[str, Callable[[str, str], str | bytes]] = {
    "nothing": lambda _s, _c: "",
    "no code": lambda s, _: f"state={s}",
    "no state": lambda _, c: f"duo_code={c}",
    "an empty code": lambda s, _: f"state={s}&duo_code=",
    "an empty error": lambda s, _: f"state={s}&error=",
    "an empty state": lambda _, c: f"state=&duo_code={c}",
    "names alone": lambda _s, _c: "state&duo_code",
    "the state twice": lambda s, c: f"state={s}&state={s}&duo_code={c}",
    "the code twice": lambda s, c: f"state={s}&duo_code={c}&duo_code={c}",
    "the error twice": lambda s, _: f"state={s}&error=a&error=b",
    "the code and an error": lambda s, c: f"state={s}&duo_code={c}&error=access_denied",
    "an empty code and an error": lambda s, _: f"state={s}&duo_code=&error=access_denied",
    "code beside duo_code": lambda s, c: f"state={s}&duo_code={c}&code={c}",
    "code alone": lambda s, c: f"state={s}&code={c}",
    "a code that is too long": lambda s, _: f"state={s}&duo_code={'c' * 1025}",
    "an error that is too long": lambda s, _: f"state={s}&error={'e' * 1025}",
    "2 MB of code": lambda s, _: f"state={s}&duo_code={'c' * 2 * MEGABYTE}",
    "2 MB of something else": lambda s, c: f"state={s}&duo_code={c}&x={'x' * 2 * MEGABYTE}",
    "1,000 parameters": lambda s, c: f"state={s}&duo_code={c}" + "&a=b" * 1000,
    "bytes beyond ASCII": lambda s, c: f"state={s}&duo_code={c}&x=".encode() + b"\xff\xfe",
    "letters beyond ASCII": lambda s, c: f"state={s}&duo_code={c}ü".encode(),
    "percents that are no text": lambda s, c: f"state={s}&duo_code={c}%ff",
    "percents that are half": lambda s, c: f"state={s}%&duo_code={c}",
    "a state with a line feed": lambda s, c: f"state={s}%0a&duo_code={c}",
    "a state with a null": lambda s, c: f"state={s}%00&duo_code={c}",
    "semicolons": lambda s, c: f"state={s};duo_code={c}",
    "names in capitals": lambda s, c: f"STATE={s}&DUO_CODE={c}",
    "names in brackets": lambda s, c: f"state[]={s}&duo_code[]={c}",
    "a state of 21 characters": lambda s, c: f"state={s[: 24 + 21]}&duo_code={c}",
    "a state of 200 characters": lambda s, c: f"state={s[:24]}{'A' * 200}&duo_code={c}",
    "a state that nobody was given": lambda s, c: f"state={s[:24]}{'A' * 43}&duo_code={c}",
    "a state cut short": lambda s, c: f"state={s[:-1]}&duo_code={c}",
    "a state with a tail": lambda s, c: f"state={s}A&duo_code={c}",
    "another challenge's state": lambda s, c: f"state=00{'A' * 22}{s[24:]}&duo_code={c}",
    "a state without a challenge": lambda s, c: f"state={s[24:]}&duo_code={c}",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@pytest.mark.law(6)
async def test_what_duo_would_not_send_moves_nothing(
    query: Callable[[str, str], str | bytes],
) -> None:
    """Law 6: a query with anything odd in it is refused whole, before Duo or the challenge is touched."""
    here = await prompted()
    given_query = query(here.state, here.code)
    raw = given_query.encode() if isinstance(given_query, str) else given_query
    said = await here.come_back(raw)
    assert said.page == BAD_REQUEST
    assert here.code not in said.body
    is_a_page(said)
    await here.is_untouched()


async def test_parameters_that_nobody_asked_for_are_let_pass() -> None:
    """Whatever else Duo adds to its redirect some day is no reason to refuse it."""
    here = await prompted()
    said = await here.come_back(f"iss=duo&state={here.state}&duo_code={here.code}&x=%zz".encode())
    assert said.status == 303


COOKIES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "semicolons": lambda _: b";;;=;==; ;",
    "no value": lambda cookie: cookie.partition(b"=")[0],
    "an empty value": lambda cookie: cookie.partition(b"=")[0] + b"=",
    "a value cut short": lambda cookie: cookie[:-1],
    "a value with a tail": lambda cookie: cookie + b"A",
    "a name without the visit": lambda c: b"__Host-countersign-visit-=" + c.partition(b"=")[2],
    "a name that any site may set": lambda cookie: cookie.removeprefix(b"__Host-"),
    "a name in small letters": lambda c: b"__host-" + c.removeprefix(b"__Host-"),
    "a lone quote": lambda cookie: cookie.partition(b"=")[0] + b'="',
    "bytes": lambda cookie: cookie.partition(b"=")[0] + b"=\xff\x00\xfe%ff%zz\\777",
    "30 kB": lambda cookie: cookie.partition(b"=")[0] + b"=" + b"A" * 30_000,
    "1,000 cookies": lambda cookie: b"; ".join(
        cookie.partition(b"=")[0] + b"%d=x" % n for n in range(1000)
    ),
}


@pytest.mark.parametrize("change", COOKIES.values(), ids=COOKIES)
@pytest.mark.law(6)
async def test_a_browser_without_its_cookie_is_another_browser(
    change: Callable[[bytes], bytes],
) -> None:
    """Law 6: whatever else a cookie header holds, only the visit's own cookie makes the visit's browser."""
    here = await prompted()
    query = f"state={here.state}&duo_code={here.code}".encode()
    said = await here.come_back(query, change(here.cookie))
    assert said.page == WRONG_BROWSER
    is_a_page(said)
    await here.is_untouched()


async def test_the_cookie_is_found_among_30_kb_of_others() -> None:
    """Other cookies of the host, however many, don't hide a visit's own."""
    here = await prompted()
    others = b"; ".join(b"other-%d=%s" % (n, b"x" * 290) for n in range(100))
    query = f"state={here.state}&duo_code={here.code}".encode()
    said = await here.come_back(query, others + b"; " + here.cookie)
    assert said.status == 303


@pytest.mark.law(10)
async def test_another_visits_cookie_is_another_browser() -> None:
    """Law 10: neither a cookie of another tenant's visit nor its value under this one's name will do."""
    walk = Walk(a_tenant(), a_tenant(tenant=GLOBEX))
    challenge, browser, state = await at_the_prompt(walk)
    here = Prompted(walk, challenge, browser, state, walk.duo.approve(state))
    stranger = walk.browser()
    await stranger.visit(await walk.open(a_login(tenant=GLOBEX, event_id="theirs")))
    ((name, value),) = stranger.http.cookies.items()
    mine = here.cookie.partition(b"=")[0]
    query = f"state={state}&duo_code={here.code}".encode()
    for cookie in (f"{name}={value}".encode(), mine + b"=" + value.encode()):
        assert (await here.come_back(query, cookie)).page == WRONG_BROWSER
    assert (await walk.stands(challenge)).revision == 1
    assert here.code in walk.duo.answers


@functools.cache
def _app() -> Any:  # noqa: ANN401  # any ASGI application
    return Walk().challenger.app


@given(
    method=st.sampled_from(["GET", "GET", "GET", "POST", "HEAD", "OPTIONS", ""]),
    path=st.one_of(
        st.just("/callback"),
        st.text(max_size=40).map(lambda rest: "/c/" + rest),
        st.text(max_size=40).map(lambda rest: "/" + rest),
        st.from_regex(r"/c/[0-9a-f]{2}[A-Za-z0-9_-]{22}", fullmatch=True),
    ),
    query=st.one_of(
        st.binary(max_size=120),
        st.from_regex(
            rb"state=[0-9a-f]{2}[A-Za-z0-9_-]{44,60}&(duo_code|error)=[^&]{0,20}", fullmatch=True
        ),
    ),
    cookie=st.one_of(
        st.binary(max_size=80),
        st.binary(max_size=60).map(lambda some: b"__Host-countersign-visit-" + some),
    ),
)
def test_garbage_is_never_a_fault(method: str, path: str, query: bytes, cookie: bytes) -> None:
    """Whatever comes, the answer is a page of the kind that a browser's own mistakes lead to."""
    said = asyncio.run(ask(_app(), path, query, method=method, cookies=[cookie]))
    assert said.status in {200, 204, 400, 403, 404, 405}
    if said.status >= 400:
        is_a_page(said)


@pytest.mark.parametrize("code", ["%zz", "%00", "%0d%0aSet-Cookie:%20a=b", "<script>", "a" * 1024])
@pytest.mark.law(6)
async def test_a_code_that_duo_never_gave_ends_as_failed(code: str) -> None:
    """Law 6: a code is Duo's to judge; one that it doesn't know fails, and is repeated to nobody."""
    here = await prompted()
    said = await here.come_back(f"state={here.state}&duo_code={code}".encode())
    assert said.page == (502, "The sign-in couldn’t be checked")
    assert code not in said.body
    assert not any(b"set-cookie" in name for name in said.headers)
    assert (await here.walk.stands(here.challenge)).state is State.FAILED


async def test_settings_without_the_tenant_end_as_failed() -> None:
    """A tenant that was taken away since the decision opens nothing, before the prompt or after it."""
    here = await prompted()
    untouched = await here.walk.open(a_login(event_id="other"))
    elsewhere = FixedTenants(a_tenant(tenant=GLOBEX))
    browser = here.walk.browser(here.walk.another(directory=elsewhere))
    browser.http.cookies = here.browser.http.cookies
    for page in (
        await browser.visit(untouched),
        await browser.callback(here.state, duo_code=here.code),
    ):
        assert (page.status_code, title_of(page)) == (502, "The sign-in couldn’t be checked")
    for challenge in (here.challenge, untouched):
        assert (await here.walk.stands(challenge)).state is State.FAILED
    assert here.code in here.walk.duo.answers


def test_the_errors_of_duo_are_all_told_apart() -> None:
    """A kind of error that is added has to be answered by the visits and the callbacks, too."""
    assert {kind.__name__ for kind in DuoError.__subclasses__()} == {
        "DuoUnavailableError",
        "DuoBusyError",
        "DuoRefusedError",
    }
