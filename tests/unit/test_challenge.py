"""A challenge's table of transitions, and what each signal makes of the value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from countersign.core.challenge import (
    MAX_VISITS,
    PUBLICATION_GRACE,
    TERMINAL,
    TRANSITIONS,
    Challenge,
    Proof,
    Signal,
    State,
    claim,
    come_back,
    deny,
    due_at,
    earns_remembering,
    expire,
    fail,
    give_up,
    next_state,
    prove,
    skip,
    visit,
)
from countersign.core.errors import IllegalTransitionError
from countersign.core.result import Assurance, Reason, ResultType, Verdict
from tests.builders import NOW, PSEUDONYMS, a_challenge, a_proven_challenge, a_visit

TERM = timedelta(seconds=15)
DEADLINE = NOW + timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


def code_hash(challenge: Challenge, code: str = "the-right-code") -> str:
    """Return what the store keeps of a return code."""
    return PSEUDONYMS.code(challenge.id, code)


def a_proof(assurance: Assurance = Assurance.MFA) -> Proof:
    """Return Duo's proof for the challenge of Alice's login."""
    return Proof(assurance=assurance, code_hash=code_hash(a_challenge()), visit=a_visit())


S, G = State, Signal
WAYS: dict[State, dict[Signal, State]] = {
    S.PENDING: {
        G.VISITED: S.PENDING,
        G.CLAIMED: S.EXCHANGING,
        G.DUO_SKIPPED: S.PROVEN,
        G.DUO_DENIED: S.DENIED,
        G.DUO_FAILED: S.FAILED,
        G.DUO_UNREACHABLE: S.FAILED,
        G.RETURNED_WRONG: S.DENIED,
        G.OVERDUE: S.EXPIRED,
    },
    S.EXCHANGING: {
        G.VISITED: S.PENDING,
        G.CLAIMED: S.EXCHANGING,
        G.DUO_ALLOWED: S.PROVEN,
        G.DUO_DENIED: S.DENIED,
        G.DUO_BYPASSED: S.DENIED,
        G.FRAUD_REPORTED: S.DENIED,
        G.DUO_FAILED: S.FAILED,
        G.DUO_UNREACHABLE: S.FAILED,
        G.RETURNED_WRONG: S.DENIED,
        G.OVERDUE: S.EXPIRED,
    },
    S.PROVEN: {
        G.RETURNED: S.PASSED,
        G.RETURNED_UNPROVEN: S.FAILED_OPEN,
        G.RETURNED_WRONG: S.DENIED,
        G.OVERDUE: S.EXPIRED,
    },
    S.PASSED: {},
    S.FAILED_OPEN: {},
    S.DENIED: {},
    S.EXPIRED: {},
    S.FAILED: {},
}


@pytest.mark.law(5)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", Signal)
def test_a_challenge_moves_as_the_table_says_or_not_at_all(state: State, signal: Signal) -> None:
    """Law 5: every state meets every signal either with its one next state or with a refusal."""
    expected = WAYS[state].get(signal)
    if expected is None:
        with pytest.raises(IllegalTransitionError):
            next_state(state, signal)
    else:
        assert next_state(state, signal) is expected


@pytest.mark.law(5)
def test_an_outcome_has_no_way_out_and_every_other_state_ends() -> None:
    """Law 5: terminal states take nothing; each other state expires, so none waits for ever."""
    assert {state for state in State if not WAYS[state]} == TERMINAL
    assert {state for state in State if (state, G.OVERDUE) in TRANSITIONS} == set(State) - TERMINAL


@pytest.mark.law(6)
def test_passed_is_reached_by_a_proof_and_the_return_alone() -> None:
    """Law 6: the table's one way to `passed` is RETURNED, from a state that Duo's word opened."""
    assert [way for way, to in TRANSITIONS.items() if to is S.PASSED] == [(S.PROVEN, G.RETURNED)]
    assert {way for way, to in TRANSITIONS.items() if to is S.PROVEN} == {
        (S.EXCHANGING, G.DUO_ALLOWED),
        (S.PENDING, G.DUO_SKIPPED),
    }


def test_the_way_through_duo_and_back_passes() -> None:
    """Claimed, proven and returned in time with the code: passed, with the proof's assurance."""
    claimed = claim(a_challenge(), "holder", NOW, TERM)
    assert claimed.state is S.EXCHANGING
    proven = prove(claimed, "holder", a_proof(), NOW + MINUTE)
    assert (proven.state, proven.lease, proven.outcome) == (S.PROVEN, None, None)
    passed = come_back(proven, code_hash(proven), NOW + 2 * MINUTE)
    assert passed.state is S.PASSED
    assert passed.revision == 3
    assert passed.outcome is not None
    assert passed.outcome.type is ResultType.CHALLENGE_PASSED
    assert passed.outcome.reason is Reason.DUO_ALLOWED
    assert passed.outcome.assurance is Assurance.MFA
    assert passed.outcome.decided_at == NOW + 2 * MINUTE
    assert passed.outcome.settings_version == passed.settings_version
    assert passed.outcome.trace == ("challenge-proven", "returned")


