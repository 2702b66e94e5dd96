"""The pages: a status for each, nothing that can break out of them, and addresses below the public one."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.challenger.answers import Page, Show
from countersign.challenger.catalogs import Catalog, load_catalogs
from countersign.challenger.pages import MANNERS, Pages, style
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoBusyError
from countersign.core.tenant import ChallengeRules
from countersign.settings import load_settings
from tests.browsers import Browser, Walk, at_the_prompt, state_of, title_of
from tests.builders import IDENTIFIER_KEY, a_tenant

HOSTILE = 'https://x.example.com/?a="><script>alert(1)</script>'
CHALLENGE = "00" + "A" * 22
CATALOGS = load_catalogs()
ENGLISH = CATALOGS["en"]


class Read(HTMLParser):
    """What a browser makes of a page: its elements, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def links(self) -> list[str | None]:
        """Where a user may go."""
        return [one.get("href") for one in self.all("a")]


def rendered(show: Show, catalog: Catalog = ENGLISH) -> Read:
    """Return a page as a browser reads it."""
    return Read(Pages("").render(show, catalog).decode())


@pytest.mark.parametrize("page", Page)
def test_every_page_has_a_manner(page: Page) -> None:
    """Each page has a tone that fits its status, and says when to come again where its status asks for it."""
    manner = MANNERS[page]
    status = HTTPStatus(manner.status)
    assert (manner.tone == "bad") <= (status >= HTTPStatus.BAD_REQUEST)
    assert (manner.tone == "good") <= (status < HTTPStatus.BAD_REQUEST)
    assert (manner.reload > 0) == (page is Page.MOVING_ON)
    assert (manner.retry_after > 0) == (manner.status in {429, 503})


@pytest.mark.parametrize("catalog", CATALOGS.values(), ids=CATALOGS)
@pytest.mark.parametrize("page", Page)
def test_every_page_is_whole_plain_html(page: Page, catalog: Catalog) -> None:
    """A language, a viewport, a title, one headline, our own style and nothing that runs."""
    read = rendered(Show(page, CHALLENGE, HOSTILE), catalog)
    assert read.all("html") == [{"lang": catalog.language, "dir": catalog.direction}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in read.all(
        "meta"
    )
    assert len(read.all("title")) == len(read.all("h1")) == len(read.all("main")) == 1
    assert catalog.pages[page].title in read.text
    assert catalog.pages[page].text in read.text
    assert catalog.again in read.text
    assert catalog.back in read.text
    assert not {"script", "iframe", "form", "img", "object", "style", "base"} & {
        tag for tag, _ in read.elements
    }
    for _, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    styles = [one for one in read.all("link") if one.get("rel") == "stylesheet"]
    assert [one.get("href") for one in styles] == ["/style.css"]
    refreshes = [one for one in read.all("meta") if one.get("http-equiv") == "refresh"]
    # It comes to the same address again; a refresh elsewhere would have one in it.
    assert [one.get("content") for one in refreshes] == (["1"] if page is Page.MOVING_ON else [])


def test_a_page_that_comes_again_has_a_link_as_well() -> None:
    """Where a browser takes no refresh its user goes on by a link: to the same address, not written out."""
    read = rendered(Show(Page.MOVING_ON))
    assert read.links == [""]
    assert ENGLISH.proceed in read.text
    assert [page for page in Page if "" in rendered(Show(page)).links] == [Page.MOVING_ON]


def test_a_return_url_cannot_break_out_of_its_link() -> None:
    """Quotes and tags in an address stay in the address."""
    read = rendered(Show(Page.DENIED, back=HOSTILE))
    assert read.links == [HOSTILE]
    assert read.all("script") == []
    assert "alert" not in read.text


@given(st.text(max_size=60))
def test_no_address_breaks_out_of_its_link(rest: str) -> None:
    """Whatever a return URL holds, the page has the elements that it has without one."""
    address = "https://x.example.com/" + rest
    plain = rendered(Show(Page.DENIED, back="https://x.example.com/"))
    read = rendered(Show(Page.DENIED, back=address))
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in plain.elements]
    assert read.text == plain.text


