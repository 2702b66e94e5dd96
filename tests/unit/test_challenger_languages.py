"""The language of a page: the relying party's wish, else the browser's, else English; whatever is sent."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.challenger.answers import Page
from countersign.challenger.catalogs import load_catalogs
from countersign.challenger.languages import chosen
from countersign.core.challenge import Challenge
from countersign.core.errors import DuoBusyError
from countersign.core.language import language_tags
from tests.browsers import Browser, Walk, at_the_prompt, state_of, title_of
from tests.shaky import ShakyStore

KNOWN = ("de", "en", "es", "fr")
CATALOGS = load_catalogs()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE", "de"),
        ("de-CH", "de"),
        ("de-CH-1996, fr;q=0.9", "de"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("en;q=0.8,de", "de"),
        ("de;q=0.5,fr;q=0.7", "fr"),
        ("de;q=0.5, fr;q=0.500", "de"),
        ("de ; q=0.5\t,\tfr ;Q=0.7", "fr"),
        ("ja, pt-BR;q=0.9, es;q=0.1", "es"),
        ("ja", "en"),
        ("*", "en"),
        ("*, de;q=0.5", "de"),
        ("de;q=0, fr;q=0.1", "fr"),
        ("de-CH, de;q=0", "en"),
        ("en;q=0, de;q=0", "en"),
        ("en-GB, de;q=0.9", "en"),
        ("de-x-private", "de"),
        ("d", "en"),
        ("deutsch", "en"),
        ("de_CH", "en"),
        ("de;q=1.1, fr;q=0.1", "fr"),
        ("de;q=0.1234, fr;q=0.1", "fr"),
        ("de;q=-1, fr;q=0.1", "fr"),
        ("de;q=nan, fr;q=0.1", "fr"),
        ("de;q=, fr;q=0.1", "fr"),
        (",,, ,fr", "fr"),
        ("i-default, es", "es"),
    ],
)
def test_the_browsers_preferences_are_followed(header: str, language: str) -> None:
    """By weight, then in order; a regional variety falls back to its language; nonsense is passed over."""
    assert chosen((), header, KNOWN) == language


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ((), "fr"),
        (("de",), "de"),
        (("de-AT", "es"), "de"),
        (("ja", "es-MX"), "es"),
        (("ja",), "fr"),
        (("", "*", "<script>"), "fr"),
    ],
)
def test_what_the_relying_party_asks_for_goes_first(asked: tuple[str, ...], language: str) -> None:
    """`ui_locales` is in order of preference; where none of it is known the browser is asked."""
    assert chosen(asked, "fr", KNOWN) == language


def test_a_longer_tag_is_taken_where_there_is_one() -> None:
    """Lookup goes from the exact tag to the shorter ones, over single letters (RFC 4647, section 3.4)."""
    known = ("en", "pt", "pt-BR", "zh-Hant")
    assert chosen((), "pt-br", known) == "pt-BR"
    assert chosen((), "pt-PT", known) == "pt"
    assert chosen((), "zh-Hant-CN-x-private1-private2", known) == "zh-Hant"
    assert chosen((), "zh", known) == "en"


@given(st.text() | st.from_regex(r"([a-z]{1,9}(-[a-z]{1,3})?(;q=[0-9.]{1,5})?, ?){1,9}"))
def test_no_header_fails(header: str) -> None:
    """Whatever a browser sends, the answer is in a language that there is."""
    assert chosen((header,), header, KNOWN) in KNOWN


@pytest.mark.parametrize(
    "header",
    [
        *("de," * 10_000, "a" * 30_000, "a-" * 15_000, ";q=" * 10_000, "," * 30_000, " " * 30_000),
        *(
            "de;q=0." + "0" * 30_000,
            "a-1;q=0," * 4_000,
            "de" + " " * 15_000 + ";q=x",
            "\t;" * 15_000,
        ),
    ],
    ids=lambda header: header[:8],
)
def test_a_huge_header_costs_little(header: str) -> None:
    """Only the beginning of a header is looked at, so thirty kilobytes cost no more than one."""
    assert chosen((), header, KNOWN) in {"de", "en"}
    assert chosen((), header + ",fr", KNOWN) in {"de", "en"}


def test_only_what_could_be_a_language_is_kept() -> None:
    """A login event's languages go into the record: eight at most, each of at most 35 characters."""
    assert language_tags(["de-CH", "fr", "zh-Hant-TW"]) == ("de-CH", "fr", "zh-Hant-TW")
    assert language_tags([]) == ()
    hostile = [
        "",
        " ",
        "*",
        "de_CH",
        "de-",
        "-de",
        "de\n",
        "dé",
        "<script>",
        "a" * 9,
        "x" * 100_000,
    ]
    assert language_tags([*hostile, "de"]) == ("de",)
    longest = "de-" + "-".join(["abcdefgh"] * 3) + "-abcde"
    assert len(longest) == 35
    assert language_tags([longest, longest + "f"]) == (longest,)
    assert language_tags(["de"] * 100) == ("de",) * 8


