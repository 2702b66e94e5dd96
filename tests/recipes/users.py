"""Recipes that look at the user, the methods and the risk."""

from __future__ import annotations

from tests.recipes.recipe import (
    ALLOWED,
    CHALLENGED,
    DELEGATED,
    DENIED,
    Case,
    Recipe,
    methods,
    user,
)

OPTED_IN = Recipe(
    name="Duo for users who asked for it",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  // run only for users who opted in
  if (event.user.user_metadata && event.user.user_metadata.use_mfa) {
    api.multifactor.enable('duo', { allowRememberBrowser: false });
  }
};
""",
    rule="""
function (user, context, callback) {
  user.user_metadata = user.user_metadata || {};
  if (user.user_metadata.use_mfa) {
    context.multifactor = { provider: 'duo', allowRememberBrowser: false };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case("asked", user(user_metadata={"use_mfa": True}), CHALLENGED, remembers=False),
        Case("said no", user(user_metadata={"use_mfa": False}), ALLOWED),
        Case("said nothing", {}, ALLOWED),
    ),
)

PASSKEY = Recipe(
    name="nothing more after a passkey, whatever the policy says",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  const methods = event.authentication?.methods || [];
  if (methods.find((method) => method.name === 'passkey')) {
    api.multifactor.enable('none');
  } else {
    api.multifactor.enable('any', { allowRememberBrowser: true });
  }
};
""",
    cases=(
        Case("a passkey", methods("passkey"), ALLOWED),
        Case("a password", methods("pwd"), CHALLENGED, remembers=True),
    ),
)

NO_MFA_YET = Recipe(
    name="any factor where this session has had none",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  const authMethods = event.authentication?.methods || [];
  const completedMfa = !!authMethods.find((method) => method.name === 'mfa');
  if (!completedMfa) {
    api.multifactor.enable('any', { allowRememberBrowser: true });
  }
};
""",
    rule="""
function (user, context, callback) {
  const completedMfa = !!context.authentication.methods.find(
    (method) => method.name === 'mfa'
  );
  if (completedMfa) {
    return callback(null, user, context);
  }
  context.multifactor = { provider: 'any', allowRememberBrowser: true };
  callback(null, user, context);
}
""",
    cases=(
        Case("none yet", methods("pwd"), CHALLENGED, remembers=True),
        Case("once already", methods("pwd", "mfa"), ALLOWED),
    ),
)

RISKY = {"confidence": "low", "version": "1"}

NEW_DEVICE = Recipe(
    name="any factor at a new device, for users who have one",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  const { riskAssessment } = event.authentication ?? {};
  const newDevice = riskAssessment?.assessments?.NewDevice;
  const unsure = ['low', 'medium'].includes(newDevice?.confidence);
  const enrolled = event.user.enrolledFactors?.length > 0;
  if (unsure && enrolled) {
    api.multifactor.enable('any', { allowRememberBrowser: true });
  }
};
""",
    cases=(
        Case(
            "new, and enrolled",
            {
                "authentication": {
                    "methods": [],
                    "riskAssessment": {
                        **RISKY,
                        "assessments": {"NewDevice": {"code": "no_match", "confidence": "low"}},
                    },
                },
                **user(enrolledFactors=[{"type": "otp"}]),
            },
            CHALLENGED,
            remembers=True,
        ),
        Case(
            "new, and not enrolled",
            {
                "authentication": {
                    "methods": [],
                    "riskAssessment": {
                        **RISKY,
                        "assessments": {"NewDevice": {"code": "no_match", "confidence": "medium"}},
                    },
                },
            },
            ALLOWED,
        ),
        Case(
            "known",
            {
                "authentication": {
                    "methods": [],
                    "riskAssessment": {
                        **RISKY,
                        "assessments": {"NewDevice": {"code": "match", "confidence": "high"}},
                    },
                },
                **user(enrolledFactors=[{"type": "otp"}]),
            },
            ALLOWED,
        ),
        Case("nobody has looked", {}, ALLOWED),
    ),
)

NEVER_ENROLLED = Recipe(
    name="any factor for users who never had one",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  if (!event.user.multifactor?.length) {
    api.multifactor.enable('any', { allowRememberBrowser: false });
  }
};
""",
    rule="""
function (user, context, callback) {
  if (!user.multifactor || !user.multifactor.length) {
    context.multifactor = { provider: 'any', allowRememberBrowser: false };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case("never", {}, CHALLENGED, remembers=False),
        Case("an empty list", user(multifactor=[]), CHALLENGED, remembers=False),
        Case("one", user(multifactor=["guardian"]), ALLOWED),
    ),
)

GATE = Recipe(
    name="turned away unverified or unconfigured, administrators by Guardian",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  if (!event.user.email_verified) {
    return api.access.deny('Please verify your e-mail address first.');
  }
  if (!event.secrets.ADMIN_ROLE) {
    return api.access.deny('not_configured', 'This application is not configured.');
  }
  if (event.authorization?.roles.includes(event.secrets.ADMIN_ROLE)) {
    api.multifactor.enable('guardian', { allowRememberBrowser: false });
  }
};
""",
    rule="""
function (user, context, callback) {
  if (!user.email_verified) {
    return callback(new UnauthorizedError('Please verify your e-mail address first.'));
  }
  const roles = (context.authorization || {}).roles || [];
  if (roles.includes(configuration.ADMIN_ROLE)) {
    context.multifactor = { provider: 'guardian', allowRememberBrowser: false };
  }
  return callback(null, user, context);
}
""",
    secrets={"ADMIN_ROLE": "administrator"},
    cases=(
        Case(
            "not verified",
            user(email_verified=False),
            DENIED,
            said="Please verify your e-mail address first.",
        ),
        Case(
            "an administrator",
            {"authorization": {"roles": ["reader", "administrator"]}},
            DELEGATED,
            provider="guardian",
        ),
        Case("somebody else", {"authorization": {"roles": ["reader"]}}, ALLOWED),
        Case("no roles", {}, ALLOWED),
    ),
)