async def test_a_hostile_return_url_is_harmless_on_a_real_page() -> None:
    """A challenge whose return URL holds markup has a page like any other."""
    walk = Walk(a_tenant(challenge=ChallengeRules(return_urls=(HOSTILE,))))
    challenge = await walk.open(return_url=HOSTILE)
    browser = walk.browser()
    state = state_of(await browser.visit(challenge))
    denied = walk.duo.answer(state, DuoAnswer(allowed=False))
    page = await browser.callback(state, duo_code=denied)
    read = Read(page.text)
    assert read.links == [HOSTILE]
    assert read.all("script") == []


async def test_a_way_on_is_offered_where_there_is_one() -> None:
    """A challenge that stands can be begun anew; one that ended leads back; a stranger is led nowhere."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    walk.duo.health["acme"] = DuoBusyError("busy")
    assert Read((await browser.visit(challenge)).text).links == [f"/c/{challenge.id}"]
    stranger = await walk.browser().callback(state, duo_code="code")
    assert Read(stranger.text).links == []
    ended = await browser.callback(state, error="access_denied")
    assert Read(ended.text).links == [challenge.return_url]
    assert Read((await browser.http.get("/nothing")).text).links == []


def at(public_url: str) -> Walk:
    """Return a walk of a challenger that browsers reach there."""
    return Walk(settings=load_settings(public_url=public_url, identifier_key=IDENTIFIER_KEY))


async def test_a_path_in_front_is_in_front_of_every_address() -> None:
    """Below a path of a shared host link, callback and style are below it, and nothing is beside it."""
    base = "https://login.example.com/mfa/duo"
    walk = at(base)
    challenge = await walk.open()
    browser = Browser(walk.challenger.app, base="https://login.example.com")
    assert (await browser.visit(challenge)).status_code == 404
    assert (await browser.http.get("/callback")).status_code == 404
    first = await browser.http.get(f"/mfa/duo/c/{challenge.id}")
    state = state_of(first)
    walk.duo.health["acme"] = DuoBusyError("busy")
    read = Read((await browser.http.get(f"/mfa/duo/c/{challenge.id}")).text)
    assert read.links == [f"/mfa/duo/c/{challenge.id}"]
    (address,) = [one["href"] for one in read.all("link") if one.get("rel") == "stylesheet"]
    assert address == "/mfa/duo/style.css"
    assert (await browser.http.get(address)).content == style()
    parameters = {"state": state, "duo_code": walk.duo.approve(state)}
    back = await browser.http.get("/mfa/duo/callback", params=parameters)
    assert back.status_code == 303
    # `__Host-` asks for it (RFC 6265bis, section 4.1.3.2).
    assert "; path=/;" in first.headers["set-cookie"].lower() + ";"


async def test_on_loopback_the_cookie_does_without_tls() -> None:
    """Plain HTTP on this very machine: a browser takes no `__Host-` or `Secure` cookie there."""
    walk = at("http://localhost:8443")
    challenge = await walk.open()
    browser = Browser(walk.challenger.app, base="http://localhost:8443")
    first = await browser.visit(challenge)
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("countersign-visit-")
    assert "secure" not in cookie.lower()
    assert "httponly" in cookie.lower()
    assert "strict-transport-security" not in first.headers
    state = state_of(first)
    assert (await browser.callback(state, duo_code=walk.duo.approve(state))).status_code == 303


async def test_the_style_is_served_as_such_and_may_be_kept() -> None:
    """The stylesheet is the one thing that a browser may keep; it names nothing outside of itself."""
    walk = Walk()
    response = await walk.browser().http.get("/style.css")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/css")
    assert response.headers["cache-control"] == "public, max-age=3600"
    assert not re.search(r"url\(|@import|expression", response.text)


async def test_titles_are_the_words_of_the_page() -> None:
    """What a test, or a screen reader, calls a page is its title."""
    page = await Walk().browser().http.get("/nothing")
    assert title_of(page) == ENGLISH.pages[Page.NO_SUCH_PAGE].title
