"""The pages' words in each language, read once from the Fluent catalogs in `locales`.

Which languages there are is which files there are. Law: each has words for every page, or there is no start.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from babel import Locale
from fluent.runtime import FluentBundle, FluentResource
from fluent.syntax import ast

from countersign.challenger.answers import Page

_SUFFIX: Final = ".ftl"


class Words(NamedTuple):
    """A page.

    Attributes:
        title: what happened.
        text: what that means, and what to do.
    """

    title: str
    text: str


class Catalog(NamedTuple):
    """What is said in a language.

    Attributes:
        language: its tag.
        direction: `ltr` or `rtl`, as HTML's `dir` has it.
        pages: the words of each page.
        again: begins the challenge anew.
        back: leads back to where the user came from.
        proceed: leads on where a page doesn't go on by itself.
    """

    language: str
    direction: str
    pages: dict[Page, Words]
    again: str
    back: str
    proceed: str


@cache
def load_catalogs() -> Mapping[str, Catalog]:
    """Return the catalogs by language; they are read once a process.

    Raises:
        LookupError: one of them lacks a message.
        ValueError: one of them can't be understood.
    """
    files = sorted((resources.files(__package__) / "locales").iterdir(), key=lambda one: one.name)
    found = (
        read_catalog(file.name.removesuffix(_SUFFIX), file.read_text("utf-8"))
        for file in files
        if file.name.endswith(_SUFFIX)
    )
    return {catalog.language: catalog for catalog in found}


def read_catalog(language: str, text: str) -> Catalog:
    """Return a language's catalog.

    Raises:
        LookupError: it lacks a message.
        ValueError: it can't be understood.
    """
    resource = FluentResource(text)
    if junk := [entry for entry in resource.body if isinstance(entry, ast.Junk)]:
        message = f"{language}{_SUFFIX} can't be understood at: {(junk[0].content or '')[:60]!r}"
        raise ValueError(message)
    # Nothing comes from outside that would have to be kept apart from a text of another direction.
    bundle = FluentBundle([language], use_isolating=False)
    bundle.add_resource(resource)

    def said(name: str, attribute: str | None = None) -> str:
        found = bundle.get_message(name) if bundle.has_message(name) else None
        pattern = None
        if found is not None:
            pattern = found.attributes.get(attribute) if attribute else found.value
        if pattern is None:
            message = f"{language}{_SUFFIX} has no {name}{f'.{attribute}' if attribute else ''}"
            raise LookupError(message)
        words, errors = bundle.format_pattern(pattern)
        if errors:
            message = f"{language}{_SUFFIX} can't say {name}: {errors[0]}"
            raise ValueError(message)
        # A line of the file is no line of the page.
        return str(words).replace("\n", " ")

    return Catalog(
        language=language,
        direction=Locale.parse(language, sep="-").text_direction,
        pages={
            page: Words(said(name, "title"), said(name, "text"))
            for page in Page
            for name in [message_of(page)]
        },
        again=said("link-again"),
        back=said("link-back"),
        proceed=said("link-continue"),
    )


def message_of(page: Page) -> str:
    """Return the message that has a page's words."""
    return page.value.replace("_", "-")
