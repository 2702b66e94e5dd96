"""Why a login was decided as it was, in words for its user.

Law: each kind of assurance has words of its own; none is dressed as another.
"""

from __future__ import annotations

from typing import Final

from countersign.client import Assurance, Reason

ASSURANCES: Final = {
    Assurance.MFA: "You passed a Duo challenge.",
    Assurance.REMEMBERED: (
        "This browser is remembered: you passed a Duo challenge in it before,"
        " so you were not asked again."
    ),
    Assurance.DUO_BYPASS: (
        "Duo let you through without a second factor, because your Duo account or its policy says so."
        " You proved nothing but your user name."
    ),
    Assurance.FAIL_OPEN: (
        "Duo could not be reached, and the rules let people in meanwhile."
        " You proved nothing but your user name."
    ),
    Assurance.NONE: "No second factor was due, so you were not asked for one.",
}
"""What stands behind an allow."""

REASONS: Final = {
    Reason.MFA_NOT_DUE: "No second factor was due.",
    Reason.REMEMBERED_BROWSER: "This browser is remembered.",
    Reason.MFA_DUE: "A second factor is due.",
    Reason.ACTION_DENIED: "A rule of your organization turned this sign-in away.",
    Reason.ACTION_ERROR: "A rule of your organization failed, so this sign-in can't go on.",
    Reason.NO_USABLE_FACTOR: "A second factor is due, and none is set up that can be used here.",
    Reason.DUO_USERNAME_MISSING: "A Duo challenge is due, and your account has no user name for Duo.",
    Reason.RETURN_URL_NOT_ALLOWED: (
        "This shop's return address is not on the list that your organization keeps."
    ),
    Reason.PUSH_BUDGET_SPENT: (
        "There were too many prompts for your account in a short time. If they were not yours,"
        " tell your administrator; otherwise wait some minutes."
    ),
    Reason.PUSH_COOL_DOWN: (
        "You refused prompts a moment ago, so there are no more for a while. If they were not yours, change"
        " your password and tell your administrator."
    ),
    Reason.REDIRECTED: "Your organization has something to tell you before you can sign in.",
    Reason.LOGIN_EXPIRED: "This sign-in took too long.",
    Reason.DUO_ALLOWED: "Duo allowed this sign-in.",
    Reason.DUO_DENIED: "The Duo challenge was denied.",
    Reason.DUO_BYPASSED: (
        "Duo let you through without a second factor, and your organization doesn't accept that."
    ),
    Reason.FRAUD_REPORTED: (
        "You reported that somebody else asked for the prompt. Change your password, and tell your"
        " administrator."
    ),
    Reason.DUO_UNAVAILABLE: "Duo could not be reached.",
    Reason.DUO_FAILED: "The Duo challenge could not be carried out.",
    Reason.WRONG_RETURN_CODE: (
        "The code that your browser came back with does not belong to this sign-in."
    ),
    Reason.NOT_BACK_IN_TIME: "The Duo challenge was not passed in time.",
}
"""Every reason; for whoever was turned away."""
