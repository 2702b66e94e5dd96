"""Nothing of a login is there for the next; the same login has the same report."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countersign.actions.flow import FlowReport
from countersign.actions.realm import Realm
from tests.realms import AT, a_flow_login, a_realm, a_rule, an_action, body, read, run

LEAVES = {
    "a global": ("globalThis.left = 1;", "typeof left"),
    "an undeclared name": ("left = 1;", "typeof left"),
    "a loop's undeclared name": ("for (left = 0; left < 2; left++);", "typeof left"),
    "a symbol": ("globalThis[Symbol.for('left')] = 1;", "typeof globalThis[Symbol.for('left')]"),
    "module state": ("state.left = 1;", "typeof state.left"),
    "a module's variable": ("count++;", "count === 0 ? 'undefined' : 'left'"),
    "a module's export": ("module.exports.left = 1;", "typeof module.exports.left"),
    "a required module's state": ("require('m').left = 1;", "typeof require('m').left"),
    "require itself": ("try { require.left = 1; } catch {}", "typeof require.left"),
    "a prototype": ("try { Object.prototype.left = 1; } catch {}", "typeof ({}).left"),
    "a method's property": ("try { [].map.left = 1; } catch {}", "typeof [].map.left"),
    "an iterator's prototype": (
        "try { Object.getPrototypeOf([][Symbol.iterator]()).left = 1; } catch {}",
        "typeof [][Symbol.iterator]().left",
    ),
    "an async function's prototype": (
        "try { Object.getPrototypeOf(async () => 1).left = 1; } catch {}",
        "typeof (async () => 1).left",
    ),
    "a timer's prototype": (
        "try { Object.getPrototypeOf(setTimeout(() => 1)).left = 1; } catch {}",
        "typeof setTimeout(() => 1).left",
    ),
    "the api": (
        "try { api.left = 1; } catch {}",
        "typeof Reflect.ownKeys(api).find((k) => k === 'left')",
    ),
    "the event": (
        "event.left = event.user.left = 1;",
        "typeof event.left ?? typeof event.user.left",
    ),
    "the secrets": ("event.secrets.left = configuration.left = 1;", "typeof event.secrets.left"),
    "the console": ("try { console.left = 1; } catch {}", "typeof console.left"),
    "a refused name": (
        "try { fetch.prototype.left = 1; } catch {}",
        "typeof fetch.prototype?.left",
    ),
    "an error's class": (
        "try { Error.left = 1; Error.stackTraceLimit = 77; } catch {}",
        "typeof Error.left",
    ),
    "how stacks are written": (
        "try { Error.prepareStackTrace = () => 'left'; } catch {}",
        "new Error('x').stack === 'left' ? 'left' : 'undefined'",
    ),
    "how long stacks are": (
        "try { Error.stackTraceLimit = 3; } catch {}",
        "Error.stackTraceLimit === 10 ? 'undefined' : 'left'",
    ),
    "a covered name": (
        "Object.defineProperty(globalThis, 'left', { value: 1, configurable: true });",
        "typeof left",
    ),
    "a name that can't be removed": (
        "Object.defineProperty(globalThis, 'left', { value: 1 });",
        "typeof left",
    ),
    "a closed global object": (
        "Object.preventExtensions(globalThis);",
        "typeof (globalThis.x = undefined)",
    ),
    "another prototype of the globals": (
        "const above = Object.create(Object.getPrototypeOf(globalThis), { left: { value: 1 } });"
        " Object.setPrototypeOf(globalThis, above);",
        "typeof left",
    ),
    "a stamp on a frozen object": (
        "class Stamp extends (function (o) { return o; }) { #left = 1; static has(o) { return #left in o; } }"
        " try { new Stamp(Object.prototype); } catch {}",
        "'undefined'",
    ),
    "a promise": ("Promise.resolve().then(() => { globalThis.left = 1; });", "typeof left"),
    "a long chain": (
        "(async () => { for (let i = 0; i < 500; i++) await i; globalThis.left = 1; })();",
        "typeof left",
    ),
    "a timer": ("setTimeout(() => { globalThis.left = 1; }, 1);", "typeof left"),
    "random numbers drawn": ("for (let i = 0; i < 99; i++) Math.random();", "'undefined'"),
    "the clock moved on": ("await new Promise((d) => setTimeout(d, 500));", "'undefined'"),
}

BEFORE = "const state = {}; let count = 0;"


def looking(leave: str, look: str) -> Realm:
    """Return a realm whose Action leaves something at an attack, and always says what it finds first."""
    return a_realm(
        an_action(
            body(
                f"api.user.setAppMetadata('found', [{look}, Date.now(), Math.random()]);"
                f" if (event.user.user_metadata.attack) {{ {leave} }}",
                before=BEFORE,
            ),
            modules={"m": "exports.made = 1;"},
            secrets={"K": "value"},
        )
    )


@pytest.mark.parametrize(("leave", "look"), LEAVES.values(), ids=LEAVES)
def test_nothing_is_left_for_the_next_login(leave: str, look: str) -> None:
    """Whatever a login leaves, the next one finds what the first one found, or the realm is spent."""
    realm = looking(leave, look)
    first = realm.run(a_flow_login())
    assert first.failure is None
    assert first.recorded[0].arguments[1][0] == "undefined"
    left = realm.run(a_flow_login(user={"user_metadata": {"attack": True}}))
    assert left.failure is None, left.failure
    if not realm.spent:
        assert realm.run(a_flow_login()).recorded == first.recorded


@pytest.mark.parametrize(
    "leave",
    [
        "Object.defineProperty(globalThis, 'left', { value: 1 });",
        "Object.preventExtensions(globalThis);",
        "Object.setPrototypeOf(globalThis, null);",
        "Object.freeze(globalThis);",
        "for (;;);",
    ],
)
def test_a_realm_that_can_not_be_put_back_is_spent(leave: str) -> None:
    """What can't be undone, and every interruption, ends the realm's use."""
    realm = a_realm(leave)
    realm.run(a_flow_login())
    assert realm.spent


def test_a_realm_that_was_put_back_is_not_spent() -> None:
    """What can be undone costs no new realm."""
    realm = a_realm("globalThis.a = b = 1; state = {};", "throw new Error('no');")
    for _ in range(3):
        realm.run(a_flow_login())
        assert not realm.spent


def test_actions_do_not_share_the_global_object() -> None:
    """What an Action puts into the global object is not there for the next one."""
    report = run("globalThis.left = 1;", "if (typeof left !== 'undefined') throw 1;")
    assert report.failure is None


def test_rules_share_the_global_object_within_a_login() -> None:
    """`global` is shared by the Rules of a login, not with Actions, and not with the next login."""
    realm = a_realm(
        a_rule("global.n = (global.n || 0) + 1; callback(null, user, context);", name="one"),
        a_rule("if (++global.n !== 2) throw global.n; callback(null, user, context);", name="two"),
        "if (typeof n !== 'undefined') throw n;",
    )
    for _ in range(3):
        assert realm.run(a_flow_login()).failure is None
    assert not realm.spent


def test_what_a_rule_leaves_is_read_without_a_job_for_the_next_login() -> None:
    """A getter on `context` may start something when it is read; no later login runs it."""
    realm = a_realm(
        a_rule(
            "const who = user.email; Object.defineProperty(context.idToken, 'x', { enumerable: true,"
            " get() { Promise.resolve().then(() => { globalThis.left = who; }); return typeof left; } });"
            " callback(null, user, context);"
        )
    )
    realm.run(a_flow_login())
    assert realm.spent


def test_timers_are_named_anew_for_every_login() -> None:
    """A timer's number is the same in every login, whatever ran before."""
    realm = a_realm("api.user.setAppMetadata('it', +setTimeout(() => {}, 1));")
    assert {realm.run(a_flow_login()).recorded[0].arguments[1] for _ in range(3)} == {1}