UNCONFIGURED = Recipe(
    name="turned away where a secret is missing",
    action=GATE.action,
    cases=(Case("no secret", {}, DENIED, said="This application is not configured."),),
)

IMPOSSIBLE_TRAVEL = Recipe(
    name="turned away after an impossible journey",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  const risk = event.authentication?.riskAssessment;
  if (risk?.assessments.ImpossibleTravel?.code === 'impossible_travel_from_last_login') {
    api.access.deny('Your last login was too far away.');
  }
};
""",
    cases=(
        Case(
            "too far",
            {
                "authentication": {
                    "methods": [],
                    "riskAssessment": {
                        **RISKY,
                        "assessments": {
                            "ImpossibleTravel": {
                                "code": "impossible_travel_from_last_login",
                                "confidence": "low",
                            }
                        },
                    },
                }
            },
            DENIED,
            said="Your last login was too far away.",
        ),
        Case(
            "near enough",
            {
                "authentication": {
                    "methods": [],
                    "riskAssessment": {
                        **RISKY,
                        "assessments": {
                            "ImpossibleTravel": {
                                "code": "minimal_travel_from_last_login",
                                "confidence": "high",
                            }
                        },
                    },
                }
            },
            ALLOWED,
        ),
    ),
)

NEEDS_MFA = Recipe(
    name="any factor for users who were told to",
    action="""
'use strict';
const needsMfa = ({ app_metadata: meta }) => meta?.needs_mfa === true;

exports.onExecutePostLogin = async (event, api) => {
  if (needsMfa(event.user)) api.multifactor.enable('any', { allowRememberBrowser: false });
};
""",
    rule="""
function requireMfa(user, context, callback) {
  if ((user.app_metadata || {}).needs_mfa === true) {
    context.multifactor = { provider: 'any', allowRememberBrowser: false };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case("told", user(app_metadata={"needs_mfa": True}), CHALLENGED, remembers=False),
        Case("not told", user(app_metadata={"needs_mfa": "yes"}), ALLOWED),
    ),
)