def _visited() -> Challenge:
    return visit(a_challenge(), a_visit(), NOW)


def _claimed() -> Challenge:
    return claim(a_challenge(), "holder", NOW, TERM)


def _skipped() -> Challenge:
    return skip(a_challenge(), code_hash(a_challenge()), a_visit(), NOW)


@pytest.mark.parametrize(
    ("end", "kind", "reason", "assurance"),
    [
        (
            lambda: deny(_claimed(), "holder", NOW),
            ResultType.CHALLENGE_DENIED,
            Reason.DUO_DENIED,
            Assurance.NONE,
        ),
        (
            lambda: fail(_claimed(), "holder", NOW),
            ResultType.CHALLENGE_FAILED,
            Reason.DUO_FAILED,
            Assurance.NONE,
        ),
        (
            lambda: fail(a_challenge(), None, NOW),
            ResultType.CHALLENGE_FAILED,
            Reason.DUO_FAILED,
            Assurance.NONE,
        ),
        (
            lambda: give_up(a_challenge(), None, NOW),
            ResultType.CHALLENGE_FAILED,
            Reason.DUO_UNAVAILABLE,
            Assurance.NONE,
        ),
        (
            lambda: give_up(_claimed(), "holder", NOW),
            ResultType.CHALLENGE_FAILED,
            Reason.DUO_UNAVAILABLE,
            Assurance.NONE,
        ),
        (
            lambda: expire(_claimed(), DEADLINE),
            ResultType.CHALLENGE_EXPIRED,
            Reason.NOT_BACK_IN_TIME,
            Assurance.NONE,
        ),
        (
            lambda: come_back(a_proven_challenge(), "wrong", NOW),
            ResultType.CHALLENGE_DENIED,
            Reason.WRONG_RETURN_CODE,
            Assurance.NONE,
        ),
        (
            lambda: come_back(_skipped(), code_hash(a_challenge()), NOW),
            ResultType.CHALLENGE_FAILED_OPEN,
            Reason.DUO_UNAVAILABLE,
            Assurance.FAIL_OPEN,
        ),
        (
            lambda: come_back(
                a_proven_challenge(assurance=Assurance.DUO_BYPASS), code_hash(a_challenge()), NOW
            ),
            ResultType.CHALLENGE_PASSED,
            Reason.DUO_ALLOWED,
            Assurance.DUO_BYPASS,
        ),
    ],
)
@pytest.mark.law(6)
def test_every_other_end_says_what_it_is(
    end: Callable[[], Challenge], kind: ResultType, reason: Reason, assurance: Assurance
) -> None:
    """Law 6: each end has its own kind and reason, and never the assurance of another."""
    ended = end()
    assert ended.state in TERMINAL
    assert ended.outcome is not None
    assert (ended.outcome.type, ended.outcome.reason) == (kind, reason)
    assert ended.outcome.assurance is assurance
    assert ended.lease is None
    assert not earns_remembering(ended)
    assert (assurance is Assurance.NONE) == (ended.outcome.verdict is Verdict.DENY)


@pytest.mark.law(5)
def test_a_running_lease_keeps_others_out_and_a_lapsed_one_does_not() -> None:
    """Law 5: who claims second is refused until the lease ends; then the first has lost it."""
    first = _claimed()
    with pytest.raises(IllegalTransitionError):
        claim(first, "other", NOW + TERM - timedelta(milliseconds=1), TERM)
    second = claim(first, "other", NOW + TERM, TERM)
    for act in (deny, fail, give_up):
        for holder in ("holder", None):
            with pytest.raises(IllegalTransitionError):
                act(second, holder, NOW + TERM)
    with pytest.raises(IllegalTransitionError):
        prove(second, "holder", a_proof(), NOW + TERM)
    assert prove(second, "other", a_proof(), NOW + TERM).state is S.PROVEN


def test_without_a_lease_nobody_speaks_for_duo() -> None:
    """A challenge that nobody claimed takes no word of Duo's."""
    for act in (deny, fail, give_up):
        with pytest.raises(IllegalTransitionError):
            act(a_challenge(), "holder", NOW)
    with pytest.raises(IllegalTransitionError):
        prove(a_challenge(), "holder", a_proof(), NOW)


@pytest.mark.law(6)
@pytest.mark.parametrize("assurance", [Assurance.NONE, Assurance.REMEMBERED, Assurance.FAIL_OPEN])
def test_what_is_no_proof_by_duo_proves_nothing(assurance: Assurance) -> None:
    """Law 6: a fail-open or nothing at all, dressed as Duo's word, is refused."""
    with pytest.raises(IllegalTransitionError):
        prove(_claimed(), "holder", a_proof(assurance), NOW)


