"""What Duo, or somebody in its place, can do wrong: a closed list, and where each can strike."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec


class Endpoint(StrEnum):
    """Duo's three endpoints."""

    HEALTH_CHECK = "health_check"
    AUTHORIZE = "authorize"
    TOKEN = "token"  # noqa: S105  # a word


class Moment(StrEnum):
    """When a fault strikes; a request meets at most one fault at each moment, in this order."""

    DELAY = "delay"
    """Before the request is looked at, which then goes on."""
    ANSWER = "answer"
    """In place of an answer; the request is not looked at."""
    CLOCK = "clock"
    """While the request is judged."""
    SIGNING = "signing"
    """Where all was well, and a token is made."""


class Fault(StrEnum):
    """What goes wrong."""

    SLOW = "slow"
    HANG = "hang"
    RESET = "reset"
    TRUNCATED = "truncated"
    BAD_REQUEST = "bad_request"
    INVALID_CLIENT = "invalid_client"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    HTML = "html"
    NOT_JSON = "not_json"
    HUGE = "huge"
    REDIRECT = "redirect"
    CLOCK_SKEW = "clock_skew"
    USED_CODE = "used_code"
    WRONG_SIGNATURE = "wrong_signature"
    ALG_NONE = "alg_none"
    ALG_HS256 = "alg_hs256"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_NONCE = "wrong_nonce"
    NO_NONCE = "no_nonce"
    EXPIRED = "expired"
    ISSUED_IN_FUTURE = "issued_in_future"
    OTHER_USER = "other_user"
    OTHER_CASE = "other_case"
    NO_USER = "no_user"
    DENY_WITH_200 = "deny_with_200"
    NO_AUTH_RESULT = "no_auth_result"
    CONTRADICTORY_RESULT = "contradictory_result"
    UNKNOWN_RESULT = "unknown_result"


class Nature(NamedTuple):
    """Where and when a fault can strike.

    Attributes:
        moment: when.
        endpoints: where.
        seconds: the least and the most that its parameter may be; None: it takes none.
    """

    moment: Moment
    endpoints: frozenset[Endpoint]
    seconds: tuple[float, float] | None = None


_ANYWHERE: Final = frozenset(Endpoint)
_TOKEN: Final = frozenset({Endpoint.TOKEN})
_ANSWERS: Final = Nature(Moment.ANSWER, _ANYWHERE)
_SIGNS: Final = Nature(Moment.SIGNING, _TOKEN)
_LONGEST_DELAY: Final = 600.0
_FARTHEST_CLOCK: Final = 10 * 365 * 86_400.0

NATURES: Final[Mapping[Fault, Nature]] = {
    **dict.fromkeys(Fault, _SIGNS),
    **dict.fromkeys(
        (
            *(Fault.HANG, Fault.RESET, Fault.TRUNCATED, Fault.BAD_REQUEST, Fault.INVALID_CLIENT),
            *(Fault.RATE_LIMITED, Fault.SERVER_ERROR, Fault.BAD_GATEWAY, Fault.HTML),
            *(Fault.HUGE, Fault.REDIRECT),
        ),
        _ANSWERS,
    ),
    # A browser at `authorize` reads no JSON.
    Fault.NOT_JSON: Nature(Moment.ANSWER, _ANYWHERE - {Endpoint.AUTHORIZE}),
    Fault.USED_CODE: Nature(Moment.ANSWER, _TOKEN),
    Fault.SLOW: Nature(Moment.DELAY, _ANYWHERE, (0.001, _LONGEST_DELAY)),
    Fault.CLOCK_SKEW: Nature(Moment.CLOCK, _ANYWHERE, (-_FARTHEST_CLOCK, _FARTHEST_CLOCK)),
}


class Visitor(NamedTuple):
    """Whose request it is, as far as it says so itself.

    Attributes:
        endpoint: where it came.
        client_id: which client sent it; None: it doesn't say.
        username: which Duo user it is about; None: about none, as a health check, or it doesn't say.
    """

    endpoint: Endpoint
    client_id: str | None
    username: str | None


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that is in force.

    Attributes:
        id: names it.
        fault: what goes wrong.
        endpoint: where; None: wherever it can.
        username: for which Duo user; None: for all.
        client_id: for which client; None: for all.
        times: how often it was to strike; None: until it is removed.
        left: how often it still will.
        seconds: how long, or how far; None: it takes no such parameter.
    """

    id: str
    fault: Fault
    endpoint: Endpoint | None
    username: str | None
    client_id: str | None
    times: int | None
    left: int | None
    seconds: float | None

    def meets(self, visitor: Visitor) -> bool:
        """Return whether it strikes this visitor."""
        return (
            visitor.endpoint in NATURES[self.fault].endpoints
            and self.endpoint in {None, visitor.endpoint}
            and self.username in {None, visitor.username}
            and self.client_id in {None, visitor.client_id}
        )
