"""The globals that QuickJS lacks do what Node's do, in a realm whose every object is frozen."""

from __future__ import annotations

from pathlib import Path

import pytest
import quickjs

BUILT = Path(__file__).parents[2] / "services/countersign/actions/javascript/bundles"
PLATFORM = (BUILT / "platform.js").read_text("utf-8")
GLOBALS = {"Buffer", "TextDecoder", "TextEncoder", "URL", "URLSearchParams", "structuredClone"}
FREEZE = """(() => {
  const seen = new Set();
  const walk = (value) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return;
    if (seen.has(value)) return;
    seen.add(value);
    Object.freeze(value);
    for (const key of Reflect.ownKeys(value)) {
      const found = Object.getOwnPropertyDescriptor(value, key);
      [found.value, found.get, found.set].forEach(walk);
    }
    walk(Object.getPrototypeOf(value));
  };
  walk(globalThis);
})()"""


@pytest.fixture(scope="module")
def realm() -> quickjs.Context:
    """A context with all of the globals, everything in it frozen."""
    context = quickjs.Context()
    context.eval(PLATFORM)
    context.eval(FREEZE)
    return context


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (
            "new URL('../x?a=1#h', 'https://EXAMPLE.com:443/a/b/c').href",
            "https://example.com/a/x?a=1#h",
        ),
        ("new URL('?q=ä b', 'https://example.com/').search", "?q=%C3%A4%20b"),
        ("new URL('https://a.example/?x=1&x=2').searchParams.getAll('x').join()", "1,2"),
        (
            "(() => { const u = new URL('https://a.example/');"
            " u.searchParams.set('k', 'v w'); return String(u); })()",
            "https://a.example/?k=v+w",
        ),
        ("new URL('HTTPS://BÜCHER.example/').host", "xn--bcher-kva.example"),
        ("new URL('http://0x7f.1/').hostname", "127.0.0.1"),
        ("new URL('http://[::1]:8080/').host", "[::1]:8080"),
        ("(() => { try { new URL('no address'); } catch (e) { return e.name; } })()", "TypeError"),
        ("URL.canParse('//a', 'https://b.example')", True),
        ("JSON.stringify({ u: new URL('http://a.example/b') })", '{"u":"http://a.example/b"}'),
        ("String(new URLSearchParams({ a: 'b c', d: 'ü' }))", "a=b+c&d=%C3%BC"),
        ("[...new URLSearchParams('a=1&b=2')].join('|')", "a,1|b,2"),
        ("Buffer.from('hé').toString('hex')", "68c3a9"),
        ("Buffer.from('aGk=', 'base64').toString()", "hi"),
        ("Buffer.from('_-8', 'base64url').toString('hex')", "ffef"),
        ("Buffer.from([255, 239, 1, 2]).toString('base64url')", "_-8BAg"),
        ("Buffer.isEncoding('base64url')", True),
        ("Buffer.byteLength('_-8', 'base64url')", 2),
        ("Buffer.from('zz', 'hex').length", 0),
        ("Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString()", "ab"),
        ("Buffer.compare(Buffer.from('a'), Buffer.from('b'))", -1),
        ("Buffer.from('\\ud800').toString('hex')", "efbfbd"),
        ("Buffer.from('x') instanceof Uint8Array", True),
        ("JSON.stringify(Buffer.from('x'))", '{"type":"Buffer","data":[120]}'),
        ("new TextEncoder().encode('\\ud800x').join()", "239,191,189,120"),
        ("new TextDecoder().decode(new Uint8Array([239, 187, 191, 226, 130, 172]))", "€"),
        ("new TextDecoder().decode(new Uint8Array([97, 255]))", "a\ufffd"),
        (
            "(() => { try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255])); }"
            " catch (e) { return e.name; } })()",
            "TypeError",
        ),
        (
            "(() => { const a = { d: new Date(5), m: new Map([[1, new Set([2])]]), u: new Uint8Array([7]) };"
            " a.self = a; const b = structuredClone(a);"
            " return [b !== a, b.self === b, b.d.getTime(), b.m.get(1).has(2), b.u[0]].join(); })()",
            "true,true,5,true,7",
        ),
        (
            "(() => { try { structuredClone(() => 1); } catch (e) { return e.name; } })()",
            "TypeError",
        ),
    ],
)
def test_a_global_does_what_nodes_does(realm: quickjs.Context, code: str, value: object) -> None:
    """Addresses, bytes, texts and clones come out as Node has them."""
    assert realm.eval(code) == value


def test_the_platform_adds_its_names_and_nothing_else() -> None:
    """No helper of a package is left on the global object, and what is there is not replaced."""
    names = "Object.getOwnPropertyNames(globalThis).sort().join()"
    before = set(str(quickjs.Context().eval(names)).split(","))
    context = quickjs.Context()
    context.eval("globalThis.before = [Object, Array.prototype.map, Uint8Array.prototype.toString]")
    context.eval(PLATFORM)
    after = set(str(context.eval(names)).split(","))
    assert after - before == {*GLOBALS, "before"}
    assert context.eval(
        "before[0] === Object && before[1] === Array.prototype.map"
        " && before[2] === Uint8Array.prototype.toString"
    )
