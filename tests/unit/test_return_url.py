"""Where browsers may be sent: exactly what is listed, or below a listed beginning, however it is dressed."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from countersign.core.return_url import flaw, is_allowed

EXACT = "https://shop.example.com/return"
BELOW = "https://shop.example.com/return/*"
QUERIED = "https://shop.example.com/return?lang=de"
TRICKS = {
    "another scheme": "http://shop.example.com/return/a",
    "a script": "javascript:alert(1)//shop.example.com/return/a",
    "no scheme": "//shop.example.com/return/a",
    "another host": "https://shop.example.com.evil.example/return/a",
    "another host before": "https://evil.example/https://shop.example.com/return/a",
    "a subdomain": "https://a.shop.example.com/return/a",
    "another port": "https://shop.example.com:8443/return/a",
    "the port said": "https://shop.example.com:443/return/a",
    "a user": "https://shop.example.com@evil.example/return/a",
    "a user and password": "https://shop.example.com:443@evil.example/return/a",
    "a backslash for a slash": "https://shop.example.com\\@evil.example/return/a",
    "a backslash below": "https://shop.example.com/return/\\evil.example",
    "capitals in the host": "https://SHOP.example.com/return/a",
    "a dot behind the host": "https://shop.example.com./return/a",
    "letters of another script": "https://sh\u043ep.example.com/return/a",
    "a look-alike in Punycode": "https://xn--shp-fdd.example.com/return/a",
    "a full-width slash": "https://shop.example.com/return\uff0f..",
    "a climb": "https://shop.example.com/return/../admin",
    "a climb in escapes": "https://shop.example.com/return/%2e%2e/admin",
    "a climb in part in escapes": "https://shop.example.com/return/.%2E/admin",
    "a climb escaped twice": "https://shop.example.com/return/%252e%252e/admin",
    "a climb with a parameter": "https://shop.example.com/return/..;/admin",
    "a slash in escapes": "https://shop.example.com/return/..%2fadmin",
    "a backslash in escapes": "https://shop.example.com/return/..%5Cadmin",
    "a line feed in escapes": "https://shop.example.com/return/%0aLocation:x",
    "a line feed": "https://shop.example.com/return/a\nLocation: x",
    "a tab in the host": "https://shop.example.com\t.evil.example/return/a",
    "a null": "https://shop.example.com/return/%00",
    "two slashes": "https://shop.example.com/return//evil.example",
    "a fragment": "https://shop.example.com/return/a#b",
    "half an escape": "https://shop.example.com/return/%2",
    "a longer name": "https://shop.example.com/returns/a",
    "a neighbour": "https://shop.example.com/return.evil",
    "its own code": "https://shop.example.com/return/a?mfa_code=mine",
    "its own code in escapes": "https://shop.example.com/return/a?x=1&mfa%5Fcode=mine",
    "a space": " https://shop.example.com/return/a",
    "nothing": "",
}


def test_a_listed_address_is_allowed_as_it_stands() -> None:
    """Character by character: the same with anything added, taken away or written otherwise is not."""
    assert is_allowed(EXACT, [EXACT])
    assert is_allowed(QUERIED, [EXACT, QUERIED])
    for other in (f"{EXACT}/", f"{EXACT}?a=1", EXACT.upper(), EXACT[:-1], None):
        assert not is_allowed(other, [EXACT])
    assert not is_allowed(EXACT, [])


@pytest.mark.parametrize(
    "rest", ["", "a", "a/b", "a/b/", "a.b..c/~d", "caf%C3%A9", "a?next=%2Fcart&x=..", "a:b@c,d=e"]
)
def test_below_a_listed_beginning_everything_plain_is_allowed(rest: str) -> None:
    """Any path below it, with any query that doesn't bring a code of its own."""
    assert is_allowed(f"https://shop.example.com/return/{rest}", [BELOW])


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_no_trick_leads_out_of_what_is_listed(trick: str) -> None:
    """Userinfo, backslash, encodings once and twice, other schemes, ports, scripts: none is allowed."""
    assert not is_allowed(trick, [BELOW])
    assert not is_allowed(trick, [EXACT])


@given(st.text(st.sampled_from("/.\\%25eEfFcC@:?#&=a;\n\uff0f"), max_size=12))
@example("%2e%2e/")
def test_whatever_is_allowed_stays_below_the_beginning(rest: str) -> None:
    """An allowed address has the listed origin and, with every escape undone twice, the listed path."""
    url = f"https://shop.example.com/return/{rest}"
    if is_allowed(url, [BELOW]):
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc) == ("https", "shop.example.com")
        assert parts.path.startswith("/return/")
        assert not {".", ".."} & set(parts.path.split("/"))
        assert "%25" not in parts.path
        assert parts.fragment == ""


@pytest.mark.parametrize("listed", [EXACT, QUERIED, BELOW, "https://shop.example.com/*"])
def test_what_may_be_listed_has_no_flaw(listed: str) -> None:
    """Whole addresses, and beginnings of paths."""
    assert flaw(listed) is None


@pytest.mark.parametrize(
    "listed",
    [
        "https://*.example.com/return",
        "https://shop.example.com/return?a=1/*",
        "https://shop.example.com/a/../*",
        "https://shop.example.com/%2e%2e/*",
        "https://shop.example.com//*",
        "https://user@shop.example.com/*",
        "http://shop.example.com/*",
        "/return/*",
        "/*",
        "*",
    ],
)
def test_a_beginning_that_could_mean_more_is_refused(listed: str) -> None:
    """An asterisk stands for the rest of a plain path, and for nothing else."""
    assert flaw(listed) is not None
