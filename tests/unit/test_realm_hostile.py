"""Code that is broken or hostile: what exactly comes of it, and that the next login is as usual."""

from __future__ import annotations

import pytest

from countersign.actions.flow import MAX_LINE, MAX_LINES, ErrorKind
from countersign.actions.realm import Realm
from countersign.core.action import MAX_ACTIONS, MAX_SOURCE_BYTES, ActionKind
from tests.realms import a_flow_login, a_realm, a_rule, an_action, body, read, run

ATTACK = a_flow_login(user={"user_metadata": {"attack": True}})


def hostile(statements: str) -> Realm:
    """Return a realm whose Action does this at an attack, and asks for Duo at any other login."""
    return a_realm(
        f"if (event.user.user_metadata.attack) {{ {statements} }} api.multifactor.enable('duo');"
    )


FAILURES = {
    "an endless loop": ("for (;;);", ErrorKind.TIME),
    "an endless chain of promises": ("for (;;) await null;", ErrorKind.TIME),
    "an endless chain that nobody waits for": (
        "(async () => { for (;;) await null; })(); return;",
        ErrorKind.TIME,
    ),
    "an endless getter": ("JSON.stringify({ get a() { for (;;); } });", ErrorKind.TIME),
    "an endless toJSON": (
        "api.user.setUserMetadata('k', { toJSON() { for (;;); } });",
        ErrorKind.TIME,
    ),
    "an endless comparison": ("[3, 2, 1].sort(() => { for (;;); });", ErrorKind.TIME),
    "an endless regular expression": ("/^(a+)+$/.test('a'.repeat(50) + '!');", ErrorKind.TIME),
    "a loop that catches its interruption": (
        "for (;;) { try { for (;;); } catch {} finally { continue; } }",
        ErrorKind.TIME,
    ),
    "an interruption caught around an await": (
        "try { await (async () => { for (;;); })(); } catch {} api.multifactor.enable('none'); return;",
        ErrorKind.TIME,
    ),
    "waiting for longer than Auth0 would": (
        "await new Promise((done) => setTimeout(done, 20_001));",
        ErrorKind.TIME,
    ),
    "a timer without end": ("await new Promise(() => setInterval(() => {}, 1));", ErrorKind.TIME),
    "a memory bomb": (
        "const a = []; for (;;) a.push(new Array(1e5).fill(a.length));",
        ErrorKind.MEMORY,
    ),
    "deep recursion": ("(function deeper() { deeper(); })();", ErrorKind.MEMORY),
    "a deep value": (
        "let v = {}; for (let i = 0; i < 1e5; i++) v = { v }; api.user.setAppMetadata('v', v);",
        ErrorKind.MEMORY,
    ),
    "a huge string": ("let s = 'x'; for (;;) s += s;", ErrorKind.THREW),
    "a promise that never settles": ("await new Promise(() => {});", ErrorKind.NEVER_SETTLED),
    "throwing null": ("throw null;", ErrorKind.THREW),
    "throwing undefined": ("throw undefined;", ErrorKind.THREW),
    "throwing after enable": (
        "api.multifactor.enable('none'); throw new Error('no');",
        ErrorKind.THREW,
    ),
    "rejecting": ("return Promise.reject(new Error('no'));", ErrorKind.THREW),
    "throwing in a timer": (
        "setTimeout(() => { throw 1; }); await new Promise(() => {});",
        ErrorKind.THREW,
    ),
    "throwing in a microtask": ("queueMicrotask(() => { throw 1; }); await null;", ErrorKind.THREW),
    "throwing what can't be shown": (
        "throw { toString() { throw 1; }, get message() { throw 2; } };",
        ErrorKind.THREW,
    ),
    "throwing an endless proxy": (
        "throw new Proxy({}, { getPrototypeOf() { for (;;); } });",
        ErrorKind.TIME,
    ),
    "a thenable that bites": ("return { get then() { throw 1; } };", ErrorKind.THREW),
    "a thenable without end": ("return { then() { for (;;); } };", ErrorKind.TIME),
    "process.exit": ("process.exit(1);", ErrorKind.UNSUPPORTED),
    "process.kill by another name": ("const { kill } = process; kill(1);", ErrorKind.UNSUPPORTED),
    "fetch": ("await fetch('https://example.com');", ErrorKind.UNSUPPORTED),
    "an HTTP client": ("new XMLHttpRequest();", ErrorKind.UNSUPPORTED),
    "code from a text": ("Function('return this')();", ErrorKind.THREW),
    "code from a text by any function": ("(() => 1).constructor('return 1')();", ErrorKind.THREW),
    "code from a text by an async one": (
        "(async () => 1).constructor('return 1')();",
        ErrorKind.THREW,
    ),
    "code from a text by a generator": (
        "(function* () {}).constructor('return 1')();",
        ErrorKind.THREW,
    ),
    "code from a text by new": ("new Function('return this')();", ErrorKind.THREW),
    "eval": ("eval('1');", ErrorKind.THREW),
    "indirect eval": ("(0, eval)('let left = 1');", ErrorKind.THREW),
    "a file by import": ("await import('/etc/passwd');", ErrorKind.THREW),
    "a module of the engine's": ("await import('std');", ErrorKind.THREW),
    "changing a prototype": (
        "Reflect.defineProperty = 1; Object.defineProperty(Array.prototype, 'p', {});",
        ErrorKind.THREW,
    ),
    "too many effects": (
        "for (let i = 0; i < 999; i++) api.user.setUserMetadata('k' + i, 'v'.repeat(99));",
        ErrorKind.OUTPUT,
    ),
    "too many effects, and caught": (
        "try { api.user.setUserMetadata('k', 'v'.repeat(1e5)); } catch {} return;",
        ErrorKind.OUTPUT,
    ),
    "a reason without end": ("api.access.deny('x'.repeat(1e5));", ErrorKind.OUTPUT),
    "a Date subclass that bites": (
        "class D extends Date { constructor() { super(); for (;;); } } new D();",
        ErrorKind.TIME,
    ),
}


