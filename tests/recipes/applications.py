"""Recipes that look at the application, the request and the transaction."""

from __future__ import annotations

from tests.recipes.recipe import (
    ALLOWED,
    CHALLENGED,
    Case,
    Recipe,
    at_client,
    protocol,
)

MULTI_FACTOR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
MOBILE = "oauth2-refresh-token"

LISTED_APPLICATIONS = Recipe(
    name="Duo at listed applications, and never remembered",
    action="""
/**
 * Handler that will be called during the execution of a PostLogin flow.
 *
 * @param {Event} event - Details about the user and the context in which they are logging in.
 * @param {PostLoginAPI} api - Interface whose methods can be used to change the behavior of the login.
 */
exports.onExecutePostLogin = async (event, api) => {
  const CLIENTS_WITH_MFA = ['payroll', 'ledger'];
  // run only for the specified clients
  if (CLIENTS_WITH_MFA.includes(event.client.client_id)) {
    api.multifactor.enable('duo', { allowRememberBrowser: false });
  }
};
""",
    rule="""
function (user, context, callback) {
  var CLIENTS_WITH_MFA = ['payroll', 'ledger'];
  // run only for the specified clients
  if (CLIENTS_WITH_MFA.indexOf(context.clientID) !== -1) {
    context.multifactor = { provider: 'duo', ignoreCookie: true };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case("listed", at_client("payroll"), CHALLENGED, remembers=False),
        Case("not listed", at_client("canteen"), ALLOWED),
    ),
)

ALWAYS_DUO = Recipe(
    name="Duo at every login",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  api.multifactor.enable("duo");
};
""",
    rule="""
function multifactorAuthentication(user, context, callback) {
  context.multifactor = { provider: 'duo' };
  return callback(null, user, context);
}
""",
    cases=(Case("anybody", {}, CHALLENGED),),
)

ANY_NEVER_REMEMBERED = Recipe(
    name="any factor at every login, and never remembered",
    action="""
module.exports.onExecutePostLogin = async function onExecutePostLogin(event, api) {
  api.multifactor.enable('any', { allowRememberBrowser: false });
}
""",
    rule="""
async (user, context, callback) => {
  context.multifactor = { provider: 'any', allowRememberBrowser: false };
  callback(null, user, context);
}
""",
    cases=(Case("anybody", {}, CHALLENGED, remembers=False),),
)

OUTSIDE_THE_NETWORK = Recipe(
    name="any factor outside the corporate network",
    action="""
const CORPORATE = [ '203.0.113.0/24', '198.51.100.16/28' ];

const toNumber = (ip) => ip.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);

function inside(ip, cidr) {
  const [range, bits] = cidr.split('/');
  const size = 2 ** (32 - bits);
  return Math.floor(toNumber(ip) / size) === Math.floor(toNumber(range) / size);
}

exports.onExecutePostLogin = async (event, api) => {
  if (!CORPORATE.some((cidr) => inside(event.request.ip, cidr))) {
    api.multifactor.enable('any', { allowRememberBrowser: true });
  }
};
""",
    rule="""
function (user, context, callback) {
  var corporate = /^203\\.0\\.113\\.\\d+$/;
  if (!corporate.test(context.request.ip)) {
    context.multifactor = { provider: 'any' };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case("inside", {"request": {"ip": "203.0.113.7"}}, ALLOWED),
        Case("outside", {"request": {"ip": "192.0.2.1"}}, CHALLENGED, remembers=True),
    ),
)

NOT_AT_REFRESH = Recipe(
    name="any factor, but at a refresh token",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  if (event.transaction?.protocol === 'oauth2-refresh-token') return;
  api.multifactor.enable('any');
};
""",
    rule="""
function (user, context, callback) {
  if (context.protocol !== 'oauth2-refresh-token') {
    context.multifactor = true;
  }
  return callback(null, user, context);
}
""",
    cases=(
        Case("a browser", protocol("oidc-basic-profile"), CHALLENGED),
        Case("a refresh token", protocol(MOBILE), ALLOWED),
    ),
)