@given(st.lists(st.text(max_size=40)))
def test_kept_languages_are_bounded(asked: list[str]) -> None:
    """However many come, what is kept is some of them, in order, and small."""
    kept = language_tags(asked)
    assert len("".join(kept)) <= 8 * 35
    rest = iter(asked)
    assert all(tag in rest for tag in kept)


def speaks(response: httpx.Response, page: Page, language: str) -> None:
    """The page is this one, in this language, and says so wherever it has to."""
    assert title_of(response) == CATALOGS[language].pages[page].title
    assert f'<html lang="{language}" dir="ltr">' in response.text
    assert response.headers["content-language"] == language
    assert response.headers["vary"].lower() == "accept-language"


async def finished(walk: Walk, **changes: Any) -> tuple[Browser, Challenge]:  # noqa: ANN401  # Challenge's own
    """Return a browser and a challenge that ended by its denial, with the page still to be seen."""
    challenge = await walk.open(**changes)
    browser = walk.browser()
    state = state_of(await browser.visit(challenge))
    await browser.callback(state, error="access_denied")
    return browser, challenge


@pytest.mark.parametrize("language", KNOWN)
async def test_a_page_is_in_the_browsers_language(language: str) -> None:
    """Pages of challenges, of callbacks and of no address at all."""
    walk = Walk()
    browser, challenge = await finished(walk)
    browser.http.headers["accept-language"] = f"{language}-XX, *;q=0.1"
    speaks(await browser.visit(challenge), Page.DENIED, language)
    speaks(await browser.callback("x"), Page.BAD_REQUEST, language)
    speaks(await browser.http.get("/nothing"), Page.NO_SUCH_PAGE, language)
    speaks(await browser.http.post("/callback"), Page.WRONG_METHOD, language)


async def test_a_challenges_pages_are_in_the_language_that_the_login_asked_for() -> None:
    """The relying party knows its user: what it asked for goes before the browser's preference."""
    walk = Walk()
    browser, challenge = await finished(walk, ui_locales=("ja", "de-CH"))
    browser.http.headers["accept-language"] = "fr"
    speaks(await browser.visit(challenge), Page.DENIED, "de")


async def test_so_are_the_pages_on_the_way() -> None:
    """A visit that finds Duo busy, a callback that does, and one that ends the challenge."""
    walk = Walk()
    challenge = await walk.open(ui_locales=("es",))
    browser = walk.browser()
    state = state_of(await browser.visit(challenge))
    walk.duo.health["acme"] = DuoBusyError("busy")
    speaks(await browser.visit(challenge), Page.DUO_AWAY, "es")
    speaks(await browser.callback(state, error="access_denied"), Page.DENIED, "es")


async def test_a_stranger_is_answered_in_its_own_language() -> None:
    """A browser that doesn't know the visit hears nothing of its login, the language included."""
    walk = Walk()
    challenge = await walk.open(ui_locales=("es",))
    state = state_of(await walk.browser().visit(challenge))
    stranger = walk.browser()
    stranger.http.headers["accept-language"] = "fr"
    speaks(await stranger.callback(state, duo_code="code"), Page.WRONG_BROWSER, "fr")


async def test_a_store_that_is_away_is_told_in_the_browsers_language() -> None:
    """Where the challenge can't be read, nobody knows what its login asked for."""
    store = ShakyStore()
    walk = Walk(store=store)
    challenge = await walk.open(ui_locales=("es",))
    store.down = True
    browser = walk.browser()
    browser.http.headers["accept-language"] = "de"
    speaks(await browser.visit(challenge), Page.NOT_NOW, "de")


async def test_several_headers_are_one_list() -> None:
    """A field that comes twice is the same as one with both values (RFC 9110, section 5.3)."""
    walk = Walk()
    headers = [("accept-language", "ja"), ("accept-language", "de")]
    speaks(await walk.browser().http.get("/nothing", headers=headers), Page.NO_SUCH_PAGE, "de")


async def test_garbage_in_the_header_is_english() -> None:
    """Bytes that are no text, and thirty kilobytes, are answered like no header."""
    _, browser, _ = await at_the_prompt(Walk())
    for value in (b"\xff\xfe;q=\x00", b"de;" * 10_000, b"<script>"):
        response = await browser.http.get("/nothing", headers={b"accept-language": value})
        speaks(response, Page.NO_SUCH_PAGE, "en")


async def test_a_redirect_has_no_language() -> None:
    """Only what is written in a language says that it depends on one."""
    walk = Walk()
    challenge = await walk.open(ui_locales=("de",))
    response = await walk.browser().visit(challenge)
    assert response.status_code == 303
    assert "content-language" not in response.headers
    assert "vary" not in response.headers