@pytest.mark.parametrize(("statements", "kind"), FAILURES.values(), ids=FAILURES)
def test_it_fails_alone(statements: str, kind: ErrorKind) -> None:
    """It fails with its own kind and nothing else of its report counts; the next login is as usual."""
    realm = hostile(statements)
    report = realm.run(ATTACK)
    assert report.failure is not None
    assert report.failure.kind is kind
    assert report.spoken[-1].said.endswith(f"error-{kind.value}")
    assert (report.provider, report.recorded, report.access_denied) == (None, (), None)
    if realm.spent:
        realm = hostile(statements)
    usual = realm.run(a_flow_login())
    assert (usual.failure, usual.provider, usual.spoken[0].said) == (None, "duo", "enable-duo")


HARMLESS = {
    "polluting prototypes": (
        "for (const one of [Object, Array, Function, Promise, String, Map, Error, RegExp, Date]) {"
        " try { one.prototype.polluted = 1; } catch {}"
        " try { Object.defineProperty(one.prototype, 'polluted', { value: 1 }); } catch {}"
        " try { one.polluted = 1; } catch {} try { delete one.prototype.constructor; } catch {} }"
    ),
    "replacing what the platform uses": (
        "for (const [at, name] of [[JSON, 'stringify'], [JSON, 'parse'], [Object, 'keys'],"
        " [Promise.prototype, 'then'], [Promise, 'resolve'], [Array.prototype, 'push'],"
        " [Map.prototype, 'get'],"
        " [Reflect, 'ownKeys'], [console, 'log'], [Math, 'random'], [Date, 'now']]) {"
        " try { at[name] = () => { throw 'replaced'; }; } catch {} }"
    ),
    "covering the platform's names": (
        "const { defineProperty } = Object;"
        " for (const name of ['JSON', 'Map', 'Promise', 'Object', 'Reflect', 'Date', 'Error', 'Set'])"
        " defineProperty(globalThis, name, { value: class { constructor() { throw 1; } },"
        " configurable: true });"
    ),
    "changing the api": (
        "for (const change of [() => { api.multifactor.enable = 1; }, () => { delete api.multifactor; },"
        " () => { api.multifactor = 1; }, () => Object.setPrototypeOf(api, null),"
        " () => Object.defineProperty(api.access, 'deny', { value: 1 })]) { try { change(); } catch {} }"
    ),
    "a flood of lines": "for (let i = 0; i < 1000; i++) console.log('x'.repeat(1000), i);",
    "lines that can't be shown": (
        "console.log(new Proxy({}, { ownKeys() { throw 1; } }), { get a() { throw 2; } }, Symbol('s'), 1n);"
    ),
    "half of a pair": "console.log('\\ud800'); api.user.setUserMetadata('\\udc00', 'x\\ud83d');",
    "a NUL": "console.log('a\\0b'); api.user.setUserMetadata('a\\0', '\\0');",
    "numbers that JSON hasn't": (
        "api.user.setUserMetadata('n', [NaN, Infinity, -0, 1e300, 2 ** 64, -(2 ** 70)]);"
    ),
    "work that is left behind": (
        "setTimeout(() => api.access.deny('late'), 10); setInterval(() => { for (;;); }, 20);"
    ),
    "catching what memory there is": (
        "let a = []; try { for (;;) a.push(new Array(1e6).fill(0)); } catch {} a = null;"
    ),
    "catching the stack's end": "try { (function f() { f(); })(); } catch {}",
}


