"""What Actions and Rules ask for comes out as Auth0 means it."""

from __future__ import annotations

from typing import Any

import pytest

from countersign.actions.flow import Credentials, ErrorKind, FlowReport
from countersign.actions.members import MEMBERS, Member, Treatment
from countersign.core.result import AccessDenied, Factor, Recorded
from tests.realms import AT, a_flow_login, a_realm, a_rule, an_action, body, read, run

IKEY, SKEY, HOST = "DI" + "X" * 18, "s" * 40, "api-1.example.com"
OWN = f"ikey: '{IKEY}', skey: '{SKEY}', host: '{HOST}'"
CALL_BACK = "callback(null, user, context);"


def asked(report: FlowReport) -> tuple[Any, ...]:
    """Return who is to challenge, and how."""
    return (
        report.provider,
        report.allow_remember_browser,
        report.credentials,
        report.username,
    )


ENABLED = {
    "enable('duo')": ("duo", False, None, None),
    "enable('duo', {})": ("duo", False, None, None),
    "enable('duo', null)": ("duo", False, None, None),
    "enable('any', { allowRememberBrowser: true })": ("any", True, None, None),
    "enable('none')": ("none", False, None, None),
    "enable('guardian', { allowRememberBrowser: false })": ("guardian", False, None, None),
    "enable('google-authenticator')": ("google-authenticator", False, None, None),
    "enable('any').multifactor.enable('duo')": ("duo", False, None, None),
    f"enable('duo', {{ providerOptions: {{ {OWN} }} }})": (
        "duo",
        False,
        Credentials(ikey=IKEY, skey=SKEY, host=HOST),
        None,
    ),
    f"enable('duo', {{ providerOptions: {{ {OWN} }} }}).multifactor.enable('duo')": (
        "duo",
        False,
        None,
        None,
    ),
    "enable('duo', { providerOptions: { username: 'ally' } })": ("duo", False, None, "ally"),
    "enable('duo', { providerOptions: { username: event.user.nickname } })": (
        "duo",
        False,
        None,
        "",
    ),
    "enable('duo', { providerOptions: { username: ' ' } })": ("duo", False, None, ""),
    "enable('duo', { providerOptions: { ikey: undefined, skey: undefined, host: undefined } })": (
        "duo",
        False,
        None,
        None,
    ),
    "enable('guardian', { providerOptions: { username: 'x' } })": ("guardian", False, None, None),
}


@pytest.mark.parametrize(("call", "expected"), ENABLED.items(), ids=ENABLED)
def test_enable(call: str, expected: tuple[Any, ...]) -> None:
    """The last `enable` of a flow says who challenges, with which account and name."""
    assert asked(run(f"api.multifactor.{call};")) == expected
    assert asked(run("api.multifactor.enable('none');", f"api.multifactor.{call};")) == expected


INVALID = (
    "api.multifactor.enable()",
    "api.multifactor.enable('sms')",
    "api.multifactor.enable({ provider: 'duo' })",
    "api.multifactor.enable('duo', 'yes')",
    "api.multifactor.enable('duo', { allowRememberBrowser: 'yes' })",
    "api.multifactor.enable('duo', { providerOptions: 1 })",
    f"api.multifactor.enable('duo', {{ providerOptions: {{ ikey: '{IKEY}' }} }})",
    f"api.multifactor.enable('duo', {{ providerOptions: {{ {OWN}, skey: undefined }} }})",
    f"api.multifactor.enable('duo', {{ providerOptions: {{ {OWN}, skey: '' }} }})",
    f"api.multifactor.enable('duo', {{ providerOptions: {{ {OWN}, ikey: 'short' }} }})",
    f"api.multifactor.enable('duo', {{ providerOptions: {{ {OWN}, host: 7 }} }})",
    "api.access.deny()",
    "api.authentication.challengeWith('duo')",
    "api.authentication.challengeWith()",
    "api.authentication.challengeWithAny('otp')",
    "api.authentication.challengeWithAny([])",
    "api.authentication.enrollWith({ type: 'nothing' })",
    "api.redirect.sendUserTo('/relative')",
    "api.redirect.sendUserTo('javascript:alert(1)')",
    "api.redirect.sendUserTo()",
    "api.redirect.sendUserTo('https://evil.example.com\\\\@good.example.com/')",
    "api.redirect.sendUserTo('https://x@y.example.com/')",
    "api.redirect.sendUserTo('https://x.example.com/\\n')",
    "api.multifactor.enable('duo', { providerOptions: { username: 'a\\0b' } })",
    "api.multifactor.enable('duo', { providerOptions: { username: 'a'.repeat(257) } })",
    "api.redirect.sendUserTo('https://x.example.com', { query: 'a=1' })",
    "api.cache.set('k', { an: 'object' })",
    "api.cache.set(1, 'v')",
    "api.user.setUserMetadata(1, 'v')",
    "for (let i = 0; i < 5; i++) api.authentication.challengeWith('otp')",
)


