"""An Action's call alone: ours in its realm against the bare engine, in turns, and what memory does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Final, NamedTuple

import quickjs

from countersign.actions.flow import ActionCode, FlowCode, FlowLogin
from countersign.actions.realm import Realm
from countersign.core.action import ActionKind
from tests.benchmarks.flows import CLIENT, DUO_TEMPLATE, bare
from tests.benchmarks.load import Kind, make_logins, utc_now

_ROUNDS: Final = 5
_MEMORY: Final = 64 << 20


class Call(NamedTuple):
    """What a call takes.

    Attributes:
        ours: microseconds in a realm of ours.
        bare: microseconds in the bare engine.
        memory: bytes of the realm after each tenth of the calls.
    """

    ours: float
    bare: float
    memory: list[int]


def measure_call(calls: int) -> Call:
    """Measure the template's call, and go on calling until there were so many."""
    login = next(one for one in make_logins(200, utc_now()) if one.user.kind is Kind.CHALLENGED)
    source = DUO_TEMPLATE % CLIENT
    action = ActionCode(name="template", version=1, kind=ActionKind.ACTION, source=source)
    flow = FlowCode(actions=(action,), time_limit=0.1, flow_time_limit=0.25)
    realm = Realm(flow, memory_limit=_MEMORY)
    asked = FlowLogin(tenant="acme", event=login.value, at=1_772_442_000_000, seed=bytes(16))

    def ours() -> None:
        realm.run(asked)

    engine = _bare(source, login.value.decode())
    rounds = [(_micros(ours), _micros(engine)) for _ in range(_ROUNDS)]
    memory = list(_growth(realm, ours, calls))
    return Call(median(one for one, _ in rounds), median(one for _, one in rounds), memory)


def _bare(source: str, text: str) -> Callable[[], None]:
    context = quickjs.Context()
    context.set_memory_limit(_MEMORY)
    pair = context.eval(bare(source))
    pick = context.eval("(function (pair, place) { return pair[place]; })")
    start, take = pick(pair, 0), pick(pair, 1)

    def call() -> None:
        start(text)
        while context.execute_pending_job():
            pass
        take()

    return call


def _micros(call: Callable[[], None], count: int = 5_000) -> float:
    started = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - started) / count * 1e6


def _growth(realm: Realm, call: Callable[[], None], calls: int) -> Iterator[int]:
    for _ in range(10):
        for _ in range(calls // 10):
            call()
        yield realm.memory()