@pytest.mark.parametrize("statements", HARMLESS.values(), ids=HARMLESS)
def test_it_changes_nothing(statements: str) -> None:
    """It neither fails nor changes what the flow comes to, now or at the next login."""
    realm = hostile(statements)
    for login in (ATTACK, a_flow_login(), ATTACK):
        report = realm.run(login)
        assert (report.failure, report.provider, report.access_denied) == (None, "duo", None)


def test_what_is_said_is_cut() -> None:
    """A line keeps 256 characters, a login fifty lines, and half a pair becomes a replacement character."""
    lines = (
        run("for (let i = 0; i < 99; i++) console.warn('\\ud800' + 'x'.repeat(999));")
        .spoken[0]
        .console
    )
    assert len(lines) == MAX_LINES
    assert {(level, len(line), line[0]) for level, line in lines} == {("warn", MAX_LINE, "\ufffd")}


def test_numbers_survive_every_record() -> None:
    """What JSON can't say is null, and what 64 bits can't hold is a float."""
    (recorded,) = run("api.user.setUserMetadata('n', [NaN, -0, 2 ** 53, 2 ** 64, 1e21]);").recorded
    assert recorded.arguments == ("n", [None, 0, 2**53, float(2**64), 1e21])
    assert isinstance(recorded.arguments[1][3], float)


UNLOADABLE = {
    "a syntax error": ("const x = ;", "line 1"),
    "a syntax error further down": ("\n\nif (", "line"),
    "an ES module": ("export const onExecutePostLogin = async () => {};", "CommonJS"),
    "an import": ("import x from 'y';\nexports.onExecutePostLogin = x;", "CommonJS"),
    "nothing": ("", "onExecutePostLogin"),
    "another export": ("exports.onContinuePostLogin = async () => {};", "onExecutePostLogin"),
    "a number for a function": ("exports.onExecutePostLogin = 1;", "onExecutePostLogin"),
    "exports of null": ("module.exports = null;", "onExecutePostLogin"),
    "a way out of its frame": ("}); globalThis.out = 1; (function () {", "line 1"),
    "a way out as a method": ("} }); globalThis.out = 1; ({ module() {", "line 1"),
    "a way out by a comma": ("}, globalThis.out = 1, function () {", "line 1"),
}


@pytest.mark.parametrize(("source", "told"), UNLOADABLE.values(), ids=UNLOADABLE)
def test_what_can_not_be_loaded_is_broken(source: str, told: str) -> None:
    """A source that can't be loaded fails each login, says why, and has run no line."""
    realm = a_realm(an_action(source))
    for _ in range(2):
        failure = realm.run(a_flow_login()).failure
        assert failure is not None
        assert failure.kind is ErrorKind.BROKEN
        assert told in failure.message
    assert read("typeof out", an_action(body(""))) == "undefined"


