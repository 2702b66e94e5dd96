"""Acme's own rule: Duo for whoever may wire money, and for anybody on a device that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from countersign.actions.python_api import Api
    from countersign.actions.python_event import Event

WIRES = "https://acme.example/scopes/wire"


def on_execute_post_login(event: Event, api: Api) -> None:
    """Ask for Duo where much is at stake.

    Args:
        event: the login.
        api: what to ask for.
    """
    if event.user["email_verified"] is not True:  # KeyError where it is missing, and that denies
        api.access.deny("email_unverified", "Please confirm your e-mail address first.")
        return

    if event.transaction and WIRES in event.transaction.requested_scopes:
        api.multifactor.enable("duo", allow_remember_browser=False)
    elif _is_new_device(event) and event.user.enrolled_factors:
        api.multifactor.enable("any", allow_remember_browser=True)
    else:
        return
    api.user.set_app_metadata("mfa_asked_at", event.now.isoformat())


def _is_new_device(event: Event) -> bool:
    risk = event.authentication and event.authentication.risk_assessment
    new_device = risk and risk.assessments and risk.assessments.NewDevice
    return bool(new_device) and new_device.confidence in {"low", "medium"}