@pytest.mark.parametrize("call", INVALID)
def test_a_call_that_can_not_be_taken(call: str) -> None:
    """A wrong call fails the Action with the member's name; caught, it lets the Action go on."""
    failure = run(f"{call};").failure
    assert failure is not None
    assert failure.kind is ErrorKind.INVALID_CALL
    assert failure.member is not None
    assert failure.member in failure.message
    assert run(f"try {{ {call}; }} catch {{ }}").failure is None


DENIED = {
    "deny('because')": AccessDenied(reason="because"),
    "deny('code', 'because')": AccessDenied(reason="because", code="code"),
    "deny(new Error('because'))": AccessDenied(reason="because"),
    "deny('code', new Error('because'))": AccessDenied(reason="because", code="code"),
    "deny('first').access.deny('second')": AccessDenied(reason="second"),
}


@pytest.mark.parametrize(("call", "expected"), DENIED.items(), ids=DENIED)
def test_deny(call: str, expected: AccessDenied) -> None:
    """A denial ends the flow after its Action; what was recorded so far is kept."""
    report = run(
        "api.user.setUserMetadata('kept', 1);",
        f"api.access.{call}; api.idToken.setCustomClaim('also', 2);",
        "api.multifactor.enable('none');",
    )
    assert report.access_denied == expected
    assert [one.call for one in report.recorded] == [
        "user.setUserMetadata",
        "idToken.setCustomClaim",
    ]
    assert len(report.spoken) == 2


FACTORS = {
    "challengeWith('otp')": (Factor(type="otp"),),
    "challengeWith({ type: 'phone', options: { preferredMethod: 'sms' } })": (
        Factor(type="phone", options={"preferredMethod": "sms"}),
    ),
    "challengeWith('otp', { additionalFactors: [{ type: 'email' }] })": (
        Factor(type="otp"),
        Factor(type="email"),
    ),
    "challengeWithAny([{ type: 'otp' }, { type: 'webauthn-roaming' }])": (
        Factor(type="otp"),
        Factor(type="webauthn-roaming"),
    ),
    "enrollWith('push-notification')": (Factor(type="push-notification", enroll=True),),
    "enrollWithAny([{ type: 'recovery-code' }])": (Factor(type="recovery-code", enroll=True),),
}


@pytest.mark.parametrize(("call", "expected"), FACTORS.items(), ids=FACTORS)
def test_factors(call: str, expected: tuple[Factor, ...]) -> None:
    """Built-in factors end the flow, and stand in the report as they were asked for."""
    report = run(f"api.authentication.{call};", "api.access.deny('never');")
    assert report.factors == expected
    assert (report.access_denied, len(report.spoken)) == (None, 1)


def test_redirect() -> None:
    """A redirect ends the flow; its query is added to the address."""
    report = run(
        "api.redirect.sendUserTo('https://x.example.com/a?b=1#f', { query: { c: 'ä&', d: 2 } });",
        "throw 1;",
    )
    assert report.redirect_url == "https://x.example.com/a?b=1&c=%C3%A4%26&d=2#f"
    assert len(report.spoken) == 1


@pytest.mark.parametrize(
    ("protocol", "can"), [("oidc-basic-profile", True), ("oauth2-refresh-token", False)]
)
def test_can_redirect(protocol: str, *, can: bool) -> None:
    """Only a protocol with a browser can be sent elsewhere."""
    assert read("api.redirect.canRedirect()", transaction={"protocol": protocol}) is can


