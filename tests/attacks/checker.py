"""Holds what the attacks left behind to what must always hold; it reads, and asks no process anything.

Each check yields a sentence for each thing that is wrong. Nothing here knows what the rows expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from countersign.core.challenge import Challenge, State
from countersign.core.errors import InvalidEventError
from countersign.core.identity import EventIdentity, Pseudonyms, Stage, bucket_of, murmur2
from countersign.core.identity import result_id as id_of
from countersign.core.login import Inbound, LoginAttempted, LoginReturned
from countersign.core.result import Assurance, Reason, ResultType, Verdict
from countersign.simulator.ledger import Kind
from countersign.wire.dead_letter import read_dead_letter
from countersign.wire.inbound import read_event
from countersign.wire.records import unpack_browser
from countersign.wire.results import Result, read_result
from tests.attacks.evidence import DEAD_LETTERS, LOGIN_EVENTS, RESULTS, Evidence, Record

_ASSURED = {
    ResultType.LOGIN_ALLOWED: {Assurance.REMEMBERED},
    ResultType.CHALLENGE_PASSED: {Assurance.MFA, Assurance.DUO_BYPASS},
    ResultType.CHALLENGE_FAILED_OPEN: {Assurance.FAIL_OPEN},
}
"""What may stand behind an allow where MFA is always due."""
_TOLD_AT_ONCE = {Reason.DUO_DENIED, Reason.DUO_FAILED}


class _Case(NamedTuple):
    """The evidence, read."""

    evidence: Evidence
    pseudonyms: Pseudonyms
    events: dict[tuple[int, int], Inbound]
    letters: dict[tuple[int, int], Record]
    results: dict[str, Result]
    challenges: dict[str, Challenge]

    def challenge_of(self, identity: EventIdentity) -> Challenge | None:
        """Return a login's challenge."""
        mine = self.pseudonyms.event(identity)
        return next((one for name, one in self.challenges.items() if name[2:] == mine), None)


def violations(evidence: Evidence, pseudonyms: Pseudonyms) -> list[str]:
    """Return everything that is wrong with the evidence."""
    found: list[str] = []
    results: dict[str, Result] = {}
    first: dict[str, Record] = {}
    for record in evidence.topics[RESULTS]:
        result = read_result(record.value or b"", record.headers)
        standing = first.setdefault(result.id, record)
        results.setdefault(result.id, result)
        if (standing.key, standing.value, standing.headers) != (
            record.key,
            record.value,
            record.headers,
        ):
            found.append(f"two copies of a result of {result.identity} differ")
    events: dict[tuple[int, int], Inbound] = {}
    for record in evidence.topics[LOGIN_EVENTS]:
        try:
            event = read_event(record.key, record.value, record.headers)
        except InvalidEventError:
            continue
        events[record.partition, record.offset] = event
    letters: dict[tuple[int, int], Record] = {}
    for record in evidence.topics[DEAD_LETTERS]:
        letter = read_dead_letter(record.key, record.value, record.headers)
        letters[letter.partition, letter.offset] = record
    case = _Case(evidence, pseudonyms, events, letters, results, evidence.challenges())
    for check in (_answered, _first_come, _caused, _ended, _let_in, _remembered, _told):
        found += check(case)
    return found


def _answered(case: _Case) -> Iterator[str]:
    """Each event has one decision or one dead letter, and a dead letter is the event as it came."""
    originals = {(one.partition, one.offset): one for one in case.evidence.topics[LOGIN_EVENTS]}
    for place, record in originals.items():
        event, letter, said = case.events.get(place), case.letters.get(place), case.results
        match event:
            case _ if letter is not None:
                if (letter.key, letter.value) != (record.key, record.value):
                    yield f"the dead letter of {place} is not what came"
            case None:
                yield f"{place} holds no event, and is no dead letter"
            case LoginAttempted() if id_of(event.identity, Stage.DECISION) not in said:
                yield f"{event.identity} has neither a decision nor a dead letter"
            case LoginReturned() if id_of(event.login, Stage.OUTCOME) not in said:
                yield f"the return to {event.login} has settled nothing"
            case _:
                pass
    for place in case.letters.keys() - originals.keys():
        yield f"a dead letter is of {place}, where nothing stands"


def _first_come(case: _Case) -> Iterator[str]:
    """Of several events under one id the first alone is taken; the others are dead letters."""
    taken: dict[EventIdentity, set[bytes]] = {}
    for place, event in case.events.items():
        if isinstance(event, LoginAttempted) and place not in case.letters:
            taken.setdefault(event.identity, set()).add(event.digest)
    for identity, payloads in taken.items():
        if len(payloads) > 1:
            yield f"{len(payloads)} events under {identity} were taken"


