"""What a worker and its sandbox say to each other: frames of four bytes of length, then msgpack.

Law: whatever comes from the sandbox is checked for its type and its size before it is used; tenants' code
has run there.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from countersign.actions.flow import MAX_LINE, MAX_LINES, MAX_REPORT_BYTES, FlowCode, FlowLogin
from countersign.core.action import MAX_ACTIONS

HEADER_BYTES: Final = 4
EAGER_EVERY: Final = 1
LAZY_EVERY: Final = 64
"""Answers that are kept back at most, so that not each one crosses the border by itself."""
LAZY_SECONDS: Final = 0.01
"""A login that took longer takes with it at once what was kept back."""
MAX_ANSWER_BYTES: Final = MAX_REPORT_BYTES + MAX_LINES * (4 * MAX_LINE + 32) + MAX_ACTIONS * 256
"""Of one login's report: its effects, its console lines (four bytes a character), what each Action said."""
MAX_ANSWERS_BYTES: Final = LAZY_EVERY * (MAX_ANSWER_BYTES + 64)
"""Of a frame from the sandbox."""


class Work(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A batch of logins, for the sandbox to run.

    Attributes:
        number: which batch; the answers name it.
        flows: code that the sandbox hasn't yet, by its number.
        dropped: numbers of code that it needs no more.
        shares: seconds of processor time that are left to each tenant.
        every: after how many answers they are sent at the latest.
        logins: the number of each login's flow, and the login.
    """

    number: int
    flows: dict[int, FlowCode]
    dropped: tuple[int, ...]
    shares: dict[str, float]
    every: int
    logins: list[tuple[int, FlowLogin]]


class Ready(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The sandbox can be given work.

    Attributes:
        lacks: which of its limits the operating system doesn't have or allow.
    """

    lacks: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What became of a login.

    Attributes:
        seconds: processor time that it took, its realm's making included.
        report: the `FlowReport`, looked into one by one: a bad one is its own login's.
    """

    seconds: Annotated[float, Meta(ge=0, le=86_400)]
    report: msgspec.Raw


class Answers(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The next answers, in the order of the logins.

    Attributes:
        number: which batch they are of.
        answers: at least one.
    """

    number: int
    answers: list[Answer]


def framed(body: bytes) -> bytes:
    """Return a frame."""
    return len(body).to_bytes(HEADER_BYTES, "big") + body