def test_metadata_is_aggregated() -> None:
    """Of a key's values the last is handed on, null deletes, and undefined is no value."""
    report = run(
        "api.user.setUserMetadata('a', 1); api.user.setUserMetadata('b', { c: [2] });",
        "api.user.setUserMetadata('a', null); api.user.setAppMetadata('a', true);"
        " api.user.setAppMetadata('u', undefined);",
    )
    assert report.recorded == (
        Recorded(call="user.setUserMetadata", arguments=("a", None)),
        Recorded(call="user.setUserMetadata", arguments=("b", {"c": [2]})),
        Recorded(call="user.setAppMetadata", arguments=("a", True)),
    )


CALLED = [one for one in MEMBERS if not one.path.startswith("context.")]


def member_of(path: str, end: str) -> str:
    """Return a call of a member of the table."""
    return path.replace(".*", ".anything") + end


@pytest.mark.parametrize("member", CALLED, ids=lambda one: one.path)
def test_every_member_is_treated_as_the_table_says(member: Member) -> None:
    """What works is a function, what is recorded is recorded, what is unsupported is refused by its name."""
    if member.path == "process.env":
        assert read(member.path) == {}
        return
    match member.treatment:
        case Treatment.WORKS:
            assert read(f"typeof {member.path}") == "function"
        case Treatment.RECORDED:
            (recorded,) = run(f"{member.path}('a', 'b');").recorded
            assert recorded == Recorded(call=member.path.removeprefix("api."), arguments=("a", "b"))
        case Treatment.UNSUPPORTED:
            call = member_of(member.path, "('a')")
            failure = run(f"{call};").failure
            assert failure is not None
            assert failure.kind is ErrorKind.UNSUPPORTED
            assert failure.member == call.removesuffix("('a')")
            assert member.explanation in failure.message


@pytest.mark.parametrize(
    "path",
    ["api.foo", "api.foo.bar.baz", "api.multifactor.enabel", "api.user.delete", "api.cache.clear"],
)
def test_an_unknown_member_is_refused_by_its_name(path: str) -> None:
    """A member that nobody knows is an error that names the whole of it, never `undefined`."""
    failure = run(f"{path}('x');").failure
    assert failure is not None
    assert (failure.kind, failure.member) == (ErrorKind.UNSUPPORTED, path)


def test_looking_at_the_api_is_harmless() -> None:
    """What languages and libraries ask of any object is answered, not refused."""
    assert (
        run(
            "await api; JSON.stringify({ e: event }); `${Object.keys(api)}`; api.toJSON; typeof api;"
        ).failure
        is None
    )


class TestCache:
    """`api.cache`."""

    async def test_reads_what_was_fetched_until_it_ends(self) -> None:
        """An entry is read with its end, and is gone once the flow's clock has passed it."""
        cache = {"k": ("v", AT + 1000), "old": ("x", AT)}
        assert read("api.cache.get('k')", cache=cache) == {"value": "v", "expires_at": AT + 1000}
        assert read("[api.cache.get('old'), api.cache.get('none')]", cache=cache) == [None, None]
        later = "await new Promise((d) => setTimeout(d, 1000));"
        waited = an_action(
            body(later + "api.user.setAppMetadata('it', api.cache.get('k') ?? null);")
        )
        assert run(waited, cache=cache).recorded[0].arguments == ("it", None)

    def test_a_write_is_seen_by_later_actions(self) -> None:
        """What an Action puts there is there for the next one, and in the report."""
        report = run(
            "api.cache.set('a', '1'); api.cache.set('b', '2', { ttl: 1000 }); api.cache.delete('a');",
            "api.user.setAppMetadata('it', [api.cache.get('a') ?? null, api.cache.get('b').value]);",
        )
        assert report.recorded[0].arguments == ("it", [None, "2"])
        minutes = 15 * 60 * 1000
        assert report.cache == (("a", "1", AT + minutes), ("b", "2", AT + 1000), ("a", None, None))

    @pytest.mark.parametrize(
        ("call", "answer"),
        [
            ("set('k'.repeat(64), 'v')", "success"),
            ("set('k'.repeat(65), 'v')", "CacheKeySizeExceeded"),
            ("set('ä'.repeat(33), 'v')", "CacheKeySizeExceeded"),
            ("set('k', 'v'.repeat(4096))", "success"),
            ("set('k', 'v'.repeat(4097))", "CacheValueSizeExceeded"),
            (f"set('k', 'v', {{ expires_at: {AT} }})", "ItemAlreadyExpired"),
            ("set('k', 'v', { ttl: 0 })", "ItemAlreadyExpired"),
        ],
    )
    def test_limits(self, call: str, answer: str) -> None:
        """Beyond a limit nothing is written, and the answer says which."""
        assert read(f"((a) => a.code ?? a.type)(api.cache.{call})") == answer

    def test_an_entry_lives_a_day_at_most(self) -> None:
        """Whatever is asked for, an entry ends after 24 hours."""
        assert read("api.cache.set('k', 'v', { ttl: 1e12 }).record.expires_at") == AT + 86_400_000

    def test_the_twenty_first_entry_is_refused(self) -> None:
        """A cache has twenty entries; one that is there already may be written again."""
        full = {f"k{n}": ("v", AT + 1000) for n in range(20)}
        assert read("api.cache.set('new', 'v').code", cache=full) == "CacheSizeExceeded"
        assert read("api.cache.set('k3', 'w').type", cache=full) == "success"


