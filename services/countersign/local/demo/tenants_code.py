"""Tenants' own code: Actions and a Rule as they are in Auth0, deployed, misbehaving, rolled back."""

from __future__ import annotations

import asyncio
from typing import Final

from countersign.adapters.publishing import writing_actions
from countersign.core.action import ActionKind
from countersign.core.result import Reason, ResultType
from countersign.local.demo.stage import PATIENCE, Stage
from countersign.wire.actions_file import ActionDraft, FlowDraft

TENANT: Final = "wayne"

_OLD_RULE: Final = """\
function (user, context, callback) {
  var CLIENTS_WITH_MFA = ['payroll'];
  // run only for the specified clients
  if (CLIENTS_WITH_MFA.indexOf(context.clientID) !== -1) {
    context.multifactor = { provider: 'duo', ignoreCookie: true };
  }
  callback(null, user, context);
}
"""
_HOUSE_RULES: Final = """\
exports.onExecutePostLogin = async (event, api) => {
  if (!event.user.email_verified) {
    return api.access.deny('Please verify your e-mail address first.');
  }
  const country = event.request.geoip.countryCode;
  if (country && country !== 'CH') api.multifactor.enable('duo');
};
"""
_BROKEN: Final = """\
exports.onExecutePostLogin = async (event, api) => {
  while (event.client.client_id === 'canteen');   // never ends
  api.multifactor.enable('none');
};
"""

_ALLOWED: Final = (ResultType.LOGIN_ALLOWED, Reason.MFA_NOT_DUE)
_CHALLENGED: Final = (ResultType.LOGIN_CHALLENGED, Reason.MFA_DUE)
_REFUSED: Final = (ResultType.LOGIN_DENIED, Reason.ACTION_DENIED)
_FAILED: Final = (ResultType.LOGIN_DENIED, Reason.ACTION_ERROR)


async def tenants_code(stage: Stage) -> None:
    """A tenant's flow of a Rule and an Action, one that never ends, and back."""
    await _deploy(stage, _HOUSE_RULES)
    at = {"tenant": TENANT, "user_id": "auth0|lucius"}
    await stage.login(
        "wayne's Actions ask for nothing at the canteen", _ALLOWED, client=_client("canteen"), **at
    )
    payroll = await stage.login(
        "  its old Rule asks for Duo at payroll", _CHALLENGED, client=_client("payroll"), **at
    )
    arrival = await stage.walks(payroll, "approve")
    await stage.comes_back(
        "  he approves",
        (ResultType.CHALLENGE_PASSED, Reason.DUO_ALLOWED),
        payroll,
        arrival.code or "",
    )
    await stage.login(
        "  an Action asks for Duo from abroad",
        _CHALLENGED,
        request={"ip": "203.0.113.7", "geoip": {"countryCode": "BR"}},
        client=_client("canteen"),
        **at,
    )
    await stage.login("  and turns away who is not verified", _REFUSED, email_verified=False, **at)
    await _deploy(stage, _BROKEN)
    await stage.login(
        "  an Action that never ends denies its login", _FAILED, client=_client("canteen"), **at
    )
    await stage.login(
        "  and nobody else's: acme's go on", _CHALLENGED, user_id="auth0|erin", browser_id=None
    )
    async with writing_actions(stage.world.settings) as writer:
        rolled_back = await writer.rollback(TENANT, "house-rules", 1)
    await _in_force(stage, rolled_back.version)
    await stage.login(
        "  rolled back, the canteen is open again", _ALLOWED, client=_client("canteen"), **at
    )


async def _deploy(stage: Stage, house_rules: str) -> None:
    """Put wayne's flow in force."""
    draft = FlowDraft(
        source="demo",
        tenant=TENANT,
        actions=(
            ActionDraft(name="old-payroll-rule", kind=ActionKind.RULE, source=_OLD_RULE),
            ActionDraft(name="house-rules", source=house_rules),
        ),
    )
    async with writing_actions(stage.world.settings) as writer:
        deployed = await writer.deploy(draft)
    await _in_force(stage, deployed.version)


async def _in_force(stage: Stage, version: int) -> None:
    """Return when the decider has this version: within a second, as a rule."""
    async with asyncio.timeout(PATIENCE.total_seconds()):
        found = 0
        while found < version:
            found = await stage.version_in_force(TENANT)


def _client(client_id: str) -> dict[str, str]:
    return {"client_id": client_id, "name": client_id}