ON_OTHER_CONTINENTS = Recipe(
    name="any factor outside the home continent",
    action="""
const HOME = new Set(["EU"]);
exports.onExecutePostLogin = async ({ request: { geoip } }, api) => {
  if (!HOME.has(geoip.continentCode)) api.multifactor.enable("any");
};
""",
    rule="""
function (user, context, callback) {
  if (['CH', 'AT', 'DE'].indexOf(context.request.geoip.country_code) < 0) {
    context.multifactor = { provider: 'any' };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case(
            "at home",
            {"request": {"ip": "192.0.2.1", "geoip": {"continentCode": "EU", "countryCode": "CH"}}},
            ALLOWED,
        ),
        Case(
            "abroad",
            {"request": {"ip": "192.0.2.1", "geoip": {"continentCode": "SA", "countryCode": "BR"}}},
            CHALLENGED,
        ),
        Case("nobody knows where", {"request": {"ip": "192.0.2.1"}}, CHALLENGED),
    ),
)

FOR_A_SCOPE = Recipe(
    name="any factor where a scope is asked for at an application",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  const wanted = event.transaction?.requested_scopes ?? [];
  if (event.client.client_id === 'bank' && wanted.includes('transfer:money')) {
    api.multifactor.enable('any', { allowRememberBrowser: false });
  }
};
""",
    cases=(
        Case(
            "asked for",
            {
                **at_client("bank"),
                **protocol("oidc-basic-profile", requested_scopes=["openid", "transfer:money"]),
            },
            CHALLENGED,
            remembers=False,
        ),
        Case(
            "not asked for",
            {**at_client("bank"), **protocol("oidc-basic-profile", requested_scopes=["openid"])},
            ALLOWED,
        ),
        Case(
            "asked for elsewhere",
            {
                **at_client("shop"),
                **protocol("oidc-basic-profile", requested_scopes=["transfer:money"]),
            },
            ALLOWED,
        ),
    ),
)

STEP_UP = Recipe(
    name="any factor where acr_values asks for it",
    action=f"""
exports.onExecutePostLogin = async (event, api) => {{
  const stepUp = '{MULTI_FACTOR}';
  if (event.transaction?.acr_values?.includes(stepUp)) {{
    api.multifactor.enable('any', {{ allowRememberBrowser: false }});
  }}
}};
""",
    rule=f"""
function (user, context, callback) {{
  var acr = context.request.query.acr_values || '';
  if (acr.split(' ').indexOf('{MULTI_FACTOR}') >= 0) {{
    context.multifactor = {{ provider: 'any', allowRememberBrowser: false }};
  }}
  callback(null, user, context);
}}
""",
    cases=(
        Case(
            "asked for",
            {
                "transaction": {"protocol": "oidc-basic-profile", "acr_values": [MULTI_FACTOR]},
                "request": {"ip": "192.0.2.1", "query": {"acr_values": MULTI_FACTOR}},
            },
            CHALLENGED,
            remembers=False,
        ),
        Case("not asked for", {}, ALLOWED),
    ),
)

APPLICATIONS_FLAG = Recipe(
    name="any factor where the application's metadata says so",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  if (event.client.metadata.requires_mfa === 'true') {
    api.multifactor.enable('any');
  }
};
""",
    rule="""
function (user, context, callback) {
  if (context.clientMetadata && context.clientMetadata.requires_mfa === 'true') {
    context.multifactor = { provider: 'any' };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case("flagged", at_client("ledger", requires_mfa="true"), CHALLENGED),
        Case("not flagged", at_client("canteen"), ALLOWED),
        Case("no metadata at all", {"client": {"client_id": "canteen"}}, ALLOWED),
    ),
)

RECIPES = (
    *(LISTED_APPLICATIONS, ALWAYS_DUO, ANY_NEVER_REMEMBERED, OUTSIDE_THE_NETWORK, NOT_AT_REFRESH),
    *(ON_OTHER_CONTINENTS, FOR_A_SCOPE, STEP_UP, APPLICATIONS_FLAG),
)
