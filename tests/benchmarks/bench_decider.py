"""Measures the decider against two loops by hand, on a real Kafka and a real Valkey.

    python tests/benchmarks/bench_decider.py [--quick] [--json PATH]

Three contenders do the same work: a login event comes from Kafka, earlier decision, remembered browser
and push budget are read from the store, the login is decided, the decision is recorded (for a challenged
login the challenge, its deadline and the charge on the budget too), the result goes to Kafka, and once
it is acknowledged the offset is committed.

    decider      ours: the real composition of source, Faust agent, judge, store and publisher
    by hand      aiokafka's getmany, an MGET, a pipeline, producer.send() a record, commit (by_hand.py)
    Faust each   a Faust agent, an event at a time, its publish awaited (faust_each.py)

What is the same: the events, reading one and writing its result (`read_event`, `write_result`), the
decision table, the records in the store, the partitions, the size of a batch from and to the broker, an
idempotent producer with acks=all that doesn't linger, redis-py with hiredis, the interpreter. So the
handling of bus and store is compared, and nothing else.

What is not: ours does more. It keeps a user's events in order (a batch with two logins of a user, which
the mix has a few of, is two waves, and so two rounds to the store), tells a redelivered event from
another one with its id, hashes what it stores under a key, records a login in one atomic step, counts
prompts in a sliding window where the loops have a counter, and makes a dead letter of what it can't read.

Each contender runs in a process of its own, with a fresh topic that was filled beforehand and an empty
store but for the remembered browsers. Broker, store and this program run beside it on the same machine.
The order of contenders changes from round to round; the figures are medians over the rounds. A run whose
results aren't exactly one right decision an event is void, and the report says so.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Measure, and report; the exit status tells only whether the measuring itself worked."""
    # As a program this file stands outside the folder that tests are imported from.
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from tests.benchmarks.program import run  # noqa: PLC0415  # found only now

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