def test_a_source_as_large_as_they_come() -> None:
    """A hundred thousand bytes of source load and run."""
    source = body("api.multifactor.enable('duo');", before=f"const x = '{'x' * 99_800}';")
    assert len(source) <= MAX_SOURCE_BYTES
    assert run(an_action(source)).provider == "duo"


def test_twenty_actions_run_in_order() -> None:
    """Twenty Actions run one after the other, and the last `enable` counts."""
    actions = [
        an_action(body(f"api.multifactor.enable('{'any' if n % 2 else 'duo'}');"), name=f"a{n}")
        for n in range(MAX_ACTIONS)
    ]
    report = a_realm(*actions).run(a_flow_login())
    assert [one.position for one in report.spoken] == list(range(MAX_ACTIONS))
    assert report.provider == "any"


def test_each_action_has_its_own_time_and_the_flow_its_whole() -> None:
    """Three Actions of 60 ms pass under 100 ms each, and not under 150 ms together."""
    slow = "const until = performance; let n = 0; while (n < 3e5) n++;"
    realm = a_realm(*[an_action(body(slow), name=f"a{n}") for n in range(3)], time=5, flow_time=10)
    report = realm.run(a_flow_login())
    assert report.failure is None
    took = sum(one.seconds for one in report.spoken)
    short = a_realm(
        *[an_action(body("for (;;);"), name=f"a{n}") for n in range(3)],
        time=took * 100,
        flow_time=0.05,
    )
    stopped = short.run(a_flow_login())
    assert stopped.failure is not None
    assert (stopped.failure.kind, len(stopped.spoken)) == (ErrorKind.TIME, 1)
    assert 0.04 < stopped.spoken[0].seconds < 1


def test_later_actions_do_not_run_after_a_failure() -> None:
    """The first failure ends the flow; what was said before it stands in the trace alone."""
    report = run("api.multifactor.enable('none');", "throw 1;", "api.access.deny('never');")
    assert [one.said for one in report.spoken] == ["enable-none", "error-threw"]
    assert report.provider is None


@pytest.mark.parametrize("kind", list(ActionKind)[:2])
def test_what_was_said_before_the_end_of_time_is_told(kind: ActionKind) -> None:
    """Lines and words of code that was stopped are in the report."""
    statements = "console.log('so far'); for (;;);"
    one = a_rule(statements) if kind is ActionKind.RULE else an_action(body(statements))
    report = run("api.multifactor.enable('any');" if kind is ActionKind.ACTION else one, one)
    assert report.spoken[-1].console == (("log", "so far"),)
    assert report.spoken[-1].said == "error-time"


CRAWL = """(() => {
  const seen = new Set(); const open = [];
  const pending = [[globalThis, 'globalThis'], [event, 'event'], [api, 'api'],
    [require, 'require'], [module, 'module'], [setTimeout(() => {}), 'timer'], [new Error('x'), 'error'],
    [api.foo, 'refused'], [fetch, 'refused'], [Intl.x.y, 'refused']];
  const mine = new Set([globalThis, event, module, exports]);
  while (pending.length) {
    const [value, path] = pending.pop();
    if (value === null || !['object', 'function'].includes(typeof value) || seen.has(value)) continue;
    seen.add(value);
    const ours = path.startsWith('event') || path.startsWith('module') || mine.has(value)
      || ['timer', 'error', 'refused'].includes(path) || path.startsWith('globalThis.configuration');
    if (!ours && !Object.isFrozen(value)) open.push(path);
    pending.push([Object.getPrototypeOf(value), path + '.__proto__']);
    if (path.length > 200) continue;
    for (const key of Reflect.ownKeys(value)) {
      const { value: inner, get, set } = Reflect.getOwnPropertyDescriptor(value, key);
      for (const one of [inner, get, set]) pending.push([one, `${path}.${String(key)}`]);
    }
  }
  return [seen.size, open];
})()"""


def test_everything_that_can_be_reached_is_frozen() -> None:
    """Of all objects that code reaches, those that outlive a login are frozen."""
    size, unfrozen = read(CRAWL)
    assert size > 500
    assert unfrozen == []
