"""What passes between a worker and the process that runs tenants' code: a flow, a login, a report.

Plain values, so that a batch of them crosses the border in one message.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from countersign.core.action import ActionKind
from countersign.core.result import AccessDenied, Factor, Recorded

SETTING_UP = 2.0
"""Seconds of processor time that compiling a flow may take."""
MAX_LINE = 256
"""Characters of a console line that are kept (Auth0)."""
MAX_LINES = 50
"""Console lines of a login that are kept; what comes after is counted only."""
MAX_REPORT_BYTES = 32_768
"""Of all effects of a login together; more is an error of the Action that went beyond."""


class ActionCode(msgspec.Struct, frozen=True, kw_only=True):
    """An Action as it is run.

    Attributes:
        name: what it is called in the flow.
        version: which version of it.
        kind: `action` or `rule`.
        source: the code.
        modules: CommonJS code by the name that `require` knows it by.
        secrets: what `event.secrets` and `configuration` hold, in clear.
    """

    name: str
    version: int
    kind: ActionKind
    source: str
    modules: dict[str, str] = {}
    secrets: dict[str, str] = {}

    def __repr__(self) -> str:
        """Return which Action it is, without its secrets (law 9)."""
        return f"ActionCode(name={self.name!r}, version={self.version!r})"


class FlowCode(msgspec.Struct, frozen=True, kw_only=True):
    """The JavaScript of a tenant's flow, in the order in which it runs.

    Attributes:
        actions: at least one.
        time_limit: seconds of processor time that one Action may take.
        flow_time_limit: seconds of processor time that all of them may take.
    """

    actions: tuple[ActionCode, ...]
    time_limit: float
    flow_time_limit: float


class FlowLogin(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A login that a flow is run for.

    Attributes:
        tenant: whose it is; becomes `event.tenant.id`.
        event: the event's data, a JSON object.
        at: the event's instant, in milliseconds since 1970: the flow's clock.
        seed: 16 bytes that follow from the event's identity: the flow's random numbers.
        cache: the tenant's cache: value, and end in milliseconds, by key.
    """

    tenant: str
    event: bytes
    at: int
    seed: bytes
    cache: dict[str, tuple[str, int]] = {}


class ErrorKind(StrEnum):
    """How an Action failed; a closed list. Each denies the login."""

    THREW = "threw"
    """It threw, or its promise was rejected; a Rule called back with an error counts so, too."""
    TIME = "time"
    """It, or the flow, ran out of processor time, or waited for too long."""
    NEVER_SETTLED = "never-settled"
    """Nothing is left to run, and its promise is pending or its callback was not called."""
    MEMORY = "memory"
    """The flow's memory, or the stack, was used up."""
    OUTPUT = "output"
    """Its effects are too many or too large."""
    UNSUPPORTED = "unsupported"
    """It used a member that can't be supported here."""
    INVALID_CALL = "invalid-call"
    """It called a member with something that the member can't take."""
    BROKEN = "broken"
    """Its source or a module can't be compiled, or it exports no `onExecutePostLogin`."""
    SHARE = "share"
    """The tenant has used up its share of the worker's time; the Action was not run."""
    MISSING = "missing"
    """The settings name it, and it is not there, or its secrets can't be unsealed."""
    CRASHED = "crashed"
    """The process that ran it ended twice."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why an Action failed.

    Attributes:
        kind: how.
        message: for the log of the people who write the Action; secrets are masked in it.
        member: the api's member that was called, for `unsupported` and `invalid-call`.
    """

    kind: ErrorKind
    message: str
    member: str | None = None


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """What one Action of a flow said.

    Attributes:
        position: which Action of the flow.
        said: in a word: `silent`, `enable-` and the provider, `deny`, `redirect`, `challenge-with`,
            `enroll-with`, `recorded`, or `error-` and the kind. Several words are joined by `+`, each
            once, in the order of the calls.
        seconds: processor time that it took.
        console: level and text of each line, masked and cut.
    """

    position: int
    said: str
    seconds: float
    console: tuple[tuple[str, str], ...] = ()


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A Duo account in an Action's `providerOptions`, in clear.

    Attributes:
        ikey: Duo's Client ID.
        skey: Duo's Client secret.
        host: Duo's API hostname.
    """

    ikey: str
    skey: str
    host: str

    def __repr__(self) -> str:
        """Return which account it is, without its secret (law 9)."""
        return f"Credentials(ikey={self.ikey!r}, host={self.host!r})"


class FlowReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a flow did for one login.

    Attributes:
        spoken: what each Action that ran said, in order.
        failure: why the last of them failed, if it did; then nothing else of the report counts.
        access_denied: code and reason, if an Action denied.
        redirect_url: where an Action sends the browser, if it does; the flow's end.
        provider: the last `enable`'s provider.
        allow_remember_browser: what it said of remembering; the surface's default where it said nothing.
        credentials: its own Duo account.
        username: its own user name; "" where it named an attribute that is missing.
        factors: built-in factors that the flow waits for; the flow's end.
        recorded: calls that change nothing here; metadata aggregated, the last value of a key.
        cache: key, value (None: deleted) and end in milliseconds of each change, in order.
    """

    spoken: tuple[Spoken, ...] = ()
    failure: Failure | None = None
    access_denied: AccessDenied | None = None
    redirect_url: str | None = None
    provider: str | None = None
    allow_remember_browser: bool | None = None
    credentials: Credentials | None = None
    username: str | None = None
    factors: tuple[Factor, ...] = ()
    recorded: tuple[Recorded, ...] = ()
    cache: tuple[tuple[str, str | None, int | None], ...] = ()
