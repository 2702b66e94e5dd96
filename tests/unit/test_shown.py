"""Whatever strangers wrote, a terminal shows it and obeys none of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from countersign.cli.shown import hex_dump, inline, lines, one_line

HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\r\n"
"""Clears a screen, sets its title, colours it, turns the writing's direction, overwrites the line."""


@given(st.text())
@example(HOSTILE)
def test_one_line_holds_only_what_is_visible(text: str) -> None:
    """No control character, line break or override gets through, C1 and bidirectional ones included."""
    assert one_line(text).isprintable()


@given(st.binary(max_size=100) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(HOSTILE.encode())
def test_bytes_are_shown_in_visible_characters(data: bytes) -> None:
    """A value's lines hold visible characters and tabs alone, text or not, and so does its short form."""
    for line in lines(data):
        assert line.replace("\t", "").isprintable()
    assert inline(data).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("auth0|zoë", "auth0|zoë"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb", r"a\nb"),
        ("\x9b", r"\x9b"),
        ("\u202e", r"\u202e"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_is_visible_stays_as_it_is(text: str, shown: str) -> None:
    """Ordinary text of any script is left alone; the rest is escaped by its code."""
    assert one_line(text) == shown


def test_text_keeps_its_lines_and_tabs() -> None:
    """A readable value is shown as its own lines."""
    assert list(lines(b'{\n\t"a": 1\n}')) == ["{", '\t"a": 1', "}"]


def test_bytes_that_are_no_text_are_dumped() -> None:
    """Rows of offset, sixteen bytes in hexadecimal, and their ASCII."""
    assert list(hex_dump(b"\xff\x00abc\x1b0123456789A")) == [
        "00000000  ff 00 61 62 63 1b 30 31 32 33 34 35 36 37 38 39  |..abc.0123456789|",
        "00000010  41                                               |A|",
    ]
    assert next(lines(b"\xff")).startswith("00000000  ff ")
    assert inline(b"\xff\x00") == "0xff00"
    assert inline(None) == "(none)"
