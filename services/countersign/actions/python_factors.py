"""`api.authentication` of a Python Action: built-in factors that the login waits for, which ends the flow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from countersign.actions.python_notes import (
    Group,
    InvalidCallError,
    Notes,
    json_value,
    need_text,
)
from countersign.actions.vocabulary import FACTORS, MAX_FACTOR_CALLS
from countersign.core.result import Factor

_Api = TypeVar("_Api")


class Authentication(Group[_Api]):
    """`api.authentication`."""

    _name = "authentication"

    def __init__(self, api: _Api, notes: Notes) -> None:
        super().__init__(api, notes)
        self._calls = 0

    def challenge_with(
        self,
        factor: str | Mapping[str, Any],
        *,
        additional_factors: Iterable[str | Mapping[str, Any]] = (),
    ) -> _Api:
        """Have the user challenged with a built-in factor; the flow ends, and the login is delegated.

        Args:
            factor: its type, or a mapping with `type` and `options`.
            additional_factors: what the user may take in its place.
        """
        return self._wait("challengeWith", (factor, *additional_factors), enroll=False)

    def challenge_with_any(self, factors: Iterable[str | Mapping[str, Any]]) -> _Api:
        """Have the user challenged with one of these factors; see `challenge_with`."""
        return self._wait("challengeWithAny", tuple(factors), enroll=False)

    def enroll_with(
        self,
        factor: str | Mapping[str, Any],
        *,
        additional_factors: Iterable[str | Mapping[str, Any]] = (),
    ) -> _Api:
        """Have the user enroll a built-in factor; see `challenge_with`."""
        return self._wait("enrollWith", (factor, *additional_factors), enroll=True)

    def enroll_with_any(self, factors: Iterable[str | Mapping[str, Any]]) -> _Api:
        """Have the user enroll one of these factors; see `challenge_with`."""
        return self._wait("enrollWithAny", tuple(factors), enroll=True)

    def record_method(self, url: str) -> _Api:
        """Have the relying party told of a method that the user has completed."""
        need_text("authentication.recordMethod", "the method", url)
        self._notes.record("authentication.recordMethod", url)
        return self._api

    def set_primary_user(self, user_id: str) -> _Api:
        """Have the relying party told which user is the primary one."""
        need_text("authentication.setPrimaryUser", "the user's id", user_id)
        self._notes.record("authentication.setPrimaryUser", user_id)
        return self._api

    def _wait(
        self, name: str, factors: tuple[str | Mapping[str, Any], ...], *, enroll: bool
    ) -> _Api:
        call = f"authentication.{name}"
        self._calls += 1
        if self._calls > MAX_FACTOR_CALLS:
            raise InvalidCallError(call, f"is called more than {MAX_FACTOR_CALLS} times")
        if not factors:
            raise InvalidCallError(call, "names no factor")
        read = tuple(_factor(call, factor, enroll=enroll) for factor in factors)
        self._notes.say(
            "enroll-with" if enroll else "challenge-with",
            factors=(*self._notes.report.factors, *read),
        )
        return self._api


def _factor(call: str, given: str | Mapping[str, Any], *, enroll: bool) -> Factor:
    described = {"type": given} if isinstance(given, str) else given
    if not isinstance(described, Mapping) or set(described) - {"type", "options"}:
        raise InvalidCallError(call, "a factor is its type, or a mapping with type and options")
    kind, options = described.get("type"), described.get("options")
    if not isinstance(kind, str) or kind not in FACTORS:
        raise InvalidCallError(call, f"a factor's type is none of {', '.join(sorted(FACTORS))}")
    if options is not None and not isinstance(options, Mapping):
        raise InvalidCallError(call, "a factor's options are no mapping")
    return Factor(
        type=kind, enroll=enroll, options=None if options is None else json_value(call, options)
    )
