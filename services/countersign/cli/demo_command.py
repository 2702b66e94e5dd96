"""`countersign demo`: the whole thing on this machine, with nothing installed beforehand."""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import Parameter

from countersign.cli.app import FAILED, OK
from countersign.cli.output import notes
from countersign.local import StackError
from countersign.local.demo import play


def demo(*, exit_: Annotated[bool, Parameter(name="--exit", negative=())] = False) -> int:
    """Start a real Kafka, a real Valkey and a decider on this machine, and play logins through them.

    Each login is published by `countersign.client`, as a relying party would, and shown as it comes back
    over the bus: what was decided and why, where on the topic it stands, and how long it took. Then
    everything stays up, and shows further events as they come, until Ctrl-C. Nothing is left behind.

    The first time, Kafka's jars are fetched (45 MB).

    Args:
        exit_: End after the played logins; the exit status is 0 only if each ended as it must.
    """
    try:
        return OK if asyncio.run(play(stay=not exit_)) else FAILED
    except StackError as error:
        notes().print(str(error))
        return FAILED
