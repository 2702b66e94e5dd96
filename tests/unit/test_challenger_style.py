"""The pages' colours, by daylight and in the dark: everybody can read them (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re

import pytest

from countersign.challenger.pages import style

STYLE = style().decode()
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", block))
    for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
)
READ = {
    ("text", "ground"),
    ("text", "card"),
    ("soft", "card"),
    ("good", "card"),
    ("bad", "card"),
    ("wait", "card"),
    ("act", "card"),
    ("on-act", "act"),
}
"""What stands on what: words, marks, and what links say."""


def luminance(colour: str) -> float:
    """Return a colour's relative luminance."""
    digits = colour.removeprefix("#")
    whole = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    red, green, blue = (_linear(int(whole[at : at + 2], 16) / 255) for at in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_worked_out_as_it_is_defined() -> None:
    """Black on white is 21 to 1, and a grey that is known to pass just passes."""
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "behind"), sorted(READ))
def test_all_that_is_read_stands_out(front: str, behind: str, scheme: dict[str, str]) -> None:
    """At least 4.5 to 1; that is also more than the ring around a focused link needs."""
    assert contrast(scheme[front], scheme[behind]) >= 4.5


def test_no_colour_is_left_unlooked_at() -> None:
    """Both schemes have the same colours, and whatever something is written in is one of those above."""
    assert LIGHT.keys() == DARK.keys()
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert "#" not in rules
    written = set(re.findall(r"[;{ ]color: (?:var\(--)?([a-zA-Z-]+)", rules))
    assert written == {front for front, _ in READ}
    assert set(re.findall(r"outline: [^;]*var\(--([a-z-]+)\)", rules)) == {"act"}
    behind = set(re.findall(r"background: (?:var\(--)?([a-z-]+)", rules))
    assert behind - {"none"} == {behind for _, behind in READ}


def test_focus_is_never_hidden() -> None:
    """Nothing takes the ring around a focused link away."""
    assert not re.search(r"outline(-width|-style)?: *(0|none)", STYLE)
    assert ":focus-visible" in STYLE