LISTS = ("acr_values", "prompt", "requested_scopes", "response_type", "ui_locales")


class TestEvent:
    """What an Action sees."""

    def test_what_auth0_always_has_is_there(self) -> None:
        """Of a small event the parts that real Actions rely on are empty, and the optional ones missing."""
        assert read(
            "[event.user.app_metadata, event.user.user_metadata, event.user.identities,"
            " event.client.metadata, event.request, event.stats, event.tenant,"
            " event.authentication ?? null, event.organization ?? null]"
        ) == [
            {},
            {},
            [],
            {},
            {"query": {}, "body": {}, "geoip": {}},
            {},
            {"id": "acme"},
            None,
            None,
        ]
        assert read("event.transaction", transaction={"protocol": "samlp"}) == {
            "protocol": "samlp",
            **{name: [] for name in LISTS},
            "metadata": {},
        }

    def test_what_is_unknown_passes_through(self) -> None:
        """Fields that nobody knows reach the Action untouched, special names included; `login` doesn't."""
        odd = {"__proto__": {"x": 1}, "constructor": 2, "ldap": ["a"], "deep": {"__proto__": None}}
        event = read(
            "[Object.entries(event.user.user_metadata), event.experiment, event.login ?? null,"
            " ({}).x ?? null]",
            user={"user_metadata": odd},
            experiment={"on": True},
            login={"browser_id": "b" * 20},
        )
        assert event == [[[k, v] for k, v in odd.items()], {"on": True}, None, None]

    def test_secrets_are_the_actions_own(self) -> None:
        """Each Action has its own: `event.secrets`, `event.configuration` and `configuration`."""
        ask = body(
            "api.user.setAppMetadata(event.secrets.K, [event.configuration.K, configuration.K]);"
        )
        report = a_realm(
            an_action(ask, name="one", secrets={"K": "a"}),
            an_action(ask, name="two", secrets={"K": "b"}),
        ).run(a_flow_login())
        assert [one.arguments for one in report.recorded] == [("a", ["a", "a"]), ("b", ["b", "b"])]

    def test_secrets_are_masked_in_whatever_comes_out(self) -> None:
        """A secret is stars in lines, errors, reasons, effects and addresses; in credentials it is not."""
        secrets = {"K": "correct-horse", "SKEY": SKEY}
        told = run(
            an_action(
                body(
                    f"api.multifactor.enable('duo', {{ providerOptions: {{ {OWN} }} }});"
                    " const s = event.secrets.K; console.log('is', s);"
                    " api.user.setUserMetadata(s, { [s]: [s] }); api.access.deny(s, `no ${s}`);"
                ),
                secrets=secrets,
            )
        )
        assert "correct-horse" not in repr(told)
        assert told.credentials is not None
        assert told.credentials.skey == SKEY
        for statements in (
            "throw new Error(event.secrets.K);",
            "api.redirect.sendUserTo('https://' + event.secrets.K);",
        ):
            assert "correct-horse" not in repr(run(an_action(body(statements), secrets=secrets)))


