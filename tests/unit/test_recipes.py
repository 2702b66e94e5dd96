"""The recipes that Auth0's users rely on, as settings alone or as the effect that an Action has.

The numbers are those of the list of recipes; the Actions themselves are another room's tests.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from countersign.core.effect import Effect, Provider
from countersign.core.facts import Facts
from countersign.core.login import MULTI_FACTOR_ACR
from countersign.core.tenant import DuoUsername, Mfa, Policy
from tests.builders import NOW, a_browser, a_login, a_tenant, decided

KNOWN = Facts(remembered=a_browser())
NEVER = a_tenant(policy=Policy.NEVER)
ADAPTIVE = a_tenant(policy=Policy.CONFIDENCE_SCORE)
BY_EMAIL = a_tenant(mfa=Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.EMAIL))

HOUR_AGO = (NOW - timedelta(hours=1)).isoformat()
NEW_DEVICE = {
    "confidence": "low",
    "assessments": {"NewDevice": {"code": "no_match", "confidence": "low"}},
}


@pytest.mark.parametrize(
    ("given", "ending"),
    [
        pytest.param({}, "duo-challenge", id="3 unconditional Duo"),
        pytest.param(
            {
                "tenant": NEVER,
                "login": a_login(transaction={"max_age": 10**6}),
            },
            "duo-challenge",
            id="9 no mfa method yet, so the session has to get one",
        ),
        pytest.param(
            {
                "tenant": NEVER,
                "login": a_login(
                    transaction={"max_age": 10**6},
                    authentication={"methods": [{"name": "mfa", "timestamp": HOUR_AGO}]},
                ),
            },
            "mfa-not-due",
            id="9 the session has an mfa method",
        ),
        pytest.param(
            {
                "tenant": NEVER,
                "login": a_login(transaction={"acr_values": [MULTI_FACTOR_ACR]}),
                "facts": KNOWN,
            },
            "duo-challenge",
            id="11 acr_values asks for multi-factor, and nothing is remembered",
        ),
        pytest.param(
            {
                "tenant": ADAPTIVE,
                "login": a_login(authentication={"riskAssessment": NEW_DEVICE}),
                "facts": KNOWN,
            },
            "duo-challenge",
            id="12 a new device with low confidence",
        ),
        pytest.param(
            {
                "tenant": ADAPTIVE,
                "login": a_login(authentication={"riskAssessment": {"confidence": "high"}}),
            },
            "mfa-not-due",
            id="12 a device that is known with high confidence",
        ),
        pytest.param(
            {"tenant": BY_EMAIL, "login": a_login(user={"email_verified": False})},
            "duo-username-missing",
            id="14 an unverified e-mail address names nobody to Duo",
        ),
        pytest.param(
            {
                "tenant": NEVER,
                "login": a_login(
                    transaction={"max_age": 1800},
                    authentication={"methods": [{"name": "mfa", "timestamp": HOUR_AGO}]},
                ),
            },
            "duo-challenge",
            id="17 the mfa method is older than half an hour",
        ),
        pytest.param({"tenant": BY_EMAIL}, "duo-challenge", id="20 Duo by the e-mail address"),
    ],
)
def test_a_recipe_needs_settings_alone(given: dict[str, Any], ending: str) -> None:
    """Where the tenant's settings say it, no Action has to."""
    assert decided(**given).trace[-1] == ending


@pytest.mark.parametrize(
    ("effect", "known", "unknown"),
    [
        pytest.param(
            Effect(provider=Provider.DUO, allow_remember_browser=False),
            "duo-challenge",
            "duo-challenge",
            id="1, 2, 20 Duo every time",
        ),
        pytest.param(
            Effect(provider=Provider.ANY, allow_remember_browser=False),
            "duo-challenge",
            "duo-challenge",
            id="4, 5, 6, 7, 10 any factor every time",
        ),
        pytest.param(
            Effect(provider=Provider.ANY, allow_remember_browser=True),
            "remembered-browser",
            "duo-challenge",
            id="9, 12 any factor, once for a browser",
        ),
        pytest.param(
            Effect(provider=Provider.NONE), "mfa-not-due", "mfa-not-due", id="8 a passkey was used"
        ),
        pytest.param(
            Effect(provider=Provider.GUARDIAN),
            "other-provider",
            "other-provider",
            id="14 a role goes to Guardian",
        ),
    ],
)
def test_an_actions_effect_is_what_auth0_makes_of_it(
    effect: Effect, known: str, unknown: str
) -> None:
    """What `enable` asked for meets a remembered browser, and a browser that is not."""
    assert decided(effect=effect, facts=KNOWN).trace[-1] == known
    assert decided(effect=effect).trace[-1] == unknown
