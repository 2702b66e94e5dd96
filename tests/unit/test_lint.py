"""Lint names what is wrong with an Action, at the place where it is, and leaves what is right alone."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.actions.duo_template import correct_duo_template
from countersign.actions.flow import Credentials, ErrorKind
from countersign.actions.lint import Finding, Severity, lint
from countersign.core.action import MAX_SOURCE_BYTES, ActionKind
from tests.realms import an_action, run
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
    ("overridden", 2, 28, HEAD + "const {multifactor} = api; multifactor.enable('any'); multifactor.enable('duo');\n};"),
    ("unreachable", 2, 46, HEAD + "if (event.x) return; else throw new Error(); api.multifactor.enable('any');\n};"),
    ("unsupported-member", 2, 1, HEAD + "global.fetch('/');\n};"),
    ("unsupported-member", 2, 1, HEAD + "auth0.users.updateUserMetadata('a', {});\n};"),
    ("unsupported-member", 3, 12, "const of = (f) => f;\nexports.onExecutePostLogin = of(async (event, api) => {\napi.prompt.render('x'); });"),
    ("missing-module", 2, 7, HEAD + "await import('axios');\n};"),
    ("missing-module", 3, 1, "const name = 'axios';\n" + HEAD + "require(name);\n};"),
    ("unknown-provider", 1, 15, "const asked = 'dou';\n" + HEAD + "api.multifactor.enable(asked);\n};"),
    ("unknown-provider", 2, 34, HEAD + "api.multifactor.enable(event.x ? 'dou' : 'any');\n};"),
    ("partial-account", 1, 24, "const providerOptions ={ host: 'h', ikey: 'i' };\n" + HEAD + "api.multifactor.enable('duo', { providerOptions });\n};"),
    ("unknown-option", 2, 33, HEAD + "api.multifactor.enable('duo', { ikey: 'i' });\n};"),
    ("unknown-option", 2, 33, HEAD + "api.multifactor.enable('any', { allowRemember: true });\n};"),
    ("not-a-boolean", 2, 55, HEAD + "api.multifactor.enable('any', { allowRememberBrowser: 'false' });\n};"),
    ("unknown-factor", 2, 40, HEAD + "api.authentication.challengeWith({type:'sms'});\n};"),
    ("unknown-factor", 2, 42, HEAD + "api.authentication.enrollWithAny(['otp', 'duo']);\n};"),
    ("no-handler", 1, 1, "exports.onExecutePostLogin = 42;"),
    ("no-handler", 1, 1, "exports = { onExecutePostLogin: async (event, api) => {} };"),
    ("no-handler", 1, 1, "// exports.onExecutePostLogin = async (event, api) => {}"),
    ("syntax", 1, 1, "const module = 1; exports.onExecutePostLogin = () => {};"),
    ("syntax", 2, 1, HEAD + "const a = '\0';\n};"),
    ("never-continued", 2, 4, HEAD + "}; exports.onContinuePostLogin = async (event, api) => {};"),
]  # fmt: skip
WRONG_RULES = [
    ("rule-shape", 1, 1, "function (user, context) {}"),
    ("rule-shape", 1, 1, "42"),
    ("rule-shape", 2, 1, "function a(u, c, cb) { cb(); }\nfunction b() {}"),
    ("no-callback", 1, 26, "function (user, context, callback) {}"),
    ("no-callback", 1, 26, "function (user, context, callback) { 'callback'; /* callback() */ }"),
    ("es-module", 1, 1, "export default function (user, context, callback) { callback(); }"),
    ("missing-secret", 1, 52, "function (user, context, callback) { configuration.NONE.trim(); callback(); }"),
    ("missing-module", 1, 38, "function (user, context, callback) { require('request'); callback(); }"),
    ("unknown-provider", 1, 60, "function (user, context, callback) { context.multifactor = 'duo'; callback(); }"),
    ("unknown-provider", 1, 79, "function (user, context, callback) { context.multifactor = user.a ? {provider:'dou'} : true; callback(); }"),
    ("overridden", 1, 33, "function (user, c, callback) {  c.multifactor = true; c.multifactor = {provider:'duo'}; callback(); }"),
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
DUO = {"DUO_IKEY": "D" * 20, "DUO_SKEY": "s" * 40, "DUO_HOST": "api-made-up.example.com"}
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
        "if (process.env.LEVEL) process.nextTick(() => {});",
        "event.secrets.hasOwnProperty('A'); event.secrets.LATER = '1';",
        "const { secrets: { NONE = 'usual' } } = event; api.cache.set('a', NONE);",
        "const options = { providerOptions: { host: 'h' } }; fill(options); api.multifactor.enable('duo', options); function fill(o) {}",
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
        "module.exports = exports = { onExecutePostLogin() {} };",
        "this.onExecutePostLogin = async (event, api) => {};",
        "(function (m) { m.exports = { onExecutePostLogin() {} }; })(module);",
        "new.target; exports['onExecutePostLogin'] = function () {};",
        "Object.assign(exports, { onExecutePostLogin() {} });",
        "\ufeff#!/usr/bin/env node\nexports.onExecutePostLogin = () => {};",
    ],
)
def test_exports(source: str) -> None:
    """A handler may be exported in each of the ways that CommonJS has, and the realm finds it."""
    assert action(source) == []
    assert run(an_action(source)).failure is None


@pytest.mark.parametrize(
    "source",
    [
        "/* one */ function (user, context, callback) { callback(null, user, context); }; // two",
        "(user, context, callback) => callback(null, user, context)",
        "module.exports = function (user, context, callback) { callback(null, user, context); }",
        "function () { arguments[2](null, arguments[0], arguments[1]); }",
        "function (...given) { given[2](null, given[0], given[1]); }",
        "function (user, context, callback) { api = { a() {} }; api.a(); callback(); }",
    ],
)
def test_rules(source: str) -> None:
    """A Rule may be written in each way that the realm runs; lint refuses none of them."""
    assert lint(source, kind=ActionKind.RULE, secrets=(), modules=()) == []
    assert run(an_action(source, kind=ActionKind.RULE)).failure is None


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


@pytest.mark.parametrize(
    "source",
    [
        "const module = 1;",
        "let require;",
        "// \0",
        "'\0';",
        "`\0`",
        "if (1) { super.x; }",
        "using a = null;",
    ],
)
def test_what_the_engine_refuses(source: str) -> None:
    """What a realm can't compile, lint finds, also where the parser alone would take it; no realm raises."""
    text = f"{source}\n{HEAD}}};"
    failure = run(an_action(text)).failure
    refused = failure is not None and failure.kind is ErrorKind.BROKEN
    assert refused == any(each.rule == "syntax" for each in action(text))


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


