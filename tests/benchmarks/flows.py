"""The flows of Actions that are measured, and the bare engine that one of them is measured against."""

from __future__ import annotations

import json
from collections.abc import Sequence

from countersign.core.tenant import TenantSettings
from tests.benchmarks.contender import FIVE, MANY, NO_ACTION, TEMPLATE
from tests.benchmarks.load import QUIET, STRICT, TENANTS, settings_of

CLIENT = "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"
"""The application that all logins are at."""
TENANTS_EACH = 100
"""Tenants of each sort, where they are many."""

DUO_TEMPLATE = """
/**
 * Handler that will be called during the execution of a PostLogin flow.
 */
exports.onExecutePostLogin = async (event, api) => {
  const CLIENTS_WITH_MFA = ['%s'];
  // run only for the specified clients
  if (CLIENTS_WITH_MFA.includes(event.client.client_id)) {
    api.multifactor.enable('duo', { allowRememberBrowser: true });
  }
};
"""
"""Auth0's template of its Duo page, as it is meant."""

_OTHERS = (
    """
exports.onExecutePostLogin = async (event, api) => {
  if (event.user.email_verified === false) api.access.deny('Please verify your e-mail address.');
};
""",
    """
const RISKY = new Set(['KP', 'IR']);
exports.onExecutePostLogin = async ({ request }, api) => {
  if (RISKY.has(request.geoip.countryCode)) api.access.deny('Not from there.');
};
""",
    """
exports.onExecutePostLogin = async (event, api) => {
  const roles = event.authorization?.roles ?? [];
  if (roles.some((role) => role.startsWith('admin'))) api.multifactor.enable('any');
};
""",
    """
exports.onExecutePostLogin = async (event, api) => {
  const age = Date.now() - new Date(event.user.created_at).getTime();
  if (age < 0) api.access.deny('Born in the future.');
};
""",
)


def sources(contender: str, tenant: str) -> Sequence[str]:
    """Return the Actions of a tenant's flow."""
    wanted = CLIENT if tenant.startswith(STRICT) else "another"
    template = DUO_TEMPLATE % wanted
    match contender:
        case name if name == NO_ACTION:
            return ()
        case name if name == TEMPLATE:
            return (template,)
        case name if name == FIVE:
            return (*_OTHERS, template)
        case _:
            # Each tenant's own: no two sources are the same.
            return (f"// {tenant}\\n{template}",)


def tenants(contender: str) -> dict[str, TenantSettings]:
    """Return the tenants' settings, without their flows."""
    if contender != MANY:
        return TENANTS
    return {
        name: settings_of(name)
        for sort in (QUIET, STRICT)
        for name in (f"{sort}-{number}" for number in range(TENANTS_EACH))
    }


def bare(source: str) -> str:
    """Return a script of the bare engine that does what an Action does: parse, run, take the answer."""
    return f"""(function () {{
  const code = (function (exports, require, module) {{{source}
}});
  let answer;
  return [
    function (text) {{
      const event = JSON.parse(text);
      const effects = [];
      const api = {{ multifactor: {{ enable(...given) {{ effects.push(given); return api; }} }},
        access: {{ deny(...given) {{ effects.push(given); return api; }} }} }};
      const module = {{ exports: {{}} }};
      event.secrets = {json.dumps({})};
      code.call(module.exports, module.exports, null, module);
      module.exports.onExecutePostLogin(event, api).then(() => {{ answer = JSON.stringify(effects); }});
    }},
    function () {{ return answer; }},
  ];
}})()"""