@pytest.mark.law(8)
def test_a_fail_open_comes_only_before_a_prompt() -> None:
    """Law 8: once a prompt was opened, being unable to reach Duo opens nothing."""
    for challenge in (_visited(), _claimed(), a_proven_challenge(), _skipped()):
        with pytest.raises(IllegalTransitionError):
            skip(challenge, code_hash(challenge), a_visit(), NOW)


def test_an_outage_leaves_an_open_prompt_alone() -> None:
    """While a prompt may still be answered, being unable to open another one ends nothing."""
    with pytest.raises(IllegalTransitionError):
        give_up(_visited(), None, NOW)


def test_each_visit_has_a_prompt_of_its_own() -> None:
    """Two tabs have a visit each, and either may come back; only the latest are kept."""
    challenge = a_challenge()
    for number in range(MAX_VISITS + 1):
        challenge = visit(challenge, a_visit(f"visit-{number}"), NOW)
    assert challenge.state is S.PENDING
    assert [one.id for one in challenge.visits] == [f"visit-{n}" for n in range(1, MAX_VISITS + 1)]


@pytest.mark.law(5)
def test_a_visit_waits_for_a_running_exchange_and_revives_a_crashed_one() -> None:
    """Law 5: a visit leaves a running lease alone; once it lapsed, who held it has lost it."""
    claimed = claim(_visited(), "holder", NOW, TERM)
    with pytest.raises(IllegalTransitionError):
        visit(claimed, a_visit("visit-2"), NOW)
    revived = visit(claimed, a_visit("visit-2"), NOW + TERM)
    assert (revived.state, revived.lease) == (S.PENDING, None)
    with pytest.raises(IllegalTransitionError):
        prove(revived, "holder", a_proof(), NOW + TERM)


def test_an_outcome_is_due_soon_and_a_challenge_at_its_deadline() -> None:
    """A sweeper looks after a challenge at its deadline, and after an outcome once it should be out."""
    assert due_at(a_challenge()) == DEADLINE
    assert due_at(deny(_claimed(), "holder", NOW)) == NOW + PUBLICATION_GRACE


@pytest.mark.law(6)
@pytest.mark.parametrize("make", [a_challenge, _claimed])
def test_a_code_before_the_proof_denies(make: Callable[[], Challenge]) -> None:
    """Law 6: before Duo's word no code can be right, not even the one given out later."""
    challenge = make()
    ended = come_back(challenge, code_hash(challenge), NOW)
    assert ended.state is S.DENIED


@pytest.mark.law(6)
def test_another_challenges_code_denies() -> None:
    """Law 6: a code is bound to its challenge, so the same text for another one is wrong."""
    proven = a_proven_challenge()
    other = PSEUDONYMS.code("00" + "B" * 22, "the-right-code")
    assert come_back(proven, other, NOW).state is S.DENIED


@pytest.mark.law(6)
def test_after_the_deadline_everything_expires() -> None:
    """Law 6: a claim, a proof, a fail-open or the right code at the deadline is too late."""
    pending, claimed, proven = a_challenge(), _claimed(), a_proven_challenge()
    late = (
        claim(pending, "holder", DEADLINE, TERM),
        claim(claimed, "holder", DEADLINE, TERM),
        claim(proven, "holder", DEADLINE, TERM),
        prove(claimed, "holder", a_proof(), DEADLINE),
        skip(pending, code_hash(pending), a_visit(), DEADLINE),
        come_back(proven, code_hash(proven), DEADLINE),
        come_back(pending, code_hash(pending), DEADLINE),
        expire(proven, DEADLINE),
    )
    assert {challenge.state for challenge in late} == {S.EXPIRED}


def test_nothing_expires_before_its_deadline() -> None:
    """The sweeper's clock may be early; the challenge is not ended by it."""
    with pytest.raises(IllegalTransitionError):
        expire(a_challenge(), DEADLINE - timedelta(milliseconds=1))


@pytest.mark.law(7)
def test_only_real_mfa_with_a_browser_earns_remembering() -> None:
    """Law 7: not a bypass, not a fail-open, not without a browser, and not before `passed`."""

    def passed(assurance: Assurance, *, remembers: bool = True) -> Challenge:
        proven = a_proven_challenge(assurance=assurance, remembers=remembers)
        assert not earns_remembering(proven)
        return come_back(proven, code_hash(proven), NOW)

    assert earns_remembering(passed(Assurance.MFA))
    assert not earns_remembering(passed(Assurance.MFA, remembers=False))
    assert not earns_remembering(passed(Assurance.DUO_BYPASS))
    assert not earns_remembering(come_back(_skipped(), code_hash(a_challenge()), NOW))
