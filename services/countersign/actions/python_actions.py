"""Python Actions: functions of packages that the operator installed, run in the worker's own process.

They are the operator's own code, trusted like the worker's: no limit of time or memory holds them. Law: what
is loaded is found out at start, and whatever goes wrong in a run fails that Action, which denies the login.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec

from countersign.actions.flow import (
    MAX_LINE,
    MAX_REPORT_BYTES,
    ErrorKind,
    Failure,
    FlowLogin,
    FlowReport,
    Spoken,
)
from countersign.actions.python_api import Api, noted
from countersign.actions.python_event import Event, event_of
from countersign.actions.python_notes import InvalidCallError, UnsupportedError
from countersign.core.errors import Problem, SettingsError

GROUP: Final = "countersign.actions"
"""The entry points of packages that bring Python Actions."""

PythonAction = Callable[[Event, Api], object]
"""`on_execute_post_login(event, api)`."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HERE: Final = str(Path(__file__).parent)
_MASK: Final = "***"


class PythonActions:
    """The Python Actions that are installed.

    Args:
        actions: each by its name.
        seconds: a clock that never goes back, to measure runs with.
    """

    def __init__(
        self, actions: Mapping[str, PythonAction], *, seconds: Callable[[], float] = perf_counter
    ) -> None:
        self._actions = dict(actions)
        self._seconds = seconds

    @property
    def names(self) -> frozenset[str]:
        """What a flow can name."""
        return frozenset(self._actions)

    def run(
        self,
        name: str,
        login: FlowLogin,
        report: FlowReport,
        position: int,
        *,
        rules: Collection[str] = (),
    ) -> FlowReport:
        """Run one Action of a flow.

        Args:
            name: which.
            login: the login that the flow runs for.
            report: what the flow did before; it has not ended.
            position: which Action of the flow it is.
            rules: names of the Rules that ran before.

        Returns:
            The report with what this Action did. It raises nothing: an Action that fails is a failure.
        """
        started = self._seconds()
        action = self._actions.get(name)
        words: tuple[str, ...] = ()
        if action is None:
            moved = report
            failure: Failure | None = _missing(name)
        else:
            moved, words, failure = _run(action, name, login, report, rules)
        if failure is not None:
            words = (*words, f"error-{failure.kind.value}")
        spoken = Spoken(
            position=position,
            said="+".join(words) or "silent",
            seconds=max(0.0, self._seconds() - started),
        )
        if failure is not None:
            return FlowReport(spoken=(*report.spoken, spoken), failure=_masked(failure, moved))
        return msgspec.structs.replace(moved, spoken=(*report.spoken, spoken))


def _run(
    action: PythonAction,
    name: str,
    login: FlowLogin,
    report: FlowReport,
    rules: Collection[str],
) -> tuple[FlowReport, tuple[str, ...], Failure | None]:
    """Return the report, the words and the failure of an Action; an unreadable event fails it, too."""
    try:
        event = event_of(login, name)
        api = Api(login, event, report, rules)
    except Exception as error:  # noqa: BLE001  # a sender's numbers or depth, for one
        message = f"The event can't be read here ({type(error).__name__})"
        return report, (), Failure(kind=ErrorKind.THREW, message=message)
    failure = _called(action, event, api)
    moved, words = noted(api)
    return moved, words, failure or _beyond(moved)


def installed_actions() -> PythonActions:
    """Return the Python Actions of the packages installed beside this one.

    Raises:
        SettingsError: a package is broken.
    """
    return load_actions(entry_points(group=GROUP))


def load_actions(found: Iterable[EntryPoint]) -> PythonActions:
    """Return the Actions that entry points name, each imported.

    Raises:
        SettingsError: some can't be used; all of them are named.
    """
    actions: dict[str, PythonAction] = {}
    problems: list[Problem] = []
    for point in found:
        loaded = _loaded(point)
        if isinstance(loaded, Problem):
            problems.append(loaded)
        elif point.name in actions:
            problems.append(_problem(point, "has the name of another one", "Rename one of them"))
        else:
            actions[point.name] = loaded
    if problems:
        raise SettingsError(source=f"entry points {GROUP}", problems=problems)
    return PythonActions(actions)


def _loaded(point: EntryPoint) -> PythonAction | Problem:
    if not _NAME.fullmatch(point.name):
        remedy = "Use small letters, digits, - and _, at most 63"
        return _problem(point, "has a name that no flow can name", remedy)
    try:
        action: object = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # a package's import may do anything, and may exit
        return _problem(
            point, f"can't be loaded: {_told(error)}", "Repair or uninstall the package"
        )
    if not callable(action):
        remedy = "Let the entry point name a function, on_execute_post_login(event, api)"
        return _problem(point, "is no function", remedy)
    if inspect.iscoroutinefunction(action):
        remedy = "Make it a plain function; an Action has nothing to wait for"
        return _problem(point, "is a coroutine function", remedy)
    return action


def _problem(point: EntryPoint, problem: str, remedy: str) -> Problem:
    package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value
    return Problem(key=f"{point.name} of {package}", problem=problem, remedy=remedy)


def _called(action: PythonAction, event: Event, api: Api) -> Failure | None:
    try:
        given = action(event, api)
    except KeyboardInterrupt:
        raise
    except UnsupportedError as error:
        return Failure(kind=ErrorKind.UNSUPPORTED, message=_told(error), member=error.member)
    except InvalidCallError as error:
        return Failure(kind=ErrorKind.INVALID_CALL, message=_told(error), member=error.member)
    except BaseException as error:  # noqa: BLE001  # whatever it is, and if it would exit, it denies
        return Failure(kind=ErrorKind.THREW, message=_told(error))
    if not inspect.isawaitable(given):
        return None
    if inspect.iscoroutine(given):
        given.close()
    message = (
        "It returned an awaitable. Make it a plain function; an Action has nothing to wait for"
    )
    return Failure(kind=ErrorKind.BROKEN, message=message)


def _beyond(report: FlowReport) -> Failure | None:
    if len(msgspec.msgpack.encode(report)) <= MAX_REPORT_BYTES:
        return None
    message = f"The flow's effects take more than {MAX_REPORT_BYTES} bytes"
    return Failure(kind=ErrorKind.OUTPUT, message=message)


def _missing(name: str) -> Failure:
    message = f"No installed package has an entry point {name} in the group {GROUP}"
    return Failure(kind=ErrorKind.MISSING, message=message)


def _told(error: BaseException) -> str:
    """Return what is wrong and where, in a line."""
    text = " ".join("".join(traceback.format_exception_only(error)).split())
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_HERE, "<frozen"))
    ]
    where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: " if frames else ""
    return where + text


def _masked(failure: Failure, report: FlowReport) -> Failure:
    """Return the failure without the secret of a Duo account that the flow has named, and cut."""
    text = failure.message
    if report.credentials is not None:
        text = text.replace(report.credentials.skey, _MASK)
    return msgspec.structs.replace(failure, message=text[:MAX_LINE])
