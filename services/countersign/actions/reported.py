"""What a flow reported, as the decision sees it.

Law: a fault never turns into an allow. Whatever can't be read, or isn't what it should be, denies the login;
after a failure nothing is kept but the trace.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from countersign.actions.bound_flow import BoundFlow
from countersign.actions.flow import Credentials, ErrorKind, Failure, FlowReport
from countersign.core.effect import CacheWrite, Effect, Provider
from countersign.core.instants import instant_of
from countersign.core.result import Reason
from countersign.core.tenant import DuoAccount, duo_problems

MAX_DEPTH: Final = 64
"""Lists and objects within each other, in what an Action hands on to the relying party."""
_SAID: Final = re.compile(r"[a-z]+(-[a-z]+)*(\+[a-z]+(-[a-z]+)*)*")
_MAX_SAID: Final = 256
_ERROR: Final = "error-"


class Read(NamedTuple):
    """A report that was read.

    Attributes:
        effect: what the flow asked for.
        failure: why it failed, if it did.
        position: the Action that failed.
    """

    effect: Effect
    failure: Failure | None = None
    position: int = 0


def read_report(
    report: FlowReport,
    bound: BoundFlow,
    account: Callable[[BoundFlow, Credentials], DuoAccount],
) -> Read:
    """Return what a flow asked for.

    Args:
        report: what came out of it.
        bound: the flow.
        account: seals a Duo account.
    """
    try:
        trace = _trace(report, bound)
        if report.failure is not None:
            return _failed(report.failure, trace, _position(report, bound), bound)
        return _read(report, bound, trace, account)
    except (ValueError, OverflowError):
        failure = Failure(kind=ErrorKind.CRASHED, message="Its report can't be read")
        return _failed(failure, (), 0, bound)


def not_run(failure: Failure, prefix: str) -> Effect:
    """Return what becomes of a login whose flow can't be run.

    Args:
        failure: why.
        prefix: what the trace calls the Action that is in the way.
    """
    return Effect(denied=Reason.ACTION_ERROR, trace=(prefix + _ERROR + failure.kind.value,))


def _read(
    report: FlowReport,
    bound: BoundFlow,
    trace: tuple[str, ...],
    account: Callable[[BoundFlow, Credentials], DuoAccount],
) -> Read:
    if report.access_denied is None and report.redirect_url is None and _is_plain(report):
        return _plain(trace, report.provider, report.allow_remember_browser)
    handed_on = (
        [item.arguments for item in report.recorded],
        [one.options for one in report.factors],
    )
    if not _is_json(handed_on, MAX_DEPTH + 3):
        failure = Failure(kind=ErrorKind.OUTPUT, message="Its effects are nested too deep")
        return _failed(failure, trace, _position(report, bound), bound)
    duo = None
    if (given := report.credentials) is not None:
        for _, problem, remedy in duo_problems(given.ikey, given.host):
            failure = Failure(
                kind=ErrorKind.INVALID_CALL,
                message=f"The Duo account in its providerOptions {problem}. {remedy}",
                member="api.multifactor.enable",
            )
            return _failed(failure, trace, _position(report, bound), bound)
        duo = account(bound, given)
    denied = Reason.ACTION_DENIED if report.access_denied is not None else None
    if denied is None and report.redirect_url is not None:
        denied = Reason.REDIRECTED
    effect = Effect(
        denied=denied,
        access_denied=report.access_denied,
        redirect_url=report.redirect_url if denied is Reason.REDIRECTED else None,
        provider=None if report.provider is None else Provider(report.provider),
        allow_remember_browser=report.allow_remember_browser,
        duo=duo,
        duo_username=report.username,
        factors=report.factors,
        recorded=report.recorded,
        cache=tuple(_cache_write(*write) for write in report.cache),
        trace=trace,
    )
    return Read(effect)


def _is_plain(report: FlowReport) -> bool:
    """Say whether a report holds nothing but what nearly all do."""
    return (
        report.credentials is None
        and report.username is None
        and not report.factors
        and not report.recorded
        and not report.cache
    )


@lru_cache(maxsize=4096)
def _plain(trace: tuple[str, ...], provider: str | None, allow: bool | None) -> Read:  # noqa: FBT001  # a report's own field
    asked = None if provider is None else Provider(provider)
    return Read(Effect(provider=asked, allow_remember_browser=allow, trace=trace))


def _trace(report: FlowReport, bound: BoundFlow) -> tuple[str, ...]:
    """Return what each Action said.

    Raises:
        ValueError: that can't be.
    """
    next_position = 0
    entries = []
    for spoken in report.spoken:
        if not next_position <= spoken.position < len(bound.prefixes):
            message = "an Action that can't have spoken"
            raise ValueError(message)
        next_position = spoken.position + 1
        entries.append(_entry(bound.prefixes[spoken.position], spoken.said))
    return tuple(entries)


@lru_cache(maxsize=4096)
def _entry(prefix: str, said: str) -> str:
    if len(said) > _MAX_SAID or not _SAID.fullmatch(said):
        message = "words that no Action can say"
        raise ValueError(message)
    return prefix + said


def _position(report: FlowReport, bound: BoundFlow) -> int:
    """Return which Action a failure is of: the last that spoke; the next where it failed before it spoke."""
    if not report.spoken:
        return 0
    last = report.spoken[-1]
    if report.failure is None or _ERROR in last.said:
        return last.position
    return min(last.position + 1, len(bound.refs) - 1)


def _failed(failure: Failure, trace: tuple[str, ...], position: int, bound: BoundFlow) -> Read:
    """Return a failure, with an entry in the trace for the Action that it is of."""
    prefix = bound.prefixes[position]
    entry = _entry(prefix, _ERROR + failure.kind.value)
    if trace and trace[-1].startswith(prefix):
        last = trace[-1]
        trace = trace if _ERROR in last.removeprefix(prefix) else (*trace[:-1], entry)
    else:
        trace = (*trace, entry)
    return Read(Effect(denied=Reason.ACTION_ERROR, trace=trace), failure, position)


def _cache_write(key: str, value: str | None, ends_at: int | None) -> CacheWrite:
    if value is None or ends_at is None:
        return CacheWrite(key=key)
    return CacheWrite(key=key, value=value, expires_at=instant_of(ends_at))


def _is_json(value: object, depth: int) -> bool:
    """Say whether a value can stand in JSON, within so many lists and objects.

    Raises:
        ValueError: it can't at all.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return True
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_json(item, depth - 1) for item in value)
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            message = "a key that is no text"
            raise ValueError(message)
        return depth > 0 and all(_is_json(item, depth - 1) for item in value.values())
    message = "a value that JSON can't hold"
    raise ValueError(message)
