"""One tenant's flow in a JavaScript realm: compiled once, run anew for every login.

Law: nothing of a login is there for the next. The intrinsics are frozen, the module functions run anew, the
global object is put back; a realm for which that can't be done, or that was cut off, is `spent`. Whether
there is time left is judged here, by the processor's clock: an interrupt that JavaScript caught changes
nothing.
"""

from __future__ import annotations

import re
import time
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
import quickjs

from countersign.actions.flow import (
    MAX_LINE,
    MAX_LINES,
    MAX_REPORT_BYTES,
    SETTING_UP,
    ActionCode,
    ErrorKind,
    Failure,
    FlowCode,
    FlowLogin,
    FlowReport,
    Spoken,
)
from countersign.actions.masking import Mask
from countersign.actions.members import MEMBERS
from countersign.actions.vocabulary import (
    CREDENTIAL_LENGTHS,
    FACTORS,
    INTERACTIVE,
    MAX_FACTOR_CALLS,
    MAX_URL,
)
from countersign.core.action import MAX_SECRET_VALUE, ActionKind
from countersign.core.cache import LIFETIME, MAX_ENTRIES, MAX_KEY, MAX_LIFETIME, MAX_VALUE
from countersign.core.effect import Provider
from countersign.core.instants import MILLISECOND
from countersign.core.result import AccessDenied

MAX_STACK: Final = 512 * 1024
"""Bytes of the stack that code may use; the process's own is larger."""
MAX_MESSAGE: Final = 500
"""Characters of an error's message that are kept."""
MAX_RAW: Final = MAX_LINE + MAX_MESSAGE + MAX_SECRET_VALUE
"""Characters of a line or a message that come out of the engine, to be masked and only then cut."""
MAX_USERNAME: Final = 256
"""Characters of a user's name at Duo."""
_FILES: Final = (
    "refused",
    "clock",
    "timers",
    "console",
    "api",
    "event",
    "rules",
    "lockdown",
    "run",
)
"""In the order in which they build on each other."""
_PLATFORM = re.compile(r"\b(Buffer|URL|URLSearchParams|TextEncoder|TextDecoder|structuredClone)\b")
"""What the engine lacks; it is loaded for code that mentions one of them."""
_ES_MODULE = re.compile(
    r"^\s*(export\s+(default|const|let|var|async|function|class|\{)|import\s+[\w{*\"'])",
    re.MULTILINE,
)
_LONE_SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


class _Report(FlowReport, frozen=True, kw_only=True, omit_defaults=True):
    """What `poll()` of run.js returns in the end.

    Attributes:
        clean: whether nothing is left of the login.
    """

    clean: bool = True


class _CutOff(msgspec.Struct):
    """What `cutOff()` of run.js returns."""

    spoken: list[Spoken]
    position: int
    words: list[str]
    console: tuple[tuple[str, str], ...]


_report = msgspec.json.Decoder(_Report)
_cut_off = msgspec.json.Decoder(_CutOff)