@pytest.mark.parametrize("piece", ["(", "[", "{", "a=>", "!", "x?", "f(", "a.b", "a+", "`${"])
def test_nested_in_a_thread(piece: str) -> None:
    """However deep a source is nested, no thread's stack is overrun."""
    found: list[Finding] = []
    thread = threading.Thread(target=lambda: found.extend(action(piece * 20_000)))
    thread.start()
    thread.join()
    assert [each.rule for each in found] == ["unreadable"]


def test_many() -> None:
    """Of very many findings the first are told."""
    assert len(action(HEAD + "api.a();" * 2000 + "\n};")) == 200


def test_duo_template() -> None:
    """The Action of Auth0's page is recognised, though it doesn't parse, and its corrected text is right."""
    (found,) = action(TEMPLATE)
    assert (found.rule, found.line, found.column) == ("duo-template", 7, 7)
    correction = correct_duo_template(TEMPLATE)
    assert correction is not None
    assert found.remedy.endswith(correction.text)
    assert '["payroll", "ledger"]' in correction.text
    assert action(correction.text, secrets=tuple(DUO)) == []


@pytest.mark.parametrize(("client", "provider"), [("ledger", "duo"), ("shop", None)])
def test_duo_template_runs(client: str, provider: str | None) -> None:
    """The corrected text does what the page says: Duo at the listed applications, asked for every time."""
    commented = TEMPLATE.replace("// username", "// allowRememberBrowser: true,\n      // username")
    correction = correct_duo_template(commented.replace("\n", "\r\n"))
    assert correction is not None
    report = run(an_action(correction.text, secrets=DUO), client={"client_id": client})
    assert report.failure is None
    assert report.provider == provider
    if provider is not None:
        assert report.allow_remember_browser is False
        assert report.credentials == Credentials(
            ikey=DUO["DUO_IKEY"], skey=DUO["DUO_SKEY"], host=DUO["DUO_HOST"]
        )


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
