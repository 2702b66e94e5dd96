"""A sandbox's program whose realms do what a login's event says, also what QuickJS never does.

It is shut in as the real one is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import msgspec

from countersign.actions.flow import ErrorKind, Failure, FlowCode, FlowLogin, FlowReport, Spoken
from countersign.actions.process import serve
from countersign.core.result import Recorded

PROGRAM = (sys.executable, "-I", __file__)

_SILENT = Spoken(position=0, said="silent", seconds=0.0)
_CALM = FlowReport(spoken=(_SILENT,))
_REPORTS = {
    "huge": FlowReport(failure=Failure(kind=ErrorKind.THREW, message="x" * 2**20)),
    "nobody's": FlowReport(spoken=(msgspec.structs.replace(_SILENT, position=-1),)),
    "shouts": FlowReport(spoken=(msgspec.structs.replace(_SILENT, said="Law 9!"),)),
    "unknown-provider": FlowReport(spoken=(_SILENT,), provider="nobody"),
    "no-json": FlowReport(
        spoken=(_SILENT,), recorded=(Recorded(call="user.setUserMetadata", arguments=(b"",)),)
    ),
    "endless-cache": FlowReport(spoken=(_SILENT,), cache=(("key", "value", 2**62),)),
}
_BYTES = {
    "long-frame": b"\xff\xff\xff\xff",
    "no-frame": b"\x00\x00\x00\x03abc",
    "another-batch": b"\x00\x00\x00\x05\x92\xcd\x03\xe7\x90",
}
_ran: list[str] = []
"""What this process was told so far, the login that it warms up with included."""


class Obedient:
    """A realm that does what it is told."""

    def __init__(self, flow: FlowCode) -> None:
        self.flow = flow
        self.spent = False
        self.logins = 0

    def run(self, login: FlowLogin) -> FlowReport:
        """Do what the event says."""
        told = json.loads(login.event).get("do", "")
        _ran.append(told)
        self.logins += 1
        if told == "die" or (told == "die-unless-first" and len(_ran) > 2):
            os.kill(os.getpid(), signal.SIGKILL)
        if told == "raise":
            message = "a secret of the tenant's"
            raise ValueError(message)
        if told == "how-many":
            seen = msgspec.structs.replace(_SILENT, seconds=float(self.logins))
            return FlowReport(spoken=(seen,))
        time.sleep({"hang": 60, "slow": 0.05}.get(told, 0))
        if told in _BYTES:
            os.write(0, _BYTES[told])
        self.spent = told == "spent"
        return _REPORTS.get(told, _CALM)


if __name__ == "__main__":
    serve(Obedient)