class _StoppedError(Exception):
    """The code was stopped, or stopped the engine; the realm is spent."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Budget:
    """The processor time that an Action has.

    Args:
        context: where it runs; its next call gets no more than what is left.
        began: when it began, by its thread's processor time.
        ends: when its time is over.
        limit: what it was promised, for the message.
    """

    def __init__(self, context: quickjs.Context, began: float, ends: float, limit: float) -> None:
        self._context = context
        self.began = began
        self._ends = ends
        self._limit = limit
        # No thread takes more of the processor's time than passes on the wall, a clock that costs less.
        self._look_at = time.perf_counter() + (ends - began) / 8
        context.set_time_limit(ends - began)

    def check(self) -> None:
        """Check that there is time left, and let the next call have no more than that.

        The engine gives each call the whole limit anew.

        Raises:
            _StoppedError: there is none.
        """
        if time.perf_counter() < self._look_at:
            return
        now = time.thread_time()
        if now >= self._ends:
            raise _out_of_time(self._limit)
        self._context.set_time_limit(self._ends - now)


class Realm:
    """A tenant's flow, ready to run.

    Args:
        flow: the flow.
        memory_limit: bytes that all of it may take.

    Attributes:
        spent: whether the realm has to be thrown away: its next login could find something of this one.
    """

    def __init__(self, flow: FlowCode, *, memory_limit: int) -> None:
        self._mask = Mask(value for action in flow.actions for value in action.secrets.values())
        self._limits = (flow.time_limit, flow.flow_time_limit)
        self._rules = any(action.kind is ActionKind.RULE for action in flow.actions)
        self.spent = False
        self._context = context = quickjs.Context()
        context.set_memory_limit(memory_limit)
        context.set_max_stack_size(MAX_STACK)
        context.set_time_limit(SETTING_UP)
        realm = context.eval("({exposed: []})")
        context.eval("(function (realm, text) { Object.assign(realm, JSON.parse(text)); })")(
            realm, _constants()
        )
        if any(map(_PLATFORM.search, _texts(flow))):
            context.eval(_source("bundles/platform"))
        for name in _FILES:
            context.eval(_source(name))(realm)
        add, add_module = _member(context, realm, "add"), _member(context, realm, "addModule")
        for action in flow.actions:
            code, failure = compiled(context, action.source, action.kind)
            secrets = msgspec.json.encode(action.secrets).decode()
            add(action.name, action.kind.value, code, failure, secrets)
            for name, text in action.modules.items():
                add_module(name, *compiled(context, text, ActionKind.ACTION))
        self._begin, self._next, self._poll, self._fire, self._cut_off = (
            _member(context, realm, name) for name in ("begin", "next", "poll", "fire", "cutOff")
        )

    def run(self, login: FlowLogin) -> FlowReport:
        """Run the flow for a login.

        Returns:
            What it did. Whatever the code does, it ends here as a failure of its own.
        """
        started = time.thread_time()
        try:
            report = self._walk(login, started)
        except _StoppedError as stopped:
            return self._stopped(stopped, time.thread_time() - started)
        if not report.clean:
            self.spent = True
        return self._masked(report)

    def memory(self) -> int:
        """Return how many bytes the realm takes, without what is garbage."""
        self._context.gc()
        return int(self._context.memory()["memory_used_size"])

    def _walk(self, login: FlowLogin, started: float) -> _Report:
        """Take the steps of run.js until there is nothing more to do.

        Raises:
            _StoppedError: the code was stopped.
        """
        each, whole = self._limits
        context = self._context
        flow_ends = started + whole
        budget = _Budget(context, started, min(started + each, flow_ends), each)
        try:
            self._begin(
                login.tenant,
                login.event.decode(),
                float(login.at),
                login.seed.hex(),
                msgspec.json.encode(login.cache).decode() if login.cache else "",
            )
            while True:
                while context.execute_pending_job():
                    budget.check()
                now = time.thread_time()
                step = self._poll(now - budget.began)
                budget.check()
                if self._rules and step != "fire" and context.execute_pending_job():
                    # Reading what a Rule left behind has run code of it, whose jobs are nobody's any more.
                    self.spent = True
                if step == "fire":
                    if not self._fire():
                        message = "It waited for more than 20 seconds of its own time"
                        raise _StoppedError(ErrorKind.TIME, message)
                    continue
                if step != "next":
                    break
                if now >= flow_ends:
                    raise _out_of_time(whole)
                budget = _Budget(context, now, min(now + each, flow_ends), each)
                self._next()
            report: _Report = _decoded(_report, step)
        except quickjs.JSException as error:
            budget.check()
            raise _stopped_by(error) from None
        return report

    def _stopped(self, stopped: _StoppedError, seconds: float) -> FlowReport:
        """Return the report of a login whose code had to be stopped."""
        self.spent = True
        failure = Failure(kind=stopped.kind, message=str(stopped)[:MAX_MESSAGE])
        word = f"error-{stopped.kind.value}"
        try:
            self._context.set_time_limit(SETTING_UP)
            cut: _CutOff = _decoded(_cut_off, self._cut_off())
        except (quickjs.JSException, MemoryError, msgspec.DecodeError):
            # Not even that is left of it.
            spoken = (Spoken(position=0, said=word, seconds=seconds),)
            return FlowReport(spoken=spoken, failure=failure)
        before = [one for one in cut.spoken if one.position != cut.position]
        last = Spoken(
            position=cut.position,
            said="+".join([*cut.words, word]),
            seconds=max(seconds - sum(one.seconds for one in before), 0.0),
            console=cut.console,
        )
        return self._masked(FlowReport(spoken=(*before, last), failure=failure))

    def _masked(self, report: FlowReport) -> FlowReport:
        """Return the report as it may be seen; after a failure nothing else of it counts."""
        mask = self._mask
        spoken = report.spoken
        if any(one.console for one in spoken):
            spoken = tuple(
                msgspec.structs.replace(
                    one,
                    console=tuple(
                        (level, mask.cut(line, MAX_LINE, MAX_RAW)) for level, line in one.console
                    ),
                )
                for one in spoken
            )
        if (failure := report.failure) is not None:
            member = failure.member
            told = Failure(
                kind=failure.kind,
                message=mask.cut(failure.message, MAX_MESSAGE, MAX_RAW),
                member=mask.text(member)[:MAX_LINE] if member is not None else None,
            )
            return FlowReport(spoken=spoken, failure=told)
        denied, url = report.access_denied, report.redirect_url
        if spoken is report.spoken and not (report.recorded or report.factors or denied or url):
            return report
        if denied is not None:
            code = mask.text(denied.code) if denied.code is not None else None
            denied = AccessDenied(reason=mask.text(denied.reason), code=code)
        return msgspec.structs.replace(
            report,
            spoken=spoken,
            access_denied=denied,
            redirect_url=mask.text(url) if url is not None else None,
            factors=tuple(
                msgspec.structs.replace(one, options=mask.value(one.options))
                for one in report.factors
            ),
            recorded=tuple(
                msgspec.structs.replace(one, arguments=tuple(map(mask.value, one.arguments)))
                for one in report.recorded
            ),
        )


def _out_of_time(limit: float) -> _StoppedError:
    message = f"It took more than {limit * 1000:g} ms of processor time"
    return _StoppedError(ErrorKind.TIME, message)


def _stopped_by(error: BaseException) -> _StoppedError:
    text = str(error)
    if "interrupted" in text:
        return _StoppedError(ErrorKind.TIME, "It ran out of processor time")
    return _StoppedError(ErrorKind.MEMORY, "It used up its memory or its stack")


def _decoded(decoder: msgspec.json.Decoder[Any], text: str) -> Any:  # noqa: ANN401  # what the decoder is for
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        # A string in JavaScript may hold half of a pair; in UTF-8, and so on the bus, it can't.
        return decoder.decode(_LONE_SURROGATE.sub(r"\\ufffd", text))


def compiled(
    context: quickjs.Context, source: str, kind: ActionKind
) -> tuple[quickjs.Object | None, str | None]:
    """Return the module function of a source, or why there is none; nothing of it is run."""
    text = source.removeprefix("\ufeff")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return None, f"SyntaxError: it has a NUL, which the engine takes for its end (line {line})"
    if text.startswith("#!"):
        text = "//" + text
    body = f"module.exports = {text}" if kind is ActionKind.RULE else text
    try:
        # In another frame, too, which ends with another bracket: no source can close both and go on.
        context.eval(f"({{ module(exports, require, module) {{{body}\n}} }})")
        return context.eval(f"(function (exports, require, module) {{{body}\n}})"), None
    except quickjs.JSException as error:
        return None, _syntax_error(str(error), text)


def _syntax_error(told: str, source: str) -> str:
    """Return what is wrong with a source, in a line."""
    if _ES_MODULE.search(source):
        return (
            "It is an ES module. Write CommonJS: exports.onExecutePostLogin = async (event, api) => {…},"
            " and require() instead of import"
        )
    message, _, where = told.partition("\n")
    place = re.search(r":(\d+):(\d+)", where)
    return f"{message} (line {place[1]})" if place else message


def _texts(flow: FlowCode) -> list[str]:
    return [text for action in flow.actions for text in _code_of(action)]


def _code_of(action: ActionCode) -> list[str]:
    return [action.source, *action.modules.values()]


def _member(context: quickjs.Context, realm: quickjs.Object, name: str) -> Any:  # noqa: ANN401  # a function of JavaScript's
    return context.eval(f"(function (realm) {{ return realm.{name}; }})")(realm)


@cache
def _source(name: str) -> str:
    path = resources.files("countersign.actions") / "javascript" / f"{name}.js"
    return path.read_text(encoding="utf-8")


@cache
def _constants() -> str:
    """Return what the scripts are told once: limits, words, and the table of members."""
    return msgspec.json.encode(
        {
            "limits": {
                "maxLines": MAX_LINES,
                "maxRaw": MAX_RAW,
                "maxUsername": MAX_USERNAME,
                "maxBytes": MAX_REPORT_BYTES,
                "maxFactors": MAX_FACTOR_CALLS,
                "cacheEntries": MAX_ENTRIES,
                "cacheKey": MAX_KEY,
                "cacheValue": MAX_VALUE,
                "cacheLifetime": LIFETIME // MILLISECOND,
                "maxCacheLifetime": MAX_LIFETIME // MILLISECOND,
                "credentials": CREDENTIAL_LENGTHS,
                "maxUrl": MAX_URL,
            },
            "words": {
                "providers": list(Provider),
                "factors": FACTORS,
                "interactive": INTERACTIVE,
            },
            "members": [
                (member.path, member.treatment.value, member.explanation) for member in MEMBERS
            ],
        }
    ).decode()
