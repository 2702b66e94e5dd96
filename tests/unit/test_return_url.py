"""Where browsers may be sent: exactly what is listed, or below a listed beginning, however it is dressed."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Callable
from unicodedata import normalize
from urllib.parse import parse_qsl, unquote, urlsplit

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
    "a climb with a parameter in escapes": "https://shop.example.com/return/..%3bx/admin",
    "a climb in overlong escapes": "https://shop.example.com/return/%C0%AE%C0%AE/admin",
    "a climb in full-width dots": "https://shop.example.com/return/%EF%BC%8E%EF%BC%8E/admin",
    "a climb in a two-dot leader": "https://shop.example.com/return/%E2%80%A5/admin",
    "a climb with a space": "https://shop.example.com/return/..%20/admin",
    "a climb with a wide space": "https://shop.example.com/return/..%E3%80%80/admin",
    "a climb with nothing to be seen": "https://shop.example.com/return/.%E2%80%8B./admin",
    "a climb at the end": "https://shop.example.com/return/..",
    "a slash of full width": "https://shop.example.com/return/..%EF%BC%8Fadmin",
    "a slash in another letter": "https://shop.example.com/return/%E2%84%80",
    "a full-width percent sign": "https://shop.example.com/return/%EF%BC%852e%EF%BC%852e/admin",
    "Latin-1 in escapes": "https://shop.example.com/return/caf%E9",
    "a question mark in escapes": "https://shop.example.com/return/a%3Fmfa_code=mine",
    "a hash in escapes": "https://shop.example.com/return/a%23b",
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
    **{
        f"its own code as {query}": f"https://shop.example.com/return/a?{query}"
        for query in (
            *(
                "a=1;mfa_code=evil",
                "a=1&amp;mfa_code=x",
                "mfa+code=x",
                "mfa%20code=x",
                "mfa.code=x",
            ),
            *("MFA_CODE=x", "mfa_code[]=x", "mfa_code%5Ba%5D=x", "mfa[code=x", "+mfa_code=x"),
            *("mfa_code%00a=x", "mfa%255Fcode=x", "%EF%BD%8Dfa_code=x", "mfa_code", "a&mfa_code="),
        )
    },
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
    "rest",
    [
        "",
        "a",
        "a/b",
        "a/b/",
        "a.b..c/~d",
        "caf%C3%A9",
        "a?next=%2Fcart&x=..",
        "a:b@c,d=e",
        "a?mfa=1&code=2;x",
    ],
)
def test_below_a_listed_beginning_everything_plain_is_allowed(rest: str) -> None:
    """Any path below it, with any query that doesn't bring a code of its own."""
    assert is_allowed(f"https://shop.example.com/return/{rest}", [BELOW])


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_no_trick_leads_out_of_what_is_listed(trick: str) -> None:
    """Userinfo, backslash, encodings once and twice, other schemes, ports, scripts: none is allowed."""
    assert not is_allowed(trick, [BELOW])
    assert not is_allowed(trick, [EXACT])


# What a server, or what stands before it, may make of a path. Each is some server's own.
READERS: tuple[Callable[[str], str], ...] = (
    unquote,
    lambda path: unquote(path, "latin-1"),
    lambda path: re.sub(
        "%C0%(A[EF])", lambda found: chr(int(found[1], 16) & 0x3F), path, flags=re.IGNORECASE
    ),
    lambda path: normalize("NFKC", path),
    lambda path: path.replace("\\", "/"),
    lambda path: re.sub(";[^/]*", "", path),
    lambda path: re.sub(r"[\s\x00-\x1f\u200b]", "", path),
    lambda path: re.sub("[?#].*", "", path, flags=re.DOTALL),
)
PIECES = (
    *(
        "/",
        ".",
        "..",
        "\\",
        "%",
        "%25",
        "%2e",
        "%2F",
        "%5c",
        "%3b",
        ";",
        "%20",
        "%09",
        "%00",
        "%3F",
    ),
    *("%C0%AE", "%c0%af", "%EF%BC%8E", "%EF%BC%8F", "%EF%BC%85", "%E2%80%A5", "%E2%80%8B", "%E9"),
    *("a", "2e", "caf%C3%A9", "@", ":", "?", "#", "&", "=", "\n", "\uff0f", "*"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@example("..%3bx/")
@example("%C0%AE%C0%AE/")
@example("%EF%BC%8E%EF%BC%8E/")
@example("..%20/")
def test_no_reader_of_an_allowed_path_is_led_out(rest: str) -> None:
    """Whatever three servers in a row make of it, each in its own way, it stays below the beginning."""
    url = f"https://shop.example.com/return/{rest}"
    if is_allowed(url, [BELOW]):
        for readers in itertools.product(READERS, repeat=3):
            path = urlsplit(url).path
            for read in readers:
                path = read(path)
            assert f"{posixpath.normpath(path)}/".startswith("/return/")
            assert not {".", ".."} & set(path.split("/"))


NAMES = ("mfa_code", "mfa.code", "MFA+Code", "mfa%5Fcode", "mfa[code", "mfa", "code", "a", "next")


@given(
    st.lists(
        st.tuples(
            st.sampled_from("&;"),
            st.sampled_from(NAMES),
            st.sampled_from(("", "[]", "[a]", "=", "=1")),
        )
    )
)
def test_no_reader_of_an_allowed_query_finds_a_code(parts: list[tuple[str, str, str]]) -> None:
    """Split at either sign, and with names as several languages read them, there is none."""
    query = "".join("".join(part) for part in parts)
    if is_allowed(f"https://shop.example.com/return/a?{query}", [BELOW]):
        for separator in "&;":
            for name, _ in parse_qsl(query, keep_blank_values=True, separator=separator):
                assert re.sub(r"[ .\[]", "_", name.lower()).removesuffix("_]") != "mfa_code"
                assert name.lower().split("[")[0] != "mfa_code"


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


@pytest.mark.parametrize(
    "listed",
    [
        *(EXACT, QUERIED, BELOW, "https://shop.example.com/*", "https://shop.example.com"),
        *(
            "https://shop_1.example.com:8443/a",
            "https://192.0.2.1/a",
            "https://[2001:db8::1]:443/a",
        ),
        *("http://localhost:8000/*", "http://127.0.0.1/a", "http://[::1]:80/*"),
        *("https://xn--shp-fdd.example.com/caf%C3%A9/*", "https://3com.example/a"),
    ],
)
def test_what_may_be_listed_has_no_flaw(listed: str) -> None:
    """Whole addresses, and beginnings of paths."""
    assert flaw(listed) is None


@pytest.mark.parametrize(
    "listed",
    [
        *(
            "https://*.example.com/return",
            "https://shop.example.com/*?q",
            "https://shop.example.com/**",
        ),
        *(
            "https://shop.example.com/a*",
            "https://shop.example.com/*/a",
            "https://shop.example.com/?a=*",
        ),
        *("https://shop%2eexample.com/a", "https://shop.example.com%00.evil.example/a"),
        *(
            "https://-shop.example.com/a",
            "https://shop..example.com/a",
            "https://shop.example.com./a",
        ),
        *(
            "https://shop!example.com/a",
            "https://2130706433/a",
            "https://0x7f.1/a",
            "https://1.2.3.4.5/",
        ),
        *("https://[fe80::1%25eth0]/a", "https://[::g]/a", "https://(shop)/a", "https://a,b/a"),
        *("https://shop.example.com/a?a=1;mfa_code=x", "https://shop.example.com/a?MFA.code[]=x"),
        *("https://shop.example.com/..%3bx/*", "https://shop.example.com/%C0%AE%C0%AE/*"),
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
