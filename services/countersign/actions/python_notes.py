"""What a Python Action has called, noted down on the flow's report, and what its calls can take.

Nothing is passed over in silence: a member that is not supported, or that is called with what it can't take,
raises at once, so the Action fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

from countersign.actions.flow import FlowReport
from countersign.actions.members import Treatment, member_of
from countersign.actions.python_event import View, plain
from countersign.core.result import Recorded

MAX_DEPTH: Final = 20
"""Of values within values that a call is recorded with."""


_Api = TypeVar("_Api")


class UnsupportedError(Exception):
    """An Action used a member that can't be supported here.

    Args:
        member: the api's member, by Auth0's name.
        remedy: what to do instead, if there is something.
    """

    def __init__(self, member: str, remedy: str = "") -> None:
        super().__init__(f"api.{member} is not supported here{remedy and '; '}{remedy}")
        self.member = member


class InvalidCallError(Exception):
    """An Action called a member with something that the member can't take.

    Args:
        member: the api's member, by Auth0's name.
        problem: what is wrong; holds no value that was given.
    """

    def __init__(self, member: str, problem: str) -> None:
        super().__init__(f"api.{member}: {problem}")
        self.member = member


class Notes:
    """What an Action has called so far, on top of what the flow before it did.

    Args:
        report: what the flow did.

    Attributes:
        report: with what the Action called.
        words: for what it called, in the order of the calls, each once.
    """

    def __init__(self, report: FlowReport) -> None:
        self.report = report
        self.words: dict[str, None] = {}

    def say(self, word: str, **changes: Any) -> None:  # noqa: ANN401  # FlowReport's own fields
        """Note a call, in a word and in the report."""
        self.words.setdefault(word)
        self.report = msgspec.structs.replace(self.report, **changes)

    def record(self, call: str, *arguments: object, keyed: bool = False) -> None:
        """Note a call that changes nothing here; of keyed ones the last value of a key."""
        noted = Recorded(call=call, arguments=tuple(json_value(call, each) for each in arguments))
        before = self.report.recorded
        if keyed:
            before = tuple(
                each
                for each in before
                if (each.call, each.arguments[:1]) != (call, noted.arguments[:1])
            )
        self.say("recorded", recorded=(*before, noted))


class Group(Generic[_Api]):
    """Members that belong together; any other one is what the table of members says of it.

    Args:
        api: what a call returns.
        notes: where calls are noted.
    """

    _name = ""

    def __init__(self, api: _Api, notes: Notes) -> None:
        self._api = api
        self._notes = notes

    def __getattr__(self, name: str) -> Callable[..., _Api]:
        """Return a member that is only recorded; refuse one that is not supported, or not there."""
        if name.startswith("__"):  # Python's own protocols ask for these
            raise AttributeError(name)
        call = f"{self._name}.{camel(name)}"
        member = member_of(f"api.{call}")
        if member is None or member.treatment is not Treatment.RECORDED:
            raise UnsupportedError(call, member.explanation if member is not None else "")

        def record(*arguments: object) -> _Api:
            self._notes.record(call, *arguments, keyed=call.endswith("Metadata"))
            return self._api

        return record


def need_text(
    call: str, what: str, text: object, most: int | None = None, *, empty: bool = False
) -> None:
    """Check that an argument is a text.

    Args:
        call: the member that is called.
        what: the argument, for the error.
        text: what was given.
        most: so many characters at most.
        empty: whether it may be empty.

    Raises:
        InvalidCallError: it is none.
    """
    if not isinstance(text, str) or not (text or empty):
        raise InvalidCallError(call, f"{what} is no text")
    if most is not None and len(text) > most:
        raise InvalidCallError(call, f"{what} has more than {most} characters")
    if not is_unicode(text):
        raise InvalidCallError(call, f"{what} is no valid Unicode")


def json_value(call: str, value: object, depth: int = MAX_DEPTH) -> Any:  # noqa: ANN401  # a JSON value
    """Return a copy of a value as JSON has it, so that nobody changes it afterwards.

    Raises:
        InvalidCallError: JSON has no such value, or it is nested too deep.
    """
    if depth == 0:
        raise InvalidCallError(call, f"a value is nested deeper than {MAX_DEPTH}")
    if isinstance(value, View):
        value = plain(value)
    match value:
        case None | bool():
            return value
        case str() if is_unicode(value):
            return str(value)
        # What is beyond is no number of MessagePack's.
        case int() if -(2**63) <= value < 2**64:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case list() | tuple():
            return [json_value(call, each, depth - 1) for each in value]
        case Mapping() if all(isinstance(key, str) and is_unicode(key) for key in value):
            return {str(key): json_value(call, each, depth - 1) for key, each in value.items()}
        case _:
            raise InvalidCallError(call, f"a {type(value).__name__} here can't be written as JSON")


def is_unicode(text: str) -> bool:
    """Say whether a text can be written at all; half a surrogate pair can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def camel(name: str) -> str:
    """Return Auth0's name of a member."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
