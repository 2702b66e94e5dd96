"""Measures what tenants' Actions cost, on a real Kafka and a real Valkey.

    python tests/benchmarks/bench_actions.py [--quick]

The call alone: the Duo template in a realm of ours and in bare QuickJS, in turns in one process, and the
realm's memory over a million calls. The whole decider, as `bench_decider.py` runs it, without Actions, with
the template, with five Actions, and with 200 tenants of different Actions mixed in each batch; each in a
process of its own, with the same logins and the same right answers.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Measure, and report; the exit status tells only whether the measuring itself worked."""
    # As a program this file stands outside the folder that tests are imported from.
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from tests.benchmarks.actions_program import run  # noqa: PLC0415  # found only now

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
