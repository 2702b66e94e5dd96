"""The catalogs: every page in every language, with the same parts, none unused, set as it is due there."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from fluent.syntax import FluentParser, ast
from fluent.syntax.visitor import Visitor

from countersign.challenger.answers import Page
from countersign.challenger.catalogs import load_catalogs, message_of, read_catalog

FILES = {
    file.name.removesuffix(".ftl"): file.read_text("utf-8")
    for file in (resources.files("countersign.challenger") / "locales").iterdir()
}
LABELS = {"link-again", "link-back", "link-continue"}
DUE = LABELS | {
    f"{message_of(page)}.{attribute}" for page in Page for attribute in ("title", "text")
}

each_language = pytest.mark.parametrize("language", FILES)


class Referred(Visitor):
    """What a pattern names: terms, messages, arguments and functions."""

    def __init__(self, pattern: ast.Pattern) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.visit(pattern)

    def visit_Identifier(self, node: ast.Identifier) -> None:  # noqa: N802  # Fluent's own name
        """Keep a name."""
        self.names.add(node.name)


def patterns(language: str) -> dict[str, ast.Pattern]:
    """Return a catalog's patterns, by message, `message.attribute` or `-term`; no name comes twice."""
    found: dict[str, ast.Pattern] = {}
    for entry in FluentParser().parse(FILES[language]).body:
        assert not isinstance(entry, ast.Junk), entry.content
        if isinstance(entry, ast.Message | ast.Term):
            name = f"-{entry.id.name}" if isinstance(entry, ast.Term) else entry.id.name
            parts = [(name, entry.value)]
            parts += [(f"{name}.{one.id.name}", one.value) for one in entry.attributes]
            for part, pattern in parts:
                assert part not in found, part
                if pattern is not None:
                    found[part] = pattern
    return found


def referred(language: str) -> dict[str, set[str]]:
    """Return what each pattern of a catalog names."""
    return {name: Referred(pattern).names for name, pattern in patterns(language).items()}


@each_language
def test_every_page_has_words_in_every_language(language: str) -> None:
    """Whatever page there is has a title and a text, and so has each link; there is nothing besides."""
    there = {name for name in patterns(language) if not name.startswith("-")}
    assert there >= DUE, f"{language}.ftl lacks {sorted(DUE - there)}"
    assert there <= DUE, f"{language}.ftl says {sorted(there - DUE)} in vain"


@each_language
def test_catalogs_have_the_same_parts(language: str) -> None:
    """A translation names what the English words name, and no term is left unused."""
    found = referred(language)
    assert found == referred("en")
    named = set[str]().union(*found.values())
    assert {name for name in found if name.startswith("-")} == {f"-{name}" for name in named}


@each_language
def test_words_are_whole_sentences(language: str) -> None:
    """A title has no full stop, a text ends with one; nothing is left open, and no line break is left."""
    catalog = load_catalogs()[language]
    for words in catalog.pages.values():
        assert words.title
        assert words.title[-1] not in ".:,"
        assert words.text.endswith(".")
    for text in (*(" ".join(words) for words in catalog.pages.values()), *catalog[-3:]):
        assert text == text.strip()
        assert not re.search(r"[{}<>\n]|  |\.\.\.", text)
        assert not re.search(r"['\"`]", text), "a typewriter's quotation mark"


def test_each_language_is_set_as_its_readers_are_used_to() -> None:
    """French has a thin space before high punctuation; German and Spanish, and English, have none."""
    assert not re.search(r"(?<![\u202f])[;!?]|(?<!\u00a0):", "".join(_all_words("fr")))
    for language in ("de", "en", "es"):
        assert not re.search(r"\s[;:!?]", "".join(_all_words(language)))


def _all_words(language: str) -> list[str]:
    catalog = load_catalogs()[language]
    return [part for words in catalog.pages.values() for part in words]


def test_titles_tell_pages_apart() -> None:
    """No two pages of a language have the same title."""
    for catalog in load_catalogs().values():
        assert len({words.title for words in catalog.pages.values()}) == len(Page)


def test_the_languages_are_the_files() -> None:
    """English, German, French and Spanish; each by the tag that its file is named for."""
    catalogs = load_catalogs()
    assert set(catalogs) == set(FILES) == {"en", "de", "fr", "es"}
    assert {catalog.language: catalog.direction for catalog in catalogs.values()} == dict.fromkeys(
        catalogs, "ltr"
    )


def test_a_catalog_of_another_direction_needs_no_more_than_its_file() -> None:
    """Which way a language is written follows from its tag."""
    assert read_catalog("ar", FILES["en"]).direction == "rtl"
    assert read_catalog("he-IL", FILES["en"]).direction == "rtl"
    assert read_catalog("pt-BR", FILES["en"]).direction == "ltr"


def test_a_catalog_without_a_message_is_named_with_it() -> None:
    """A page without words stops the start, and the error says which words are missing where."""
    without = re.sub(r"^denied =\n(?: +.*\n)+", "", FILES["de"], flags=re.MULTILINE)
    with pytest.raises(LookupError, match=r"de\.ftl has no denied\.title"):
        read_catalog("de", without)
    without = FILES["de"].replace("link-continue =", "link-on =")
    with pytest.raises(LookupError, match=r"de\.ftl has no link-continue"):
        read_catalog("de", without)


@pytest.mark.parametrize(
    ("old", "new"),
    [("denied =", "denied"), ("{ -sign-in-again }", "{ -sign-in"), ("link-back = ", "link-back ")],
)
def test_a_catalog_that_cannot_be_understood_is_told(old: str, new: str) -> None:
    """A slip in the syntax is no page with a hole in it."""
    with pytest.raises(ValueError, match=r"de\.ftl can't be understood at: "):
        read_catalog("de", FILES["de"].replace(old, new))


def test_a_catalog_that_names_what_is_not_there_is_told() -> None:
    """A term that is missing is an error, not a name in braces for the user to wonder at."""
    with pytest.raises(ValueError, match=r"de\.ftl can't say unknown: "):
        read_catalog("de", FILES["de"].replace("-sign-in-again =", "-sign-in ="))
