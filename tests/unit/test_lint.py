"""Lint names what is wrong with an Action, at the place where it is, and leaves what is right alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.actions.duo_template import correct_duo_template
from countersign.actions.lint import Finding, Severity, lint
from countersign.core.action import MAX_SOURCE_BYTES, ActionKind
from tests.recipes import applications, users

RECIPES = (*users.RECIPES, *applications.RECIPES)
ACTIONS = [(recipe.name, recipe.action, recipe.secrets) for recipe in RECIPES]
RULES = [(recipe.name, recipe.rule, recipe.secrets) for recipe in RECIPES if recipe.rule]
HEAD = "exports.onExecutePostLogin = async (event, api) => {\n"

# ruff: noqa: E501  # a row of the tables is a line
# Rule's name, line, column; then the source.
WRONG = [
    ("syntax", 2, 10, HEAD + "let a = (;\n};"),
    ("syntax", 1, 11, "const a = ;"),
    ("es-module", 1, 1, "import a from 'a';"),
    ("es-module", 2, 1, "\nexport const onExecutePostLogin = () => {};"),
    ("no-handler", 1, 1, "exports.onExecutePostlogin = async (event, api) => {};"),
    ("unknown-member", 2, 17, HEAD + "api.multifactor.enabel('any');\n};"),
    ("unknown-member", 2, 30, HEAD + "const m = api.multifactor; m.enabel('any');\n};"),
    ("unknown-member", 2, 9, HEAD + "const { multifactr } = api;\n};"),
    ("unknown-member", 1, 41, "exports.onExecutePostLogin = async (e, {mfa}) => {};"),
    ("unknown-member", 1, 58, "exports.onExecutePostLogin = async (e, other) => { other.mfa(); };"),
    ("unknown-member", 1, 31, "const help = (other) => other.x();\n" + HEAD + "help(api);\n};"),
    ("unsupported-member", 2, 12, HEAD + "api.prompt.render('form');\n};"),
    ("unsupported-member", 2, 14, HEAD + "api.redirect['encodeToken']({});\n};"),
    ("unsupported-member", 2, 7, HEAD + "await fetch('/');\n};"),
    ("unsupported-member", 2, 1, HEAD + "globalThis.fetch('/');\n};"),
    ("unsupported-member", 2, 1, HEAD + "process.exit(1);\n};"),
    ("evaluation", 2, 1, HEAD + "eval('1');\n};"),
    ("evaluation", 2, 5, HEAD + "new Function('1');\n};"),
    ("missing-module", 2, 12, HEAD + "if (event) require('axios@1.2.3');\n};"),
    ("missing-module", 1, 11, "const f = require('node:fs');\n" + HEAD + "};"),
    ("dynamic-require", 2, 1, HEAD + "require(event.name);\n};"),
    ("missing-secret", 2, 15, HEAD + "event.secrets.NONE.trim();\n};"),
    ("missing-secret", 2, 9, HEAD + "const { NONE } = event.secrets;\n};"),
    ("missing-secret", 2, 15, HEAD + "configuration.NONE.trim();\n};"),
    ("unknown-provider", 2, 24, HEAD + "api.multifactor.enable('dou');\n};"),
    ("unknown-provider", 2, 24, HEAD + "api.multifactor.enable(true);\n};"),
    ("partial-account", 2, 50, HEAD + "api.multifactor.enable('duo', { providerOptions: { host: 'h' } });\n};"),
    ("unknown-factor", 2, 34, HEAD + "api.authentication.challengeWith('sms');\n};"),
    ("unknown-factor", 2, 44, HEAD + "api.authentication.challengeWithAny([{type:'sms'}]);\n};"),
    ("overridden", 2, 1, HEAD + "api.multifactor.enable('any');\napi.multifactor.enable('duo');\n};"),
    ("unreachable", 3, 1, HEAD + "return;\napi.multifactor.enable('duo');\n};"),
    ("never-continued", 2, 4, HEAD + "}; exports.onContinuePostLogin = async (event, api) => {};"),
]  # fmt: skip
WRONG_RULES = [
    ("rule-shape", 1, 1, "function (user, context) {}"),
    ("rule-shape", 1, 1, "42"),
    ("rule-shape", 2, 1, "function a(u, c, cb) { cb(); }\nfunction b() {}"),
    ("no-callback", 1, 26, "function (user, context, callback) {}"),
    ("unknown-provider", 1, 60, "function (u, c, callback) { c.multifactor = {    provider: 'dou' }; callback(); }"),
    ("partial-account", 1, 45, "function (u, c, callback) { c.multifactor = { ikey: 'a' }; callback(); }"),
    ("unsupported-member", 1, 29, "function (u, c, callback) { auth0.users.updateAppMetadata(); callback(); }"),
]  # fmt: skip
WORDS = (
    *("exports", ".onExecutePostLogin", "=", "async", "(event, api)", "=>", "{", "}", "(", ")", "[", "]"),
    *(";", ",", ".", "...", "?", ":", "api", "event", ".multifactor", ".enable", "'duo'", "secrets", "const"),
    *("let", "var", "{a}", "function", "class", "#x", "get", "await", "require", "`", "${", "/", "\\", "\n"),
    *("if", "else", "return", "for", "of", "in", "switch", "case", "try", "catch", "__proto__", "constructor"),
)  # fmt: skip
TEMPLATE = """\
exports.onExecutePostLogin = async (event, api) => {
  const CLIENTS_WITH_MFA = ['payroll', "ledger"];
  // run only for the specified clients
  if (CLIENTS_WITH_MFA.includes(event.client.client_id)) {
    // if (event.user.user_metadata && event.user.user_metadata.use_mfa){
    api.multifactor.enable("duo", {
      providerOptions.ikey: configuration.DUO_IKEY,
      providerOptions.skey: configuration.DUO_SKEY,
      'api-made-up.example.com',
      // username: event.user.nickname,
      allowRememberBrowser: false
    });
  // }
}
"""


def action(source: str | bytes, *, secrets: tuple[str, ...] = ()) -> list[Finding]:
    """Lint an Action that has one module."""
    return lint(source, kind=ActionKind.ACTION, secrets=secrets, modules={"ipaddr.js": ""})


@pytest.mark.parametrize(("name", "source", "secrets"), ACTIONS, ids=lambda _: "")
def test_recipes_as_actions(name: str, source: str, secrets: dict[str, str]) -> None:
    """Of the Actions that people have, nothing is said."""
    assert lint(source, kind=ActionKind.ACTION, secrets=secrets, modules=()) == [], name


@pytest.mark.parametrize(("name", "source", "secrets"), RULES, ids=lambda _: "")
def test_recipes_as_rules(name: str, source: str, secrets: dict[str, str]) -> None:
    """Of the Rules that people have, nothing is said."""
    assert lint(source, kind=ActionKind.RULE, secrets=secrets, modules=()) == [], name


@pytest.mark.parametrize(("rule", "line", "column", "source"), WRONG)
def test_wrong_action(rule: str, line: int, column: int, source: str) -> None:
    """What is wrong with an Action is named where it stands, and nothing else."""
    assert [(each.rule, each.line, each.column) for each in action(source)] == [
        (rule, line, column)
    ]


@pytest.mark.parametrize(("rule", "line", "column", "source"), WRONG_RULES)
def test_wrong_rule(rule: str, line: int, column: int, source: str) -> None:
    """What is wrong with a Rule is named where it stands, and nothing else."""
    found = lint(source, kind=ActionKind.RULE, secrets=(), modules=())
    assert [(each.rule, each.line, each.column) for each in found] == [(rule, line, column)]


@pytest.mark.parametrize(
    "body",
    [
        "// require('axios')\n/* fetch() */ const text = `require('axios')`;",
        "require('ipaddr.js@1.9.0'); require('ipaddr.js');",
        "const fetch = () => 1; fetch(); const o = { fetch, eval: 1 }; o.eval;",
        "if (typeof fetch === 'function') api.cache.get('a');",
        "api.access.deny('no').multifactor.enable('any');",
        "api.multifactor.enable('any'); if (event.x) return; api.multifactor.enable('duo');",
        "api.multifactor.enable('any'); if (event.x) api.multifactor.enable('duo');",
        "const { multifactor: { enable }, access } = api; enable('any'); access.deny('no');",
        "if (!event.secrets.NONE) return; api.cache.set('a', event.secrets.NONE);",
        "api.redirect.sendUserTo('https://shop.example.com/refused');",
        "return helper(); function helper() {}",
        "event.experiment.anything; event.user.ldap_groups;",
    ],
)
def test_right(body: str) -> None:
    """What works is left alone: comments, strings, local names, versions of modules, branches."""
    assert action(HEAD + body + "\n};") == []


@pytest.mark.parametrize(
    "source",
    [
        "module.exports = { onExecutePostLogin: async (event, api) => {} };",
        "module.exports = { async onExecutePostLogin(event, api) {} };",
        "async function onExecutePostLogin(event, api) {}\nmodule.exports = { onExecutePostLogin };",
        "Object.assign(exports, { onExecutePostLogin() {} });",
        "\ufeff#!/usr/bin/env node\nexports.onExecutePostLogin = () => {};",
    ],
)
def test_exports(source: str) -> None:
    """A handler may be exported in each of the ways that CommonJS has."""
    assert action(source) == []


def test_unused_secret() -> None:
    """A secret that nothing reads is warned of, unless the code may read any of them."""
    named = "event.secrets.USED;\n};"
    (found,) = action(HEAD + named, secrets=("USED", "GONE"))
    assert (found.rule, found.severity) == ("unused-secret", Severity.WARNING)
    for body in (
        "event.secrets[event.x];\n};",
        "const { ...all } = event.secrets;\n};",
        "log(event);\n};",
    ):
        assert action(HEAD + body, secrets=("GONE",)) == []


def test_no_continuation() -> None:
    """A redirect is warned of only where the Action counts on coming back."""
    source = HEAD + "api.redirect.sendUserTo('/a');\n};\nexports.onContinuePostLogin = () => {};"
    assert [each.rule for each in action(source)] == ["no-continuation", "never-continued"]


def test_excerpt() -> None:
    """The caret stands below the place, in characters, however long the line is."""
    (found,) = action(HEAD + "const a = '😀'; let b = ;\n};")
    assert (found.line, found.column) == (2, 24)
    text, caret = found.excerpt.split("\n")
    assert text[caret.index("^")] == ";"
    (found,) = action("/*" + "x" * 500 + "*/ let b = ;")
    text, caret = found.excerpt.split("\n")
    assert len(text) <= 100
    assert text[caret.index("^")] == ";"


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        (b"abc\n\xff", "not-utf-8"),
        ("a\ud800", "not-utf-8"),
        ("x" * (MAX_SOURCE_BYTES + 1), "too-large"),
        ("[" * 50_000, "unreadable"),
    ],
    ids=["bytes", "half a pair", "too large", "nested"],
)
def test_unreadable(source: str | bytes, rule: str) -> None:
    """What can't be read is one finding."""
    assert [each.rule for each in action(source)] == [rule]


def test_duo_template() -> None:
    """The Action of Auth0's page is recognised, though it doesn't parse, and its corrected text is right."""
    (found,) = action(TEMPLATE)
    assert (found.rule, found.line, found.column) == ("duo-template", 7, 7)
    correction = correct_duo_template(TEMPLATE)
    assert correction is not None
    assert found.remedy.endswith(correction.text)
    assert '["payroll", "ledger"]' in correction.text
    assert action(correction.text, secrets=("DUO_IKEY", "DUO_SKEY", "DUO_HOST")) == []


@given(
    st.one_of(
        st.text(max_size=300),
        st.binary(max_size=300),
        st.lists(
            st.sampled_from(WORDS),
            max_size=40,
        ).map(" ".join),
    ),
    st.sampled_from([ActionKind.ACTION, ActionKind.RULE]),
)
def test_never_raises(source: str | bytes, kind: ActionKind) -> None:
    """Whatever the source, lint ends, raises nothing, and each place is in the source."""
    for found in lint(source, kind=kind, secrets=("A",), modules=("b",)):
        assert found.line >= 1
        assert found.column >= 1
        assert found.message
        assert found.remedy
