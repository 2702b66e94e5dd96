"""Attacks by tenants' own code: it runs where it can only fail, and the next login is as usual."""

from __future__ import annotations

from typing import Any, Final

from countersign.core.challenge import State
from countersign.core.result import Reason, ResultType
from tests.attacks.scene import Scene
from tests.attacks.table import CHALLENGED, NOTHING, Expected, Row, Said, nobody

FAILED: Final[Said] = (ResultType.LOGIN_DENIED, Reason.ACTION_ERROR)
REFUSED: Final[Said] = (ResultType.LOGIN_DENIED, Reason.ACTION_DENIED)
ALLOWED: Final[Said] = (ResultType.LOGIN_ALLOWED, Reason.MFA_NOT_DUE)


async def attacked(scene: Scene) -> None:
    """A login at which the Action does its worst, and the next one, at which it does its work."""
    await scene.login(user={"user_metadata": {"attack": True}})
    await scene.login()


async def with_a_prototype_in_its_data(scene: Scene) -> None:
    """A name that is special in JavaScript is a name like any other in an event."""
    hostile = {"__proto__": {"attack": True, "polluted": True}, "constructor": {"prototype": 1}}
    await scene.login(user={"user_metadata": hostile}, request={"query": hostile, "ip": "::1"})
    await scene.login()


def an_attack(source: str, *, before: str = "", after: str = "") -> dict[str, str]:
    """Return a flow of one Action that does something at the logins that ask for it, then its work."""
    return {
        "hostile": f"""
{before}
exports.onExecutePostLogin = async (event, api) => {{
  if (event.user.user_metadata.attack) {{
    {source}
  }}
  {after}
  api.multifactor.enable('duo');
}};
"""
    }


def then(*decisions: Said, **fields: Any) -> Expected:  # noqa: ANN401  # Expected's own
    """Return what is expected where no browser comes."""
    return nobody(decisions=decisions, ends=(NOTHING,) * len(decisions), **fields)


DENIED_ONCE: Final = then(FAILED, CHALLENGED, logged=("action_failed",))
"""The attack denies its own login, and is told of; the next login is challenged."""
HARMLESS: Final = then(CHALLENGED, CHALLENGED, state=State.PENDING)

_ESCAPES: Final = """
    const seen = new Set();
    const walk = (value) => {
      if (value === null || !['object', 'function'].includes(typeof value) || seen.has(value)) return;
      seen.add(value);
      for (const key of Reflect.ownKeys(value)) {
        let inner;
        try { inner = value[key]; } catch { continue; }
        if (typeof inner === 'function') {
          for (const code of ['return this', 'return process', 'return globalThis']) {
            try { if (inner.constructor(code)()) throw 'out'; } catch (e) { if (e === 'out') throw e; }
          }
        }
        walk(inner);
      }
      walk(Object.getPrototypeOf(value));
    };
    [event, api, console, globalThis, require, module, exports].forEach(walk);
"""

