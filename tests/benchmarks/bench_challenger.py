"""Measures the challenger with real browsers' requests, a Duo simulator, a real Kafka and a real Valkey.

    python tests/benchmarks/bench_challenger.py [--quick]

A round trip is: the challenge's link, Duo's prompt (the simulator's, whose user approves at once), the
callback, and the redirect to the application with a code. Four contenders serve the two routes:

    challenger             ours: the real composition of visits, callbacks, store, outbox and sweeper
    by hand                the same two routes that only call Duo's SDK (challenger_by_hand.py)
    by hand, no check      the same without Duo's health check, which Duo asks integrations to make
    no check, kept open    that again, the SDK given our transport, so that connections to Duo stay open

What is the same: Litestar on uvicorn in one process, over plain HTTP, eight threads for calls to Duo, the
simulator over TLS in a process of its own, the load generator, the interpreter.

What is not: ours keeps the challenge in the store (three changes a trip, each a compare-and-set), charges
the push budget, knows a browser by a cookie, checks what Duo's SDK leaves out, and can run many times;
the loops keep a dict, and forget it. On the other side ours asks Duo for its health once in five seconds
and keeps its connections to Duo open, where the SDK by itself asks each time and connects for each call:
the last two contenders show what ours costs once either advantage is taken away.

The second part makes round trips at a steady rate, with nothing else going on, with a thousand challenges
open that nobody comes for, and with two tenants whose Duo hangs, at whatever it is asked or only in
exchanges, while their browsers keep coming.

The third part puts overdue challenges into the store and measures visits while they are swept. Everything
runs on the same machine. The order of contenders changes from round to round; figures are medians.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Measure, and report; the exit status tells only whether the measuring itself worked."""
    # As a program this file stands outside the folder that tests are imported from.
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from tests.benchmarks.challenger_program import run  # noqa: PLC0415  # found only now

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