FORMS = {
    "true": ("any", True, None, None),
    "{ provider: 'any' }": ("any", True, None, None),
    "{ provider: 'duo', ignoreCookie: true }": ("duo", False, None, None),
    "{ provider: 'duo', ignoreCookie: false }": ("duo", True, None, None),
    "{ provider: 'duo', allowRememberBrowser: false }": ("duo", False, None, None),
    "{ provider: 'duo', allowRememberBrowser: true, ignoreCookie: true }": (
        "duo",
        True,
        None,
        None,
    ),
    f"{{ provider: 'duo', {OWN}, username: user.nickname }}": (
        "duo",
        True,
        Credentials(ikey=IKEY, skey=SKEY, host=HOST),
        "",
    ),
    "{ provider: 'duo', username: 'ally' }": ("duo", True, None, "ally"),
    "false": (None, None, None, None),
    "null": (None, None, None, None),
    "{}": (None, None, None, None),
}


SOURCES = {
    "anonymous": "function (user, context, callback) { callback(null, user, context); }",
    "named": "function rule(user, context, callback) { return callback(null, user, context); }",
    "an arrow": "(user, context, callback) => callback(null, user, context)",
    "async": "async function (user, context, callback) { await null; callback(null, user, context); }",
    "with comments": "/* before */ function (user, context, done) { done(null, user, context); };\n// after",
    "later": "function (u, c, done) { setTimeout(() => done(null, u, c), 50); }",
    "twice": "function (u, c, done) { done(null, u, c); done(new Error('again')); }",
    "with a promise": "function (u, c, done) { Promise.resolve().then(() => done(null, u, c)); }",
}


class TestNothingIsPassedOver:
    """Secrets that are hidden, and members that can't be supported."""

    @pytest.mark.parametrize(
        "statements",
        [
            "console.log('x'.repeat(230) + event.secrets.KEY);",
            "console.log(event.secrets);",
            "console.log('%j', event.secrets);",
            "throw new Error('x'.repeat(480) + event.secrets.KEY);",
            "api.foo[event.secrets.KEY]();",
            "require(event.secrets.KEY);",
            "api.redirect.sendUserTo('https://x.example.com', { query: { k: event.secrets.KEY } });",
            "api.access.deny(JSON.stringify(event.secrets));",
            "console.log('y'.repeat(4800) + event.secrets.KEY);",
        ],
    )
    def test_no_part_of_a_secret_comes_out(self, statements: str) -> None:
        """A secret that was cut, quoted, escaped or put into an address is not told either."""
        key = "-----BEGIN-----\nMIIabcdefgh'quoted\\slashed/+==\n-----END-----"
        told = repr(run(an_action(body(statements), secrets={"KEY": key})))
        for part in ("MIIab", "quoted", "-----BEGIN"):
            assert part not in told, told

    @pytest.mark.parametrize(
        "statements",
        [
            "try { await fetch('https://x.example.com'); } catch {}",
            "try { api.session.revoke('x'); } catch {}",
            "try { require('axios'); } catch {}",
            "try { api.foo.bar(); } catch {} api.multifactor.enable('none');",
            "try { new Date().toLocaleString('en-US', { timeZone: 'Asia/Tokyo' }); } catch {}",
            "try { new Intl.DateTimeFormat('de'); } catch {}",
            "try { crypto.randomUUID(); } catch {}",
            "try { (1.5).toLocaleString('de-DE'); } catch {}",
        ],
    )
    def test_what_is_unsupported_fails_also_where_it_is_caught(self, statements: str) -> None:
        """What can't be done is never passed over, whatever the Action makes of the error."""
        failure = run(statements).failure
        assert failure is not None
        assert failure.kind is ErrorKind.UNSUPPORTED

    def test_dates_without_a_locale_are_written(self) -> None:
        """Without locale and options there is one way to write a date or a number, and it works."""
        assert "2026" in read("new Date().toLocaleString()")
        assert read("(1.5).toLocaleString('en-US')") == "1.5"