ROWS: Final[tuple[Row, ...]] = tuple(
    Row(name, ("31",), attack, expected, flow=flow)
    for name, attack, expected, flow in (
        ("action-01 an endless loop", attacked, DENIED_ONCE, an_attack("for (;;) {}")),
        (
            "action-02 an endless chain of promises",
            attacked,
            DENIED_ONCE,
            an_attack("for (;;) await null;"),
        ),
        (
            "action-03 an endless getter",
            attacked,
            DENIED_ONCE,
            an_attack("JSON.stringify({ get a() { for (;;); } });"),
        ),
        (
            "action-04 a regular expression that never ends",
            attacked,
            DENIED_ONCE,
            an_attack("/^(a+)+$/.test('a'.repeat(50) + '!');"),
        ),
        (
            "action-05 an endless loop that catches everything",
            attacked,
            DENIED_ONCE,
            an_attack("for (;;) { try { for (;;) {} } catch {} finally { continue; } }"),
        ),
        (
            "action-06 a memory bomb",
            attacked,
            DENIED_ONCE,
            an_attack("const a = []; for (;;) a.push(new Array(1e6).fill(a.length));"),
        ),
        (
            "action-07 one huge string",
            attacked,
            DENIED_ONCE,
            an_attack("let s = 'x'; for (;;) s += s;"),
        ),
        (
            "action-08 deep recursion",
            attacked,
            DENIED_ONCE,
            an_attack("(function deeper() { deeper(); })();"),
        ),
        (
            "action-09 a promise that never settles",
            attacked,
            DENIED_ONCE,
            an_attack("await new Promise(() => {});"),
        ),
        ("action-10 throwing null", attacked, DENIED_ONCE, an_attack("throw null;")),
        (
            "action-11 throwing after it suppressed MFA",
            attacked,
            DENIED_ONCE,
            an_attack("api.multifactor.enable('none'); throw new Error('after all');"),
        ),
        ("action-12 ending the process", attacked, DENIED_ONCE, an_attack("process.exit(1);")),
        (
            "action-13 making code of a text",
            attacked,
            DENIED_ONCE,
            an_attack("Function('return this')().stolen = true;"),
        ),
        (
            "action-14 a way out through whatever it is handed",
            attacked,
            HARMLESS,
            an_attack(_ESCAPES),
        ),
        (
            "action-15 polluting every prototype",
            attacked,
            HARMLESS,
            an_attack(
                "for (const p of [Object, Array, Function, Promise, String]) {"
                " try { p.prototype.polluted = true; } catch {}"
                " try { Object.defineProperty(p.prototype, 'polluted', { value: true }); } catch {} }",
                after="if ({}.polluted || [].polluted || (() => 1).polluted || ''.polluted)"
                " return api.access.deny('polluted');",
            ),
        ),
        (
            "action-16 leaving something in the globals",
            attacked,
            HARMLESS,
            an_attack(
                "globalThis.left = 1; leftToo = 2; state.left = 3; JSON.left = 4;",
                before="const state = {};",
                after="if (!event.user.user_metadata.attack && (typeof left !== 'undefined' ||"
                " typeof leftToo !== 'undefined' || state.left || JSON.left))"
                " return api.access.deny('left over');",
            ),
        ),
        (
            "action-17 work that is left for later",
            attacked,
            HARMLESS,
            an_attack(
                "kept.push(api); setTimeout(() => api.access.deny('late'), 50);"
                " Promise.resolve().then(() => setTimeout(() => { for (;;); }, 1000));",
                before="const kept = [];",
            ),
        ),
        (
            "action-18 a flood of output",
            attacked,
            HARMLESS,
            an_attack("for (let i = 0; i < 2000; i++) console.log('x'.repeat(1000));"),
        ),
        (
            "action-19 effects without end",
            attacked,
            DENIED_ONCE,
            an_attack(
                "for (let i = 0; i < 5000; i++) api.user.setUserMetadata('k' + i, 'v'.repeat(99));"
            ),
        ),
        (
            "action-20 special names in an event",
            with_a_prototype_in_its_data,
            HARMLESS,
            an_attack(
                "api.access.deny('polluted');",
                after="if (event.polluted || {}.polluted || event.user.polluted)"
                " return api.access.deny('polluted');",
            ),
        ),
        (
            "action-21 a source as large as they come",
            attacked,
            HARMLESS,
            an_attack(f"const big = '{'x' * 98_000}'; if (big.length !== 98000) throw big;"),
        ),
        (
            "action-22 twenty Actions, the last of which denies",
            attacked,
            then(REFUSED, CHALLENGED),
            {
                **{
                    f"a{n:02}": "exports.onExecutePostLogin = async (event, api) =>"
                    " { globalThis.n = (globalThis.n || 0) + 1; if (n !== 1) throw n; };"
                    for n in range(19)
                },
                **an_attack("return api.access.deny('twentieth');"),
            },
        ),
        (
            "action-23 throwing something that bites",
            attacked,
            DENIED_ONCE,
            an_attack(
                "throw new Proxy({}, { get() { throw 1; }, getPrototypeOf() { for (;;); },"
                " ownKeys() { throw 2; } });"
            ),
        ),
        (
            "action-24 redefining what the platform itself would use",
            attacked,
            HARMLESS,
            an_attack(
                "for (const f of [() => { JSON.stringify = () => '[]'; }, () => { Promise.prototype.then ="
                " () => {}; }, () => { Array.prototype.push = () => 0; }, () => { Map.prototype.get = () =>"
                " ({ provider: 'none' }); }, () => { Object.prototype.toJSON = () => ({ provider: 'none' });"
                " }]) { try { f(); } catch {} }"
            ),
        ),
        (
            "action-25 giving the api other members",
            attacked,
            HARMLESS,
            an_attack(
                "try { api.multifactor.enable = () => api; } catch {}"
                " try { delete api.multifactor; } catch {} try { Object.setPrototypeOf(api, null); } catch {}"
            ),
        ),
    )
)
