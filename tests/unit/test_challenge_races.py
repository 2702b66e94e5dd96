"""A challenge among callbacks, returns and sweepers that read it at different times, by hypothesis.

Everybody works on what they read, and stores through one compare-and-set on the revision.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from countersign.core import challenge as moves
from countersign.core.challenge import TERMINAL, Challenge, Proof, State, earns_remembering
from countersign.core.errors import IllegalTransitionError
from countersign.core.result import Assurance, Outcome, Verdict
from tests.builders import NOW, PSEUDONYMS, a_challenge, a_visit

TERM = timedelta(seconds=15)
ACTORS = ("callback-1", "callback-2", "sweeper")

actors = st.sampled_from(ACTORS)
holders = st.sampled_from(("holder-1", "holder-2"))
codes = st.sampled_from(("code-1", "code-2", "code-3"))


class Races(RuleBasedStateMachine):
    """One challenge, a few processes with old copies of it, and a clock that also jumps back."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.stored = a_challenge()
        self.copies: dict[str, Challenge] = dict.fromkeys(ACTORS, self.stored)
        self.first_outcome: Outcome | None = None
        self.duo_said: Assurance | None = None
        self.code: str | None = None
        self.leases: list[str] = []
        self.prompted = False

    def move(self, actor: str, step: Callable[[Challenge], Challenge]) -> Challenge | None:
        """Compute the next value from the actor's copy, and store it if that copy still stands."""
        copy = self.copies[actor]
        try:
            following = step(copy)
        except IllegalTransitionError:
            return None
        assert following.revision == copy.revision + 1
        assert copy.state not in TERMINAL
        if copy.revision != self.stored.revision:
            return None
        self.stored = following
        return following

    @rule(actor=actors)
    def read(self, actor: str) -> None:
        """A process reads the challenge."""
        self.copies[actor] = self.stored

    @rule(seconds=st.sampled_from((1, 10, 20, 90, 200, -5)))
    def tick(self, seconds: int) -> None:
        """Time passes; clocks of machines differ, so it may also go back."""
        self.now += timedelta(seconds=seconds)

    @rule(actor=actors)
    def visit(self, actor: str) -> None:
        """A browser is sent to a prompt."""
        before = self.stored
        moved = self.move(actor, lambda c: moves.visit(c, a_visit(), self.now))
        if moved is not None and moved.state is State.PENDING:
            assert before.lease is None or self.now >= before.lease.until
            self.prompted = True

    @rule(actor=actors, holder=st.none() | holders)
    def give_up(self, actor: str, holder: str | None) -> None:
        """Duo is out of reach, and the failmode is closed."""
        if moved := self.move(actor, lambda c: moves.give_up(c, holder, self.now)):
            assert moved.state is State.FAILED
            assert holder is None or self.leases[-1] == holder
            assert holder is not None or not self.prompted

    @rule(actor=actors, holder=holders)
    def claim(self, actor: str, holder: str) -> None:
        """A callback takes the lease."""
        before = self.stored
        moved = self.move(actor, lambda c: moves.claim(c, holder, self.now, TERM))
        if moved is not None and moved.state is State.EXCHANGING:
            assert before.lease is None or self.now >= before.lease.until
            self.leases.append(holder)

    @rule(actor=actors, holder=holders, code=codes, by=st.sampled_from((*Assurance, Assurance.MFA)))
    def prove(self, actor: str, holder: str, code: str, by: Assurance) -> None:
        """A callback brings Duo's allow."""
        code_hash = PSEUDONYMS.code(self.stored.id, code)
        proof = Proof(assurance=by, code_hash=code_hash, visit=a_visit())
        moved = self.move(actor, lambda c: moves.prove(c, holder, proof, self.now))
        if moved is not None and moved.state is State.PROVEN:
            assert by in {Assurance.MFA, Assurance.DUO_BYPASS}
            assert self.leases[-1] == holder
            self.duo_said, self.code = by, code

    @rule(actor=actors, code=codes)
    def skip(self, actor: str, code: str) -> None:
        """Duo is out of reach, and the failmode is open."""
        code_hash = PSEUDONYMS.code(self.stored.id, code)
        moved = self.move(actor, lambda c: moves.skip(c, code_hash, a_visit(), self.now))
        if moved is not None and moved.state is State.PROVEN:
            assert self.duo_said is None
            assert not self.prompted
            self.duo_said, self.code = Assurance.FAIL_OPEN, code

    @rule(actor=actors, holder=holders)
    def deny(self, actor: str, holder: str) -> None:
        """Duo denies."""
        if moved := self.move(actor, lambda c: moves.deny(c, holder, self.now)):
            assert moved.state is State.DENIED
            assert self.leases[-1] == holder

    @rule(actor=actors, holder=holders)
    def fail(self, actor: str, holder: str) -> None:
        """Duo fails."""
        if moved := self.move(actor, lambda c: moves.fail(c, holder, self.now)):
            assert moved.state is State.FAILED
            assert self.leases[-1] == holder

    @rule(actor=actors)
    def expire(self, actor: str) -> None:
        """The sweeper comes by."""
        if moved := self.move(actor, lambda c: moves.expire(c, self.now)):
            assert moved.state is State.EXPIRED
            assert self.now >= moved.deadline

    @rule(actor=actors, code=codes)
    def come_back(self, actor: str, code: str) -> None:
        """The browser returns with a code."""
        code_hash = PSEUDONYMS.code(self.stored.id, code)
        moved = self.move(actor, lambda c: moves.come_back(c, code_hash, self.now))
        if moved is None or moved.outcome is None or moved.outcome.verdict is not Verdict.ALLOW:
            return
        assert code == self.code
        assert self.now < moved.deadline
        assert moved.outcome.assurance is self.duo_said
        assert (moved.state is State.FAILED_OPEN) == (self.duo_said is Assurance.FAIL_OPEN)

    @invariant()
    def one_outcome(self) -> None:
        """Law 5: an outcome stands exactly in a terminal state, and never changes."""
        assert (self.stored.state in TERMINAL) == (self.stored.outcome is not None)
        if self.first_outcome is None:
            self.first_outcome = self.stored.outcome
        assert self.stored.outcome == self.first_outcome

    @invariant()
    def passed_is_proven(self) -> None:
        """Law 6: passed was proven by Duo before."""
        if self.stored.state is State.PASSED:
            assert self.duo_said in {Assurance.MFA, Assurance.DUO_BYPASS}

    @invariant()
    def remembering_is_earned(self) -> None:
        """Law 7: only a pass by real MFA is remembered."""
        earned = self.stored.state is State.PASSED and self.duo_said is Assurance.MFA
        assert earns_remembering(self.stored) == earned

    @invariant()
    def a_lease_is_held_only_while_exchanging(self) -> None:
        """Nobody holds a challenge that is not being exchanged."""
        assert (self.stored.lease is not None) == (self.stored.state is State.EXCHANGING)


TestRaces = pytest.mark.law(5)(pytest.mark.law(6)(pytest.mark.law(7)(Races.TestCase)))
TestRaces.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