STALE_MFA = Recipe(
    name="any factor where the last one is older than an hour",
    action="""
const MAX_AGE = 60 * 60 * 1000;
exports.onExecutePostLogin = async (event, api) => {
  const mfa = event.authentication?.methods.filter((m) => m.name === 'mfa') ?? [];
  const latest = Math.max(0, ...mfa.map((m) => new Date(m.timestamp).getTime()));
  if (Date.now() - latest > MAX_AGE) {
    api.multifactor.enable('any', { allowRememberBrowser: false });
  }
};
""",
    rule="""
function (user, context, callback) {
  var mfa = context.authentication.methods.filter(function (m) { return m.name === 'mfa'; });
  var latest = mfa.reduce(function (at, m) { return Math.max(at, m.timestamp); }, 0);
  if (Date.now() - latest > 3600000) {
    context.multifactor = { provider: 'any', allowRememberBrowser: false };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case("never", methods("pwd"), CHALLENGED, remembers=False),
        Case("an hour ago", methods("mfa", at="2026-03-02T07:59:59.000Z"), CHALLENGED),
        Case("a while ago", methods("mfa", at="2026-03-02T08:00:01.000Z"), ALLOWED),
    ),
)

ROLES = Recipe(
    name="any factor for certain roles",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  const critical = new Set(['admin', 'finance']);
  const roles = event.authorization ? event.authorization.roles : [];
  if (roles.some((role) => critical.has(role))) {
    api.multifactor.enable('any');
  }
};
""",
    rule="""
function (user, context, callback) {
  const assigned = (context.authorization || {}).roles || [];
  if (assigned.some(r => ['admin', 'finance'].includes(r))) {
    context.multifactor = { provider: 'any' };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case("a critical one", {"authorization": {"roles": ["reader", "finance"]}}, CHALLENGED),
        Case("another", {"authorization": {"roles": ["reader"]}}, ALLOWED),
        Case("none", {}, ALLOWED),
    ),
)

ORGANIZATIONS = Recipe(
    name="any factor where the organization asks for it",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  if (event.organization?.metadata?.mfa_required === 'yes') {
    api.multifactor.enable('any', { allowRememberBrowser: true });
  }
};
""",
    rule="""
function (user, context, callback) {
  var organization = context.organization;
  if (organization && organization.metadata && organization.metadata.mfa_required === 'yes') {
    context.multifactor = { provider: 'any' };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case(
            "it does",
            {"organization": {"id": "org_1", "name": "b", "metadata": {"mfa_required": "yes"}}},
            CHALLENGED,
            remembers=True,
        ),
        Case("it doesn't", {"organization": {"id": "org_2", "name": "c"}}, ALLOWED),
        Case("there is none", {}, ALLOWED),
    ),
)

DIRECTORY_USERS = Recipe(
    name="Duo under the e-mail address, for users of the directory",
    action="""
exports.onExecutePostLogin = async (event, api) => {
  if (event.connection.strategy === 'ad') {
    api.multifactor.enable('duo', {
      providerOptions: { username: event.user.email },
      allowRememberBrowser: true,
    });
  }
};
""",
    rule="""
function (user, context, callback) {
  if (context.connectionStrategy === 'ad') {
    context.multifactor = { provider: 'duo', username: user.email };
  }
  callback(null, user, context);
}
""",
    cases=(
        Case(
            "of the directory",
            {"connection": {"id": "con_2", "name": "corp", "strategy": "ad"}},
            CHALLENGED,
            remembers=True,
            username="alice@example.com",
        ),
        Case(
            "of the directory, without an address",
            {
                "connection": {"id": "con_2", "name": "corp", "strategy": "ad"},
                **user(email=None),
            },
            DENIED,
        ),
        Case("of another", {}, ALLOWED),
    ),
)

STRICT_IKEY, STRICT_SKEY = "DI" + "S" * 18, "s" * 40
USUAL_IKEY, USUAL_SKEY = "DI" + "U" * 18, "u" * 40

TWO_ACCOUNTS = Recipe(
    name="one Duo application for high assurance, another for the rest",
    action="""
const level = (event) => (event.client.metadata.assurance === 'high' ? 'STRICT' : 'USUAL');

exports.onExecutePostLogin = async (event, api) => {
  const { secrets } = event;
  const prefix = level(event);
  api.multifactor.enable('duo', {
    providerOptions: {
      ikey: secrets[`${prefix}_IKEY`],
      skey: secrets[`${prefix}_SKEY`],
      host: secrets.DUO_HOST,
    },
    allowRememberBrowser: prefix !== 'STRICT',
  });
};
""",
    rule="""
function (user, context, callback) {
  var strict = (context.clientMetadata || {}).assurance === 'high';
  context.multifactor = {
    provider: 'duo',
    ikey: strict ? configuration.STRICT_IKEY : configuration.USUAL_IKEY,
    skey: strict ? configuration.STRICT_SKEY : configuration.USUAL_SKEY,
    host: configuration.DUO_HOST,
    ignoreCookie: strict
  };
  callback(null, user, context);
}
""",
    secrets={
        "STRICT_IKEY": STRICT_IKEY,
        "STRICT_SKEY": STRICT_SKEY,
        "USUAL_IKEY": USUAL_IKEY,
        "USUAL_SKEY": USUAL_SKEY,
        "DUO_HOST": "api-recipes.example.com",
    },
    cases=(
        Case(
            "high assurance",
            {"client": {"client_id": "vault", "metadata": {"assurance": "high"}}},
            CHALLENGED,
            remembers=False,
            account=STRICT_IKEY,
        ),
        Case("the rest", {}, CHALLENGED, remembers=True, account=USUAL_IKEY),
    ),
)

RECIPES = (
    *(OPTED_IN, PASSKEY, NO_MFA_YET, NEW_DEVICE, NEVER_ENROLLED, GATE, UNCONFIGURED),
    *(IMPOSSIBLE_TRAVEL, NEEDS_MFA, STALE_MFA, ROLES, ORGANIZATIONS, DIRECTORY_USERS),
    TWO_ACCOUNTS,
)