def _caused(case: _Case) -> Iterator[str]:
    """Each result answers an event of its own tenant and user, under the id that follows from it."""
    logins = {
        event.identity: event for event in case.events.values() if isinstance(event, LoginAttempted)
    }
    for result in case.results.values():
        event = logins.get(result.identity)
        ended = result.type.value.startswith("challenge.")
        if event is None:
            yield f"a result answers {result.identity}, which nobody published"
        elif result.body.subject != event.subject and not _conflicted(case, result):
            yield f"the result of {result.identity} names another user"
        if result.id != id_of(result.identity, Stage.OUTCOME if ended else Stage.DECISION):
            yield f"a result of {result.identity} has an id of its own"


def _conflicted(case: _Case, result: Result) -> bool:
    """Say whether several events came under one id, of which the result answers the first."""
    same = [one for one in case.events.values() if one.identity == result.identity]
    return any(one.subject == result.body.subject for one in same)


def _ended(case: _Case) -> Iterator[str]:
    """Each challenge has one outcome, the one that stands in Redis; and each outcome a challenge."""
    for result in case.results.values():
        outcome = case.results.get(id_of(result.identity, Stage.OUTCOME))
        decision = case.results.get(id_of(result.identity, Stage.DECISION))
        if result.type is ResultType.LOGIN_CHALLENGED and outcome is None:
            yield f"the challenge of {result.identity} has no outcome"
        if result is outcome and (
            decision is None or decision.type is not ResultType.LOGIN_CHALLENGED
        ):
            yield f"{result.identity} has an outcome, and was not challenged"
    for challenge in case.challenges.values():
        outcome = case.results.get(id_of(challenge.identity, Stage.OUTCOME))
        stored = challenge.outcome
        if stored is None:
            yield f"the challenge of {challenge.identity} stands as {challenge.state}"
        elif outcome is None or (stored.type, stored.reason) != (
            outcome.type,
            outcome.body.reason,
        ):
            yield f"{challenge.identity} has another outcome in Redis than on the bus"


def _let_in(case: _Case) -> Iterator[str]:
    """Whoever is let in was allowed by Duo or the failmode, and came back with that challenge's code."""
    returned = {
        (event.login, case.pseudonyms.code(challenge.id, event.code))
        for event in case.events.values()
        if isinstance(event, LoginReturned)
        and (challenge := case.challenge_of(event.login)) is not None
    }
    done = Counter((one.kind, one.username) for one in case.evidence.ledger)
    for result in case.results.values():
        if result.body.verdict is not Verdict.ALLOW:
            continue
        if result.body.assurance not in _ASSURED.get(result.type, set()):
            yield f"{result.identity} is let in as {result.type} with {result.body.assurance}"
        if result.type is ResultType.LOGIN_ALLOWED:
            continue
        challenge = case.challenge_of(result.identity)
        if challenge is None or challenge.proof is None:
            yield f"{result.identity} is let in without a proof"
            continue
        if (challenge.identity, challenge.proof.code_hash) not in returned:
            yield f"{result.identity} is let in, and its browser never came back"
        name = challenge.duo_username
        by_simulator = done[Kind.ALLOWED, name] and done[Kind.EXCHANGED, name]
        by_duo = by_simulator or challenge.subject in case.evidence.rogue_allowed
        if result.type is ResultType.CHALLENGE_PASSED and not by_duo:
            yield f"{result.identity} has passed, and Duo has allowed nobody of that name"


def _remembered(case: _Case) -> Iterator[str]:
    """Each remembered browser is that of a challenge that passed, of the same user, by MFA."""
    for key, fields in case.evidence.redis.items():
        if b":remembered:" not in key or fields is None:
            continue
        for browser, value in fields.items():
            if browser in {b"mark", b"applied"}:
                continue
            challenge = case.challenges.get(unpack_browser(value.partition(b":")[2]).challenge)
            if challenge is None or challenge.state is not State.PASSED:
                yield f"{key!r} remembers a browser of no challenge that passed"
                continue
            tenant, subject = challenge.identity.tenant, challenge.subject
            bucket = bucket_of(murmur2(f"{tenant}:{subject}".encode()))
            user = case.pseudonyms.user(tenant, subject)
            if key != f"{{{bucket:02x}}}:remembered:{user}".encode():
                yield f"{key!r} remembers the browser of another user"
            if browser != (challenge.browser or "").encode():
                yield f"{key!r} remembers another browser than the one that passed"
            if challenge.proof is None or challenge.proof.assurance is not Assurance.MFA:
                yield f"{key!r} remembers a browser that no MFA stands behind"


def _told(case: _Case) -> Iterator[str]:
    """Each outcome of Duo's word is logged once, by the challenger that stored it."""
    told = Counter(case.evidence.ended)
    for challenge in case.challenges.values():
        count = told[challenge.identity.event_id]
        at_once = challenge.outcome is not None and challenge.outcome.reason in _TOLD_AT_ONCE
        if count > 1 or (at_once and not count):
            yield f"the end of {challenge.identity} is logged {count} times"