class TestRules:
    """Legacy Rules."""

    @pytest.mark.parametrize(("form", "expected"), FORMS.items(), ids=FORMS)
    def test_multifactor_in_all_its_forms(self, form: str, expected: tuple[Any, ...]) -> None:
        """What a Rule leaves on `context.multifactor` is what an Action would have called."""
        assert asked(run(a_rule(f"context.multifactor = {form}; {CALL_BACK}"))) == expected

    def test_the_last_word_is_the_last_rules_then_the_actions(self) -> None:
        """A later Rule may take back what an earlier one asked, and an Action has the last word."""
        ask = a_rule(f"context.multifactor = {{ provider: 'duo' }}; {CALL_BACK}", name="ask")
        take_back = a_rule(f"delete context.multifactor; {CALL_BACK}", name="back")
        assert asked(run(ask, take_back))[0] is None
        assert asked(run(ask, take_back, "api.multifactor.enable('any');"))[0] == "any"
        assert (
            run(
                ask,
                take_back,
                "if (!api.rules.wasExecuted('ask') || api.rules.wasExecuted('x')) throw 1;",
            ).failure
            is None
        )

    @pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
    def test_every_way_to_write_one(self, source: str) -> None:
        """A Rule is a function in whatever form, and done when it first calls back."""
        report = run(an_action(source, kind=a_rule("").kind))
        assert (report.failure, report.spoken[0].said) == (None, "silent")

    @pytest.mark.parametrize(
        "call",
        [
            "callback(null, user, { ...context, multifactor: { provider: 'any' } });",
            "callback(null, user, Object.assign({}, context, { multifactor: true }));",
            "callback(null, user, context); context.multifactor = { provider: 'any' };",
        ],
    )
    def test_what_it_hands_on_counts(self, call: str) -> None:
        """The context that a Rule calls back with counts, as it stands in the end."""
        assert asked(run(a_rule(call)))[0] == "any"
        assert asked(run(a_rule(call), a_rule(CALL_BACK, name="next")))[0] == "any"

    def test_refusing(self) -> None:
        """An UnauthorizedError denies with its text; any other error fails the Rule, as silence does."""
        denied = run(a_rule("return callback(new UnauthorizedError('not today'));"), "throw 1;")
        assert denied.access_denied == AccessDenied(reason="not today")
        kinds = {
            "callback(new Error('x'));": ErrorKind.THREW,
            "callback('x');": ErrorKind.THREW,
            "throw new UnauthorizedError('x');": ErrorKind.THREW,
            "": ErrorKind.NEVER_SETTLED,
            "auth0.users.updateAppMetadata(user.user_id, {});": ErrorKind.UNSUPPORTED,
            f"context.multifactor = {{ provider: 'sms' }}; {CALL_BACK}": ErrorKind.INVALID_CALL,
            f"context.multifactor = 'duo'; {CALL_BACK}": ErrorKind.INVALID_CALL,
        }
        for statements, kind in kinds.items():
            failure = run(a_rule(statements)).failure
            assert failure is not None
            assert failure.kind is kind

    def test_what_a_rule_sees(self) -> None:
        """The names of `context` and `user` are those that Rules know."""
        report = run(
            a_rule(
                "context.idToken.seen = [context.clientID, context.clientName, context.clientMetadata.a,"
                " context.connection, context.connectionStrategy, context.protocol,"
                " context.stats.loginsCount,"
                " context.request.userAgent, context.request.ip, context.request.geoip.country_code,"
                " context.authentication.methods[0], context.authorization.roles, context.organization.name,"
                f" user.user_id, user.app_metadata]; {CALL_BACK}"
            ),
            client={"client_id": "c", "name": "C", "metadata": {"a": "b"}},
            connection={"name": "Users", "strategy": "auth0"},
            transaction={"protocol": "samlp"},
            stats={"logins_count": 7},
            request={"ip": "203.0.113.7", "user_agent": "UA", "geoip": {"countryCode": "CH"}},
            authentication={"methods": [{"name": "mfa", "timestamp": "2026-03-02T09:00:00.000Z"}]},
            authorization={"roles": ["r"]},
            organization={"id": "o", "name": "org"},
        )
        assert report.recorded == (
            Recorded(
                call="idToken.setCustomClaim",
                arguments=(
                    "seen",
                    [
                        *("c", "C", "b", "Users", "auth0", "samlp", 7, "UA", "203.0.113.7", "CH"),
                        {"name": "mfa", "timestamp": AT},
                        ["r"],
                        *("org", "auth0|alice", {}),
                    ],
                ),
            ),
        )

    def test_a_redirect_waits_for_the_last_rule(self) -> None:
        """`context.redirect` sends the user elsewhere once all Rules are done, before any Action."""
        ask = a_rule(
            f"context.redirect = {{ url: 'https://x.example.com/' }}; {CALL_BACK}", name="ask"
        )
        report = run(ask, a_rule(CALL_BACK, name="next"), "throw 1;")
        assert (report.failure, report.redirect_url) == (None, "https://x.example.com/")
        denied = run(ask, a_rule("callback(new UnauthorizedError('no'));", name="next"))
        assert denied.access_denied is not None


