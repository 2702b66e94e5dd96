"""The conditions that the decision table asks about, each worked out when first asked.

A condition that rests on something missing or unknown comes out on the side of challenging.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property

from countersign.core import budget, remember
from countersign.core.duo_username import duo_username
from countersign.core.effect import Effect, Provider
from countersign.core.facts import Facts
from countersign.core.login import MAX_CLOCK_AHEAD, MULTI_FACTOR_ACR, LoginAttempted
from countersign.core.result import ChallengeLink, Reason
from countersign.core.tenant import Policy, TenantSettings

_ASSURED = frozenset({"medium", "high"})
_LONGEST_MAX_AGE = 10**9
"""In seconds, 31 years: a longer `max_age` asks for no more than this one, but overflows dates."""


class Case:
    """Everything that the table's conditions ask about, worked out when first asked."""

    def __init__(  # a decision's inputs are what they are
        self,
        event: LoginAttempted,
        tenant: TenantSettings,
        effect: Effect,
        facts: Facts,
        now: datetime,
        link: ChallengeLink,
    ) -> None:
        self.data = event.event
        self.tenant = tenant
        self.effect = effect
        self.facts = facts
        self.now = now
        self.link = link

    @property
    def expired(self) -> bool:
        """The login's own `expires_at` has passed."""
        expires_at = self.data.login.expires_at
        return expires_at is not None and self.now >= expires_at

    @property
    def action_denied(self) -> bool:
        """An Action denied the login."""
        return self.effect.denied is Reason.ACTION_DENIED

    @property
    def action_failed(self) -> bool:
        """An Action failed, so what it would have said is unknown."""
        return self.effect.denied is not None and not self.action_denied

    # -- what makes MFA due --

    @cached_property
    def acr_asks(self) -> bool:
        """The relying party asks for MFA by `acr_values`."""
        transaction = self.data.transaction
        return transaction is not None and MULTI_FACTOR_ACR in transaction.acr_values

    @cached_property
    def max_age_asks(self) -> bool:
        """A `max_age` that no MFA of this session meets (OpenID Connect Core 1.0, 3.1.2.1).

        Where the tenant has no factor at all, and no Action names one, `max_age` speaks of the first
        factor only.
        """
        max_age = self._max_age
        if max_age is None or not (self.action_asks or self.tenant.factors.enabled()):
            return False
        oldest = self.now - timedelta(seconds=max_age)
        methods = self.data.authentication.methods if self.data.authentication else ()
        return not any(
            method.name == "mfa"
            and method.timestamp is not None
            and oldest <= method.timestamp <= self.now + MAX_CLOCK_AHEAD
            for method in methods
        )

    @property
    def _max_age(self) -> int | None:
        if self.data.transaction and self.data.transaction.max_age is not None:
            return min(self.data.transaction.max_age, _LONGEST_MAX_AGE)
        query = self.data.request.query if self.data.request else None
        return _seconds(query.get("max_age")) if query else None

    @property
    def stepping_up(self) -> bool:
        """The relying party asks for the user himself."""
        return self.acr_asks or self.max_age_asks

    @property
    def action_asks(self) -> bool:
        """An Action asked for MFA."""
        return self.effect.provider not in {None, Provider.NONE}

    @property
    def action_suppresses(self) -> bool:
        """An Action switched the policy's MFA off for this login."""
        return self.effect.provider is Provider.NONE

    @property
    def _policy_counts(self) -> bool:
        return self.effect.provider is None

    @property
    def all_applications(self) -> bool:
        """The policy asks for MFA at every login."""
        return self._policy_counts and self.tenant.mfa.policy is Policy.ALL_APPLICATIONS

    @property
    def low_confidence(self) -> bool:
        """The adaptive policy's condition; a confidence that is missing or unknown is low."""
        if not self._policy_counts or self.tenant.mfa.policy is not Policy.CONFIDENCE_SCORE:
            return False
        authentication = self.data.authentication
        assessment = authentication.risk_assessment if authentication else None
        return assessment is None or assessment.confidence not in _ASSURED

    @property
    def due(self) -> bool:
        """Somebody asks for MFA."""
        return self.stepping_up or self.action_asks or self.all_applications or self.low_confidence

    # -- who challenges --

    @cached_property
    def provider(self) -> Provider | None:
        """Who is due; None where nobody can.

        Duo works for the policy and for `any` only where it is the sole factor that is on; an
        Action's explicit `duo` works whatever the toggles say (Auth0).
        """
        asked = self.effect.provider
        if asked is not None and asked not in {Provider.ANY, Provider.NONE}:
            return asked if asked is not Provider.DUO or self.tenant.duo is not None else None
        match self.tenant.factors.enabled():
            case ():
                return None
            case ("duo",):
                return Provider.DUO if self.tenant.duo is not None else None
            case ("otp",):
                return Provider.GOOGLE_AUTHENTICATOR
            case _:
                return Provider.GUARDIAN

    @property
    def delegated(self) -> bool:
        """Another provider than Duo is due."""
        return self.provider not in {None, Provider.DUO}

    # -- whether Duo is spared, or can't be asked --

    @property
    def browser_known(self) -> bool:
        """The login's browser is remembered, under the caps in force."""
        browser = self.facts.remembered
        return browser is not None and remember.is_live(browser, self.tenant.remember, self.now)

    @property
    def browser_may_count(self) -> bool:
        """Remembering is allowed for this login."""
        allowed = self.effect.allow_remember_browser
        return self.tenant.remember.enabled if allowed is None else allowed

    @property
    def browser_ignored(self) -> bool:
        """A step-up and the adaptive policy want the user himself (Auth0)."""
        return self.browser_known and (
            self.stepping_up or self.low_confidence or not self.browser_may_count
        )

    @property
    def return_url_refused(self) -> bool:
        """The login's return URL is not one that the tenant lists."""
        return self.data.login.return_url not in self.tenant.challenge.return_urls

    @property
    def nameless(self) -> bool:
        """The user lacks the attribute that names him to Duo."""
        return duo_username(self.data.user, self.tenant.mfa.duo_username) is None

    @property
    def budget_spent(self) -> bool:
        """One more prompt would be one too many."""
        return budget.is_spent(self.facts.prompts, self.tenant.push_budget, self.now)


def _seconds(asked: object) -> int | None:
    """Return a query's `max_age`; what is there but can't be read asks for the user at once."""
    if asked is None or asked == "":
        return None
    text = str(asked) if isinstance(asked, int) else asked
    if not isinstance(text, str) or not text.isascii() or not text.isdigit():
        return 0
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) < len(str(_LONGEST_MAX_AGE)) else _LONGEST_MAX_AGE
