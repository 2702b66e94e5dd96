"""What QuickJS lacks of the globals that Actions use works, also when everything is frozen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.realms import a_flow_login, a_realm, read, run

FATAL = (
    "() => { try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255])); }"
    " catch (error) { return error.name; } }"
)
SET = (
    "() => { const url = new URL('https://example.com'); url.searchParams.set('q', 'a b');"
    " return `${url}`; }"
)
CYCLE = (
    "() => { const a = { b: [1] }; a.a = a; const c = structuredClone(a);"
    " return c.a === c && c.b !== a.b; }"
)

EXPRESSIONS: dict[str, Any] = {
    "new URL('../b?x=1#h', 'https://user:p@example.com:8080/a/c').href": (
        "https://user:p@example.com:8080/b?x=1#h"
    ),
    "new URL('https://example.com/?a=1&b=%C3%A4').searchParams.get('b')": "ä",
    f"({SET})()": "https://example.com/?q=a+b",
    "(() => { try { new URL('nowhere'); } catch (e) { return e instanceof TypeError; } })()": True,
    "new URL('https://BÜCHER.example/').host": "xn--bcher-kva.example",
    "URL.canParse('https://example.com')": True,
    "JSON.stringify(new URL('https://example.com/b'))": '"https://example.com/b"',
    "new URLSearchParams({ a: 1, b: 'x y' }).toString()": "a=1&b=x+y",
    "[...new URLSearchParams('a=1&a=2')].map(([, v]) => v)": ["1", "2"],
    "Buffer.from('héllo').toString('base64')": "aMOpbGxv",
    "Buffer.from('aMOpbGxv', 'base64').toString()": "héllo",
    "Buffer.from('-_8', 'base64url').toString('hex')": "fbff",
    "Buffer.from('fbff', 'hex').toString('base64url')": "-_8",
    "Buffer.from('a').toString('hex')": "61",
    "Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString()": "ab",
    "Buffer.compare(Buffer.from('a'), Buffer.from('b'))": -1,
    "Buffer.isBuffer(Buffer.alloc(3)) && Buffer.byteLength('ä') === 2": True,
    "Buffer.from('user:secret').toString('base64') === btoa('user:secret')": True,
    "[...new TextEncoder().encode('é\\ud800')]": [195, 169, 239, 191, 189],
    "new TextDecoder().decode(new Uint8Array([195, 169, 255]))": "é\ufffd",
    f"({FATAL})()": "TypeError",
    "structuredClone(new Map([[1, { d: new Date(5) }]])).get(1).d.getTime()": 5,
    f"({CYCLE})()": True,
    "structuredClone(new Set([1])) instanceof Set": True,
}


@pytest.mark.parametrize(("expression", "value"), EXPRESSIONS.items(), ids=EXPRESSIONS)
def test_it_does_as_in_node(expression: str, value: object) -> None:
    """Each gives what Node gives, twice in the same realm."""
    assert read(expression) == value
    realm = a_realm(f"api.user.setAppMetadata('it', [{expression}]);")
    first, second = (realm.run(a_flow_login()) for _ in range(2))
    assert first.recorded == second.recorded
    assert not realm.spent


@pytest.mark.parametrize(
    "name", ["URL", "URLSearchParams", "Buffer", "TextEncoder", "TextDecoder", "structuredClone"]
)
def test_nothing_can_be_left_on_it(name: str) -> None:
    """The platform's own classes are frozen like the engine's."""
    realm = a_realm(
        f"try {{ {name}.left = 1; }} catch {{}} try {{ {name}.prototype.left = 1; }} catch {{}}"
        f" try {{ {name}.prototype.toString = 1; }} catch {{}}"
        f" api.user.setAppMetadata('it', [{name}.left ?? null, {name}.prototype?.left ?? null]);"
    )
    for _ in range(2):
        assert realm.run(a_flow_login()).recorded[0].arguments == ("it", [None, None])


def test_code_that_does_without_does_not_load_it() -> None:
    """The bundle costs its time and memory only where code mentions what it brings."""
    plain, loaded = a_realm("return 1;"), a_realm("return typeof Buffer;")
    assert plain.memory() + 200_000 < loaded.memory()
    assert run("if (typeof global['Buf' + 'fer'] !== 'undefined') throw 1;").failure is None
