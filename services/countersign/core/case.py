"""The conditions that the decision table asks about, each worked out when first asked.

A condition that rests on something missing or unknown comes out on the side of challenging.
"""

from __future__ import annotations

from datetime import datetime

from countersign.core import budget, remember
from countersign.core.duo_username import duo_username
from countersign.core.effect import Effect, Provider
from countersign.core.facts import Facts
from countersign.core.login import MAX_CLOCK_AHEAD, MULTI_FACTOR_ACR, LoginAttempted
from countersign.core.result import ChallengeLink, Reason
from countersign.core.return_url import is_allowed
from countersign.core.tenant import Policy, TenantSettings

_ASSURED = frozenset({"medium", "high"})
_SILENT = frozenset({None, Provider.NONE})
_LONGEST_MAX_AGE = 10**9
"""In seconds, 31 years: no login is older, and Python reads no number of thousands of digits."""


class Case:
    """One login, with everything that a decision is made from.

    Who asks for MFA is worked out at once, since nearly every row rests on it; the rest when asked.

    Attributes:
        acr_asks: the relying party asks for MFA by `acr_values`.
        max_age_asks: the relying party asks for a fresher MFA than there was.
        action_asks: an Action asked for MFA.
        all_applications: the policy asks for MFA at every login.
        low_confidence: the adaptive policy asks for MFA at this login.
        provider: who is due; None where nobody is, or nobody can.
    """

    def __init__(
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

        silent = effect.provider is None and not effect.factors
        policy = tenant.mfa.policy if silent else Policy.NEVER
        self.acr_asks = self._acr_asks()
        self.action_asks = effect.provider not in _SILENT or bool(effect.factors)
        self.max_age_asks = self._max_age_asks()
        self.all_applications = policy is Policy.ALL_APPLICATIONS
        self.low_confidence = policy is Policy.CONFIDENCE_SCORE and not self._assured()
        self.provider = None if self.not_due() else self._provider()

    # -- what comes before everything --

    def expired(self) -> bool:
        """The login's own `expires_at` has passed."""
        return self.data.login.has_expired(self.now)

    def action_denied(self) -> bool:
        """An Action denied the login."""
        return self.effect.denied is Reason.ACTION_DENIED

    def action_redirects(self) -> bool:
        """An Action sends the browser elsewhere, which ends the login."""
        return self.effect.denied is Reason.REDIRECTED

    def action_failed(self) -> bool:
        """An Action failed, so what it would have said is unknown."""
        return self.effect.denied is not None

    # -- what makes MFA due --

    def _acr_asks(self) -> bool:
        transaction = self.data.transaction
        return transaction is not None and MULTI_FACTOR_ACR in transaction.acr_values

    def _max_age_asks(self) -> bool:
        """A `max_age` that no MFA of this session meets (OpenID Connect Core 1.0, 3.1.2.1).

        Where the tenant has no factor at all, and no Action names one, `max_age` speaks of the first
        factor only.
        """
        max_age = self._max_age()
        if max_age is None or not (self.action_asks or self.tenant.factors.enabled()):
            return False
        latest = self.now + MAX_CLOCK_AHEAD
        methods = self.data.authentication.methods if self.data.authentication else ()
        return not any(
            method.name == "mfa"
            and method.timestamp is not None
            and method.timestamp <= latest
            and (self.now - method.timestamp).total_seconds() <= max_age
            for method in methods
        )

    def _max_age(self) -> int | None:
        if self.data.transaction and self.data.transaction.max_age is not None:
            return self.data.transaction.max_age
        query = self.data.request.query if self.data.request else None
        return _seconds(query.get("max_age")) if query else None

    def _assured(self) -> bool:
        """The identity system is sure enough; a confidence that is missing or unknown is not."""
        authentication = self.data.authentication
        assessment = authentication.risk_assessment if authentication else None
        return assessment is not None and assessment.confidence in _ASSURED

    def action_suppresses(self) -> bool:
        """An Action switched the policy's MFA off for this login."""
        return self.effect.provider is Provider.NONE and not self.action_asks

    def not_due(self) -> bool:
        """Nobody asks for MFA."""
        return not (
            self.all_applications
            or self.acr_asks
            or self.max_age_asks
            or self.action_asks
            or self.low_confidence
        )

    # -- who challenges --

    def _provider(self) -> Provider | None:
        """Return who can challenge.

        Duo works for the policy and for `any` only where it is the sole factor that is on, and not at all
        with Universal Login; an Action's explicit `duo` works whatever the switches say (Auth0).
        """
        asked = self.effect.provider
        if self.effect.factors:
            return Provider.GUARDIAN
        if asked is Provider.DUO:
            return asked if (self.effect.duo or self.tenant.duo) is not None else None
        if asked is not None and asked not in {Provider.ANY, Provider.NONE}:
            return asked
        match self.tenant.factors.enabled():
            case ():
                return None
            case ("duo",):
                usable = self.tenant.duo is not None and not self.tenant.mfa.universal_login
                return Provider.DUO if usable else None
            case ("otp",):
                return Provider.GOOGLE_AUTHENTICATOR
            case _:
                return Provider.GUARDIAN

    def no_provider(self) -> bool:
        """Nobody can challenge."""
        return self.provider is None

    def delegated(self) -> bool:
        """Another provider than Duo is due."""
        return self.provider is not Provider.DUO

    # -- whether Duo is spared, or can't be asked --

    def browser_remembered(self) -> bool:
        """The login's browser is remembered, under the caps in force."""
        browser = self.facts.remembered
        return browser is not None and remember.is_live(browser, self.tenant.remember, self.now)

    def browser_may_count(self) -> bool:
        """Remembering is allowed for this login."""
        allowed = self.effect.allow_remember_browser
        return self.tenant.remember.enabled if allowed is None else allowed

    def browser_ignored(self) -> bool:
        """It is remembered, but a step-up and the adaptive policy want the user again (Auth0)."""
        return self.browser_remembered() and (
            self.acr_asks
            or self.max_age_asks
            or self.low_confidence
            or not self.browser_may_count()
        )

    def browser_counts(self) -> bool:
        """It is remembered, and that is enough."""
        return self.browser_remembered() and not self.browser_ignored()

    def nameless(self) -> bool:
        """The user lacks the attribute that is the Duo user name."""
        return self.duo_username() is None

    def duo_username(self) -> str | None:
        """Return the user's name at Duo: the Action's word, or else by the tenant's rule."""
        named = self.effect.duo_username
        if named is None:
            return duo_username(self.data.user, self.tenant.mfa.duo_username)
        return named if named.strip() else None

    def return_url_refused(self) -> bool:
        """The login's return URL is not one that the tenant allows."""
        return not is_allowed(self.data.login.return_url, self.tenant.challenge.return_urls)

    def cooling_down(self) -> bool:
        """The user refused prompts lately, and is left alone."""
        return budget.is_cooling_down(self.facts.refusals, self.tenant.push_budget, self.now)

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
