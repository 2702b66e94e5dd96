"""The laws on the browser half, held against notes of what was seen, said and done outside the product.

Nothing here asks the product whether something was right: the ledger notes what left it (answers, records)
and what went in (Duo's words, returns, "forget"s).
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx

from countersign.core.challenge import Challenge
from countersign.core.remember import RememberedBrowser
from countersign.core.result import (
    Assurance,
    Decision,
    Outcome,
    Reason,
    ResultType,
    Verdict,
)
from countersign.core.tenant import (
    ChallengeRules,
    Failmode,
    PushBudget,
    Remember,
    TenantSettings,
)
from countersign.wire.results import OutboundRecord
from tests.attempts import CLOSED, OPEN, STRICT, Account, Attempt, Prompted
from tests.browsers import DUO_HOST
from tests.builders import NOW, PSEUDONYMS, RETURN_URL, a_tenant
from tests.bus import FixedTenants
from tests.telling_duo import SAID_NO, TellingDuo

_DAY: Final = timedelta(days=1)
_LEEWAY: Final = timedelta(seconds=60)

_NOBODYS_NO = {Reason.DUO_UNAVAILABLE, Reason.DUO_BYPASSED}
"""Ends of a prompt that nobody approved, and that nobody refused either."""


class Ledger:
    """What was seen of several tenants' logins, and the clock."""

    def __init__(self) -> None:
        self.now, self.latest, self.step = NOW, NOW, 0
        self.reached: Counter[str] = Counter()
        self.tenants = FixedTenants(*(_settings(name) for name in (OPEN, CLOSED, STRICT)))
        self.duo = TellingDuo(self.tenants, lambda: self.now)
        self.attempts: list[Attempt] = []
        self.marks: dict[Account, int] = {}
        """The step of each user's last "forget", or report of fraud."""
        self.used: dict[tuple[Account, str], list[datetime]] = {}
        """When each browser passed, or stood in for a challenge."""
        self.refusals: dict[Account, list[tuple[datetime, bool]]] = {}
        """When each user said no, and whether that was a report of fraud."""
        self.written: dict[bytes, OutboundRecord] = {}

    def settings(self, tenant: str) -> TenantSettings:
        """Return the settings in force."""
        found = self.tenants.get(tenant)
        assert found is not None
        return found

    def challenged(self) -> list[Attempt]:
        """Return the logins that have a challenge."""
        return [one for one in self.attempts if one.decision is not None and one.decision.challenge]

    def passed(self) -> list[Attempt]:
        """Return the logins that have passed."""
        passed = ResultType.CHALLENGE_PASSED
        return [one for one in self.attempts if one.outcome and one.outcome.type is passed]

    def prompted(self) -> list[tuple[Attempt, Prompted]]:
        """Return every prompt that a browser was sent to."""
        return [(one, prompt) for one in self.challenged() for prompt in one.prompts]

    def decided(self, one: Attempt, decision: Decision) -> None:
        """Note a decision, and hold it against what was seen."""
        assert decision.decided_at == self.now
        if decision.type is ResultType.LOGIN_CHALLENGED:
            assert not self.left_alone(one.account), "challenged in a cool-down"
        elif decision.verdict is Verdict.ALLOW:
            # MFA is due at every login here, so nothing but a remembered browser allows (law 8).
            assert decision.reason is Reason.REMEMBERED_BROWSER
            assert decision.assurance is Assurance.REMEMBERED
            assert not one.step_up
            assert self._is_remembered(one), "a browser that isn't remembered, or no longer"
            self.used[one.account, one.browser_id].append(self.now)

    def _is_remembered(self, one: Attempt) -> bool:
        """Law 7, by what was seen: a pass by MFA, none of its ends reached, nothing forgotten since."""
        limits = self.settings(one.account.tenant).remember
        used = self.used.get((one.account, one.browser_id), [])
        idle, absolute = min(limits.idle, 7 * _DAY), min(limits.absolute, 30 * _DAY)
        return limits.enabled and any(
            other.made > self.marks.get(one.account, -1)
            and self.now < other.outcome.decided_at + absolute
            and self.now < other.absolute_end
            and self.now < max(used) + idle
            and other.outcome.decided_at <= self.now + _LEEWAY
            for other in self.attempts
            if (other.account, other.browser_id) == (one.account, one.browser_id)
            and other.outcome is not None
            and other.outcome.type is ResultType.CHALLENGE_PASSED
            and other.outcome.assurance is Assurance.MFA
        )

    def _sent_to_duo(self, one: Attempt, seat: int, state: str) -> None:
        tenant, budget = one.account.tenant, self.settings(one.account.tenant).push_budget
        asked = next(prompt for prompt in self.duo.prompts if prompt.state == state)
        assert (asked.tenant, asked.username) == one.account
        assert self.duo.health.get(tenant) is None
        assert one.outcome is None
        assert one.skipped_by is None
        assert one.decision is not None
        assert one.decision.challenge_expires_at is not None
        assert self.now < one.decision.challenge_expires_at
        assert not self.left_alone(one.account), "a prompt in a cool-down"
        recent = [
            prompt
            for other in self.challenged()
            if other.account == one.account
            for prompt in other.prompts
            if self.latest < prompt.at + budget.window
        ]
        assert len(recent) < budget.prompts, "a prompt over the budget"
        one.prompts.append(Prompted(state, seat, self.now))
        self.reached["prompted"] += 1
        if seat != one.seat:
            self.reached["a relayed link is opened"] += 1

    def _sent_back(self, one: Attempt, seat: int, address: str, code: str) -> None:
        listed = self.settings(one.account.tenant).challenge.return_urls
        assert address.partition("?")[0] in listed
        assert address.partition("?")[0] == one.event.event.login.return_url
        # Law 6: only the browser whose prompt was approved (or that went on without Duo) gets a code.
        assert seat in self.approved_by(one) or seat == one.skipped_by
        assert one.outcome is None
        one.codes.setdefault(seat, set()).add(code)
        assert len(one.codes) == 1
        assert len(one.codes[seat]) == 1
        self.reached["sent back"] += 1
        if seat != one.seat:
            self.reached["a victim approves"] += 1

    def approved_by(self, one: Attempt) -> set[int]:
        """Return the browsers whose prompts ended with an approval that counts."""
        good = {said.state for said in self.duo.said if said.counts}
        return {prompt.seat for prompt in one.prompts if prompt.state in good}

    def left_alone(self, account: Account) -> bool:
        """Say whether a user is in a cool-down, by the refusals that were seen."""
        budget = self.settings(account.tenant).push_budget
        known = self.refusals.get(account, [])
        return any(
            self.now < at + budget.cool_down
            and (
                fraud
                or len([o for o, _ in known if at - budget.window < o <= at]) >= budget.refusals
            )
            for at, fraud in known
        )

    def same_bytes(self, record: OutboundRecord) -> None:
        """Laws 2 and 5: one result has one record, byte for byte."""
        first = self.written.setdefault(dict(record.headers)["ce_id"], record)
        assert record == first, "a result in two forms"

    def ended(self, one: Attempt, standing: Challenge, outcome: Outcome) -> None:
        """Note an outcome, and hold it against what was seen."""
        allowed = outcome.verdict is Verdict.ALLOW
        if allowed:
            self._let_in(one, standing, outcome)
        else:
            assert outcome.assurance is Assurance.NONE
            self._turned_away(one, standing, outcome)
        why = outcome.assurance.value if allowed else outcome.reason.value
        self.reached[f"{outcome.type.value}: {why}"] += 1

    def _let_in(self, one: Attempt, standing: Challenge, outcome: Outcome) -> None:
        """Laws 6 and 8; and a relayed link: who started the login had the proof, and has come back."""
        assert outcome.decided_at < standing.deadline
        assert any(
            back.seat == one.seat
            and back.at == outcome.decided_at
            and back.code in one.codes.get(one.seat, ())
            for back in one.returns
        )
        if outcome.type is ResultType.CHALLENGE_FAILED_OPEN:
            assert one.skipped_by == one.seat
            assert not one.prompts
            assert outcome.assurance is Assurance.FAIL_OPEN
            return
        assert outcome.type is ResultType.CHALLENGE_PASSED
        assert one.seat in self.approved_by(one)
        by_mfa = outcome.assurance is Assurance.MFA
        assert by_mfa or outcome.assurance is Assurance.DUO_BYPASS
        assert ("approve" if by_mfa else "bypass") in self._said(one)
        if by_mfa:
            one.absolute_end = (
                outcome.decided_at + self.settings(one.account.tenant).remember.absolute
            )
            used = self.used.setdefault((one.account, one.browser_id), [])
            used.append(outcome.decided_at)

    def _turned_away(self, one: Attempt, standing: Challenge, outcome: Outcome) -> None:
        said = self._said(one)
        match outcome.type, outcome.reason:
            case ResultType.CHALLENGE_DENIED, Reason.WRONG_RETURN_CODE:
                assert any(
                    back.at == outcome.decided_at
                    and all(back.code not in codes for codes in one.codes.values())
                    for back in one.returns
                )
            case ResultType.CHALLENGE_DENIED, Reason.DUO_DENIED:
                assert said & SAID_NO or one.refused_by_error
            case ResultType.CHALLENGE_DENIED, Reason.DUO_BYPASSED:
                assert "bypass" in said
            case ResultType.CHALLENGE_DENIED, Reason.FRAUD_REPORTED:
                assert "fraud" in said
                self.marks[one.account] = self.step
            case ResultType.CHALLENGE_EXPIRED, Reason.NOT_BACK_IN_TIME:
                assert outcome.decided_at >= standing.deadline
            case _:
                assert outcome.type is ResultType.CHALLENGE_FAILED
                assert outcome.reason in {Reason.DUO_FAILED, Reason.DUO_UNAVAILABLE}
        # Whatever ended it: a prompt was on the user's phone, and nobody approved it.
        if one.prompts and not self.approved_by(one) and outcome.reason not in _NOBODYS_NO:
            self._refused(one, outcome, fraud=outcome.reason is Reason.FRAUD_REPORTED)

    def _said(self, one: Attempt) -> set[str]:
        """Return what Duo said of the login's prompts."""
        states = {prompt.state for prompt in one.prompts}
        return {exchange.end for exchange in self.duo.said if exchange.state in states}

    def _refused(self, one: Attempt, outcome: Outcome, *, fraud: bool = False) -> None:
        self.refusals.setdefault(one.account, []).append((outcome.decided_at, fraud))
        if self.left_alone(one.account):
            self.reached["left alone"] += 1

    def remembered(self, account: Account, name: str, browser: RememberedBrowser) -> None:
        """Law 7: by an own pass of real MFA, of no challenge older than the last "forget"."""
        one = next(one for one in self.challenged() if one.id == browser.challenge)
        assert one.account == account
        assert name == PSEUDONYMS.browser(*account, one.browser_id)
        assert one.outcome is not None
        assert one.outcome.type is ResultType.CHALLENGE_PASSED
        assert one.outcome.assurance is Assurance.MFA
        assert browser.since == one.outcome.decided_at
        assert browser.absolute_end <= browser.since + 30 * _DAY
        assert one.made > self.marks.get(account, -1)

    def look_at(self, one: Attempt, seat: int, found: httpx.Response) -> None:
        """Look at what a browser was answered."""
        assert found.status_code != 500
        address = urlsplit(found.headers.get("location", ""))
        query = parse_qs(address.query)
        if address.netloc == DUO_HOST:
            (state,) = query["state"]
            self._sent_to_duo(one, seat, state)
        elif "mfa_code" in query:
            (code,) = query["mfa_code"]
            self._sent_back(one, seat, found.headers["location"], code)
        else:
            assert found.status_code != 303
            self.reached[f"page {found.status_code}"] += 1

    def tick(self, span: timedelta) -> None:
        """Move the clock."""
        self.now += span
        self.latest = max(self.latest, self.now)


def _settings(name: str) -> TenantSettings:
    rules = ChallengeRules(
        return_urls=(RETURN_URL,),
        failmode=Failmode.CLOSED if name == CLOSED else Failmode.OPEN,
        accept_bypass=name != STRICT,
    )
    budget = PushBudget(prompts=3, refusals=1 if name == STRICT else 2)
    return a_tenant(tenant=name, challenge=rules, push_budget=budget, remember=Remember())