def test_each_action_sees_an_event_of_its_own() -> None:
    """What an Action changes of the event is not there for the next one."""
    report = run(
        "event.user.email = 'x'; delete event.client;",
        "api.user.setAppMetadata('e', event.user.email);",
    )
    assert report.recorded[0].arguments == ("e", "alice@example.com")


@pytest.mark.law(12)
@settings(max_examples=25, deadline=None)
@given(
    at=st.integers(0, 4_102_444_800_000),
    seed=st.binary(min_size=16, max_size=16),
    name=st.text(max_size=20),
)
def test_the_same_login_has_the_same_report(at: int, seed: bytes, name: str) -> None:
    """Law 12: clock and chance are the event's, in a realm that is new and in one that has run others."""
    action = an_action(
        body(
            "const wait = (ms) => new Promise((done) => setTimeout(done, ms));"
            " const seen = [Date.now(), new Date().toISOString(), Math.random(), event.user.name];"
            " await wait(1 + Math.floor(Math.random() * 100)); seen.push(Date.now(), performance.now());"
            " api.user.setAppMetadata('seen', seen); console.log(...seen);"
        )
    )
    login = a_flow_login(at=at, seed=seed, user={"name": name})
    used = a_realm(action)
    used.run(a_flow_login(at=1, seed=bytes(16)))
    assert timeless(used.run(login)) == timeless(a_realm(action).run(login))


def timeless(report: FlowReport) -> FlowReport:
    """Return a report without how long it took."""
    spoken = tuple(msgspec.structs.replace(one, seconds=0.0) for one in report.spoken)
    return msgspec.structs.replace(report, spoken=spoken)


def test_the_clock_is_the_events() -> None:
    """Date tells the event's instant in every form, and nothing of the machine's."""
    assert read("[Date.now(), +new Date(), Date.parse(Date()), new Date(0).getTime()]") == [
        AT,
        AT,
        AT,
        0,
    ]
    assert (
        read("new Date(2026, 0, 1) instanceof Date && Date.prototype.constructor === Date") is True
    )
    assert read("new (class D extends Date {})().getTime()") == AT


def test_chance_is_even() -> None:
    """Random numbers lie in [0, 1), and in no part of it more than elsewhere."""
    numbers = read("Array.from({ length: 1500 }, Math.random)")
    assert all(0 <= number < 1 for number in numbers)
    counts = [sum(n / 10 <= number < (n + 1) / 10 for number in numbers) for n in range(10)]
    assert all(100 < count < 200 for count in counts)
    assert len(set(numbers)) == len(numbers)


def test_memory_stays_where_it_is() -> None:
    """After thousands of logins, also failed ones, a realm takes what it took after the first."""
    realm = a_realm("globalThis.a = [1]; if (event.user.user_metadata.attack) throw 1; await null;")
    logins = [a_flow_login(), a_flow_login(user={"user_metadata": {"attack": True}})]
    for login in logins * 200:
        realm.run(login)
    before = realm.memory()
    for login in logins * 2000:
        realm.run(login)
    assert realm.memory() <= before * 1.05