def test_modules_are_required_by_the_name_they_have() -> None:
    """`require` finds what was uploaded, with or without a version, and refuses the rest by its name."""
    modules = {
        "m": "exports.n = require('inner').n + 1;",
        "inner": "module.exports = { n: 1 };",
        "@s/p": "exports.p = 1;",
    }
    source = body(
        "const same = require('m@1.2.3') === require('m');"
        " api.user.setAppMetadata('it', [require('m').n, same, require('@s/p@2').p]);"
    )
    assert run(an_action(source, modules=modules)).recorded[0].arguments == ("it", [2, True, 1])
    for name in ("axios", "axios@1.0.0", "node:crypto", "crypto", "../x", "toString"):
        failure = run(an_action(body(f"require('{name}');"), modules=modules)).failure
        assert failure is not None
        assert failure.kind is ErrorKind.UNSUPPORTED
        assert name in failure.message
    broken = run(an_action(body("require('b');"), modules={"b": "const = ;"})).failure
    assert broken is not None
    assert broken.kind is ErrorKind.BROKEN


INHERITED = (
    "class E extends Error { constructor(m) { super(m); this.name = 'E'; } }; const e = new E('m');"
    " e.message = 'n'; if (`${e}` !== 'E: n') throw 1;",
    "function F() {} F.prototype.toString = function () { return 'f'; }; if (`${new F()}` !== 'f') throw 1;",
    "function G() {} G.prototype = Object.create(Error.prototype); G.prototype.constructor = G;"
    " G.prototype.name = 'G'; if (new G().name !== 'G') throw 1;",
    "const o = {}; o.hasOwnProperty = 1; o.constructor = 2; o.toString = () => 'o';"
    " if (`${o}` !== 'o') throw 1;",
    "const a = [1]; a.toString = () => 'a'; if (`${a}` !== 'a') throw 1;",
    "const f = () => 1; f.call = 2; if (f.call !== 2 || Object.keys(f).length !== 1) throw 1;",
    "var name = 'x', status = 1; if (name !== 'x') throw 1;",
    "const { URL: U = 1, undefinedName = 2 } = {}; if (undefinedName !== 2) throw 1;",
    "label: for (const x of [1]) { continue label; }",
    "const { a = 1, ...rest } = { b: 2 }; if (rest.b !== 2 || a !== 1) throw 1;",
    "if ([3, 1, 2].toSorted().at(-1) !== 3 || Object.groupBy([1], () => 'k').k[0] !== 1) throw 1;",
    "class P { #x = 1; static #y = 2; static { P.z = P.#y; } get x() { return this.#x ?? 0; } }"
    " if (new P().x + P.z !== 3) throw 1;",
    "if (!(() => 1 instanceof Function) || !(new (class extends Map {})() instanceof Map)) throw 1;",
    "if (btoa('a') !== 'YQ==' || atob('YQ==') !== 'a') throw 1;",
    "process.nextTick(() => {}); if (process.env.NODE_ENV !== undefined) throw 1;",
    "if (new Date(0).toLocaleDateString() === '' || (1.5).toFixed(1) !== '1.5') throw 1;",
    "for await (const x of (async function* () { yield 1; })()) if (x !== 1) throw 1;",
    "await Promise.allSettled([Promise.reject(1)]); await Promise.race([1, new Promise(() => {})]);",
)


@pytest.mark.parametrize("statements", INHERITED)
def test_code_runs_as_in_node(statements: str) -> None:
    """Frozen intrinsics and new syntax are in nobody's way."""
    assert run(statements).failure is None, run(statements).failure
    assert run(an_action("'use strict';" + body(statements))).failure is None
