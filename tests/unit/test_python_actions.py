"""Python Actions: what they read, what they may ask for, and that whatever goes wrong in one fails it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given

from countersign.actions.flow import (
    MAX_LINE,
    MAX_REPORT_BYTES,
    Credentials,
    ErrorKind,
    Failure,
    FlowLogin,
    FlowReport,
    Spoken,
)
from countersign.actions.members import MEMBERS, Member, Treatment
from countersign.actions.python_actions import GROUP, PythonActions, load_actions
from countersign.actions.python_api import Api
from countersign.actions.python_event import Event, event_of
from countersign.core.errors import SettingsError
from countersign.core.result import AccessDenied, Factor, Recorded
from tests import strategies
from tests.builders import ACME, NOW, login_data

EXAMPLE = Path(__file__).parents[2] / "examples" / "python-action" / "src"
SKEY = "made-up-secret-of-forty-characters-0001x"
OWN = {"ikey": "DIAAAAAAAAAAAAAAAAAA", "skey": SKEY, "host": "api-1.example.com"}
AT = int(NOW.timestamp() * 1000)


def a_flow_login(
    *,
    cache: dict[str, tuple[str, int]] | None = None,
    seed: bytes = b"s" * 16,
    **data: Any,  # noqa: ANN401  # login_data's own arguments
) -> FlowLogin:
    """Return Alice's login as a flow gets it; takes what `login_data` takes."""
    event = msgspec.json.encode(login_data(**data))
    return FlowLogin(tenant=ACME, event=event, at=AT, seed=seed, cache=cache or {})


def ran(
    action: Callable[[Event, Api], object],
    login: FlowLogin | None = None,
    report: FlowReport | None = None,
    **options: Any,  # noqa: ANN401  # run's own arguments
) -> FlowReport:
    """Return the report after this one Action."""
    ticks = count()
    actions = PythonActions({"mine": action}, seconds=lambda: float(next(ticks)))
    login = a_flow_login() if login is None else login
    return actions.run("mine", login, report or FlowReport(), 3, **options)


def failed(action: Callable[[Event, Api], object], login: FlowLogin | None = None) -> Failure:
    """Return how this Action fails."""
    failure = ran(action, login).failure
    assert failure is not None
    return failure


def read(reading: Callable[[Event], object], login: FlowLogin | None = None) -> object:
    """Return what an Action reads."""
    found: list[object] = []
    assert ran(lambda event, _: found.append(reading(event)), login).failure is None
    return found[0]


# -- the event -------------------------------------------------------------------------------------


def test_a_field_is_read_by_attribute_and_by_item_in_either_spelling() -> None:
    """`riskAssessment` is `risk_assessment`, too; what has a name of its own under that name comes first."""
    login = a_flow_login(
        authentication={
            "methods": [{"name": "pwd"}],
            "riskAssessment": {"assessments": {"NewDevice": {"confidence": "low"}}},
        },
        request={"geoip": {"countryCode": "CH", "countryCode3": "CHE"}},
        user={
            "enrolledFactors": [{"type": "phone"}],
            "user_metadata": {"use_mfa": True, "useMfa": False},
        },
    )
    risk = read(lambda event: event.authentication.risk_assessment.assessments.NewDevice, login)
    assert risk == {"confidence": "low"}
    assert read(lambda event: event.authentication.riskAssessment["assessments"], login)
    assert read(lambda event: event.request.geoip.country_code, login) == "CH"
    assert read(lambda event: event["request"]["geoip"]["country_code3"], login) == "CHE"
    assert read(lambda event: event.user.enrolled_factors[0].type, login) == "phone"
    assert read(lambda event: event.user.user_metadata.use_mfa, login) is True
    assert read(lambda event: event.user.user_metadata.useMfa, login) is False
    assert read(lambda event: event.authentication.methods[0].name, login) == "pwd"


def test_what_is_missing_is_none_by_attribute_and_an_error_by_item() -> None:
    """As `undefined` in JavaScript; an item that has to be there is named, and fails the Action."""
    assert read(lambda event: event.user.ldap_groups) is None
    assert read(lambda event: event.user.get("ldap_groups", ())) == ()
    assert read(lambda event: event.user.get("email")) == "alice@example.com"
    assert read(lambda event: "email" in event.user and "department" not in event.user) is True
    failure = failed(lambda event, _: event.user["department"])
    assert failure.kind is ErrorKind.THREW
    assert "event.user has no field department" in failure.message
    assert failed(lambda event, _: event.organization.name).kind is ErrorKind.THREW


def test_unknown_fields_pass_through_and_known_parts_are_filled_in() -> None:
    """Metadata, lists and the request are there for every Action; `null` is the same as nothing."""
    login = a_flow_login(
        experiment={"arm": 2}, request=None, transaction={"protocol": "samlp"}, stats=None
    )
    assert read(lambda event: event.experiment.arm, login) == 2
    assert read(lambda event: event.user.app_metadata.needs_mfa, login) is None
    assert read(lambda event: event.client.metadata.needs_mfa, login) is None
    assert read(lambda event: event.request.geoip.country_code, login) is None
    assert read(lambda event: event.transaction.requested_scopes, login) == ()
    assert read(lambda event: event.user.identities, login) == ()
    assert read(lambda event: event.organization, login) is None


@pytest.mark.law(9)
def test_what_is_not_an_actions_is_hidden() -> None:
    """Law 9: the browser's id, and secrets that a sender claims; the tenant is the event's own."""
    login = a_flow_login(tenant="another", secrets={"KEY": "canary"})
    assert read(lambda event: event.login, login) is None
    assert read(lambda event: "login" in event, login) is False
    assert read(lambda event: dict(event.secrets), login) == {}
    assert read(lambda event: event.tenant.id, login) == ACME
    assert "canary" not in str(read(repr, login))
    assert "alice@example.com" not in str(read(lambda event: repr(event.user)))


@pytest.mark.parametrize(
    "change",
    [
        lambda event: setattr(event.user, "email_verified", True),
        lambda event: setattr(event, "user", None),
        lambda event: setattr(event, "now", None),
        lambda event: delattr(event.user, "email"),
        lambda event: event.user.__setitem__("email", "x"),
        lambda event: event.user.app_metadata.update(admin=True),
        lambda event: event.authentication.methods.append("mfa"),
    ],
)
def test_an_event_is_read_only(change: Callable[[Event], object]) -> None:
    """An Action can't change what a later one reads; it fails where it tries."""
    assert failed(lambda event, _: change(event)).kind is ErrorKind.THREW


@pytest.mark.law(12)
def test_time_and_random_numbers_follow_from_the_event() -> None:
    """Law 12: the same event gives the same ones, another event and another Action give others."""
    login, other = a_flow_login(), a_flow_login(seed=b"t" * 16)
    first = event_of(login, "mine")
    assert first.now == NOW
    drawn = [event_of(*each).random.random() for each in ((login, "mine"), (other, "mine"))]
    assert first.random.random() == drawn[0] != drawn[1]
    assert event_of(login, "another").random.random() != drawn[0]


# -- the api ---------------------------------------------------------------------------------------


def test_an_action_that_asks_for_nothing_is_silent() -> None:
    """The report is as it was, and says who ran, and for how long."""
    before = FlowReport(
        spoken=(Spoken(position=0, said="enable-any", seconds=0.1),), provider="any"
    )
    report = ran(lambda event, api: None, report=before)  # noqa: ARG005  # an Action's own names
    assert report.spoken == (*before.spoken, Spoken(position=3, said="silent", seconds=1.0))
    assert msgspec.structs.replace(report, spoken=before.spoken) == before


def test_the_last_enable_counts_whole() -> None:
    """Of an earlier one nothing is left, be it of this Action or of one before."""
    before = FlowReport(
        provider="duo",
        allow_remember_browser=True,
        credentials=Credentials(**OWN),
        username="ally",
    )
    report = ran(lambda _, api: api.multifactor.enable("guardian"), report=before)
    assert (report.provider, report.allow_remember_browser) == ("guardian", False)
    assert (report.credentials, report.username) == (None, None)
    twice = ran(
        lambda _, api: api.multifactor.enable("any").multifactor.enable(
            "duo", allow_remember_browser=True
        )
    )
    assert (twice.provider, twice.allow_remember_browser) == ("duo", True)
    assert twice.spoken[0].said == "enable-any+enable-duo"


def test_an_enable_may_bring_an_account_and_a_name_of_its_own() -> None:
    """The account is whole or the tenant's; a name that the user lacks is empty, not the tenant's rule."""

    def with_options(**options: str | None) -> FlowReport:
        return ran(lambda _, api: api.multifactor.enable("duo", provider_options=options))

    assert with_options(**OWN).credentials == Credentials(**OWN)
    assert with_options(**OWN).username is None
    assert with_options(username="ally") == msgspec.structs.replace(
        with_options(username="bobby"), username="ally"
    )
    assert with_options(username="ally").credentials is None
    assert with_options(username=None).username == ""
    assert with_options(username="").username == ""
    half = with_options(ikey=OWN["ikey"], skey=None).failure
    assert half is not None
    assert (half.kind, half.member) == (ErrorKind.INVALID_CALL, "multifactor.enable")
    assert "lack skey, host" in half.message


def test_a_denial_has_a_reason_and_may_have_a_code() -> None:
    """As with Auth0, an exception is a reason, too."""
    assert ran(lambda _, api: api.access.deny("No.")).access_denied == AccessDenied(reason="No.")
    coded = ran(lambda _, api: api.access.deny("nope", "No.")).access_denied
    assert coded == AccessDenied(reason="No.", code="nope")
    raised = ran(lambda _, api: api.access.deny(ValueError("No."))).access_denied
    assert raised == AccessDenied(reason="No.")


def test_metadata_and_claims_are_recorded_once_a_key() -> None:
    """The last value of a key counts, also over Actions; None deletes. Each member has keys of its own."""
    before = FlowReport(
        recorded=(
            Recorded(call="user.setUserMetadata", arguments=("a", 1)),
            Recorded(call="user.setAppMetadata", arguments=("a", 1)),
        )
    )
    report = ran(
        lambda _, api: (
            api.user.set_user_metadata("a", 2),
            api.user.set_user_metadata("a", None),
            api.access_token.set_custom_claim("a", {"b": [1, 2.5, "ü"]}),
            api.id_token.set_custom_claim("a", True),  # noqa: FBT003  # a claim's value
            api.transaction.set_metadata("a", "b"),
            api.authentication.record_method("https://acme.example/quiz"),
            api.authentication.set_primary_user("auth0|alice"),
        ),
        report=before,
    )
    assert report.spoken[0].said == "recorded"
    assert [(each.call, each.arguments) for each in report.recorded] == [
        ("user.setAppMetadata", ("a", 1)),
        ("user.setUserMetadata", ("a", None)),
        ("accessToken.setCustomClaim", ("a", {"b": [1, 2.5, "ü"]})),
        ("idToken.setCustomClaim", ("a", True)),
        ("transaction.setMetadata", ("a", "b")),
        ("authentication.recordMethod", ("https://acme.example/quiz",)),
        ("authentication.setPrimaryUser", ("auth0|alice",)),
    ]


def test_what_was_recorded_is_a_copy() -> None:
    """A value that the Action changes afterwards, or a part of the event, is recorded as it was."""

    def action(event: Event, api: Api) -> None:
        value = {"list": [1]}
        api.user.set_app_metadata("mine", value)
        value["list"].append(2)
        api.user.set_app_metadata("client", event.client)

    recorded = ran(action).recorded
    assert recorded[0].arguments == ("mine", {"list": [1]})
    assert recorded[1].arguments[1]["client_id"] == "shop"


def test_factors_are_waited_for() -> None:
    """A factor is its type, or has options; additional ones follow it."""
    report = ran(
        lambda _, api: api.authentication.challenge_with(
            {"type": "phone", "options": {"preferred_method": "voice"}},
            additional_factors=["otp"],
        ).authentication.enroll_with_any(["webauthn-roaming"])
    )
    assert report.factors == (
        Factor(type="phone", options={"preferred_method": "voice"}),
        Factor(type="otp"),
        Factor(type="webauthn-roaming", enroll=True),
    )
    assert report.spoken[0].said == "challenge-with+enroll-with"


def test_a_redirect_takes_its_query() -> None:
    """The query's parameters replace those of the same name, and are encoded."""
    report = ran(
        lambda _, api: api.redirect.send_user_to(
            "https://acme.example/why?a=1&b=2#top", query={"b": "ü&", "c": "3"}
        )
    )
    assert report.redirect_url == "https://acme.example/why?a=1&b=%C3%BC%26&c=3#top"
    assert report.spoken[0].said == "redirect"


@pytest.mark.parametrize(
    ("protocol", "can"),
    [("oidc-basic-profile", True), ("samlp", True), (None, False), ("oauth2-refresh-token", False)],
)
def test_who_can_be_redirected_has_a_browser(protocol: str | None, *, can: bool) -> None:
    """It is told by the protocol; of a login without one nobody knows."""
    login = a_flow_login(transaction=protocol and {"protocol": protocol})
    report = ran(lambda _, api: api.redirect.can_redirect() and api.access.deny("x"), login)
    assert (report.access_denied is not None) == can


def test_rules_that_ran_are_known() -> None:
    """`was_executed` knows the Rules that the flow has run."""
    report = ran(lambda _, api: api.access.deny(str(api.rules.was_executed("r1"))), rules={"r1"})
    assert report.access_denied == AccessDenied(reason="True")


def test_the_cache_shows_what_was_put_there() -> None:
    """Entries end; what this and earlier Actions changed comes before what is stored."""
    seen: list[object] = []

    def action(_: Event, api: Api) -> None:
        cache = api.cache
        seen.extend(cache.get(key) for key in ("stored", "ended", "gone", "earlier", "none"))
        seen.append(cache.set("new", "v"))
        seen.append(cache.get("new"))
        seen.append(cache.set("long", "v", ttl=10**12).expires_at)
        seen.append(cache.set("both", "v", ttl=5000, expires_at=AT + 4000).expires_at)
        cache.delete("stored")
        seen.append(cache.get("stored"))

    login = a_flow_login(cache={"stored": ("s", AT + 1), "ended": ("e", AT), "gone": ("g", AT + 1)})
    before = FlowReport(cache=(("gone", None, None), ("earlier", "x", AT + 9)))
    report = ran(action, login, before)
    lasting = ("v", AT + 900_000)
    assert seen == [
        ("s", AT + 1),
        *(None, None),
        ("x", AT + 9),
        None,
        *(lasting, lasting),
        AT + 86_400_000,
        AT + 4000,
        None,
    ]
    assert report.cache == (
        *before.cache,
        ("new", *lasting),
        ("long", "v", AT + 86_400_000),
        ("both", "v", AT + 4000),
        ("stored", None, None),
    )
    assert report.spoken[0].said == "silent"


@pytest.mark.parametrize(
    ("call", "member"),
    [
        (lambda api: api.redirect.encode_token(secret="x"), "redirect.encodeToken"),
        (lambda api: api.redirect.validate_token(), "redirect.validateToken"),
        (lambda api: api.session.revoke("x"), "session.revoke"),
        (lambda api: api.saml_response.set_key("x"), "samlResponse.setKey"),
        (lambda api: api.multifactor.disable(), "multifactor.disable"),
        (lambda api: api.id_token.remove_scope("x"), "idToken.removeScope"),
        (lambda api: api.refresh_token.revoke(), "refreshToken.revoke"),
    ],
)
def test_a_member_that_is_not_supported_fails(call: Callable[[Any], object], member: str) -> None:
    """It is named, and never passed over in silence."""
    failure = failed(lambda _, api: call(api))
    assert (failure.kind, failure.member) == (ErrorKind.UNSUPPORTED, member)


DEEP: list[Any] = []
for _ in range(30):
    DEEP = [DEEP]
CYCLE: dict[str, Any] = {}
CYCLE["again"] = CYCLE


@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.multifactor.enable("Duo"),
        lambda api: api.multifactor.enable(None),
        lambda api: api.multifactor.enable("duo", allow_remember_browser="false"),
        lambda api: api.multifactor.enable("duo", provider_options={**OWN, "key": "x"}),
        lambda api: api.multifactor.enable("duo", provider_options={**OWN, "host": 7}),
        lambda api: api.multifactor.enable("duo", provider_options={"username": 7}),
        lambda api: api.multifactor.enable("duo", provider_options={"username": "\ud800"}),
        lambda api: api.multifactor.enable("duo", provider_options={**OWN, "skey": "\ud800"}),
        lambda api: api.multifactor.enable("duo", provider_options=[]),
        lambda api: api.multifactor.enable("any", provider_options=OWN),
        lambda api: api.access.deny(),
        lambda api: api.access.deny(""),
        lambda api: api.access.deny("a", "b", "c"),
        lambda api: api.access.deny(b"no"),
        lambda api: api.access.deny("x" * 2000),
        lambda api: api.user.set_user_metadata("", 1),
        lambda api: api.user.set_user_metadata("a", b"bytes"),
        lambda api: api.user.set_user_metadata("a", float("nan")),
        lambda api: api.user.set_user_metadata("a", 2**64),
        lambda api: api.user.set_user_metadata("a", {1: 2}),
        lambda api: api.user.set_user_metadata("a", DEEP),
        lambda api: api.user.set_user_metadata("a", CYCLE),
        lambda api: api.user.set_user_metadata("a", "\udfff"),
        lambda api: api.authentication.challenge_with("sms"),
        lambda api: api.authentication.challenge_with(None),
        lambda api: api.authentication.challenge_with({"type": "otp", "more": 1}),
        lambda api: api.authentication.challenge_with({"type": "otp", "options": 1}),
        lambda api: api.authentication.challenge_with_any([]),
        lambda api: [api.authentication.enroll_with("otp") for _ in range(5)],
        lambda api: api.redirect.send_user_to("/why"),
        lambda api: api.redirect.send_user_to("javascript:alert(1)"),
        lambda api: api.redirect.send_user_to("https://[x"),
        lambda api: api.redirect.send_user_to("https://a.example/\r\nx: y"),
        lambda api: api.redirect.send_user_to("https://a.example/", query={"a": 1}),
        lambda api: api.redirect.send_user_to("https://a.example/" + "x" * 2048),
        lambda api: api.cache.set("k" * 65, "v"),
        lambda api: api.cache.set("k", "ü" * 2049),
        lambda api: api.cache.set("k", 1),
        lambda api: api.cache.set("k", "v", ttl=0),
        lambda api: api.cache.set("k", "v", ttl=1.5),
        lambda api: api.cache.set("k", "v", expires_at=AT),
        lambda api: api.cache.get(None),
    ],
)
def test_a_call_with_what_can_not_be_taken_fails(call: Callable[[Any], object]) -> None:
    """A wrong argument is an error that names the member; nothing of the call counts."""
    report = ran(lambda _, api: (api.multifactor.enable("none"), call(api)))
    assert report.failure is not None
    assert report.failure.kind is ErrorKind.INVALID_CALL
    assert report.failure.member is not None
    assert report.failure.message.count(f"api.{report.failure.member}") == 1
    assert report == FlowReport(spoken=report.spoken, failure=report.failure)


# -- what goes wrong -------------------------------------------------------------------------------


class _Panic(BaseException):
    """What some compiled libraries raise."""


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), SystemExit(0), GeneratorExit(), _Panic(), RecursionError(), MemoryError()],
)
def test_whatever_an_action_raises_fails_it(error: BaseException) -> None:
    """An error never turns into an allow, and never ends the worker."""

    def action(_: Event, api: Api) -> None:
        api.multifactor.enable("none")
        raise error

    report = ran(action)
    assert report.failure is not None
    assert report.failure.kind is ErrorKind.THREW
    assert "test_python_actions.py, line " in report.failure.message
    assert report.provider is None
    assert report.spoken == (Spoken(position=3, said="enable-none+error-threw", seconds=1.0),)


@pytest.mark.law(9)
def test_a_failure_does_not_tell_the_secret() -> None:
    """Law 9: an Action's own Duo secret is masked in the error that it raises, and long ones are cut."""

    def action(_: Event, api: Api) -> None:
        api.multifactor.enable("duo", provider_options=OWN)
        message = f"can't use {SKEY} " + "x" * 1000
        raise ValueError(message)

    report = ran(action)
    assert SKEY not in repr(report)
    assert report.failure is not None
    assert "can't use ***" in report.failure.message
    assert len(report.failure.message) == MAX_LINE


def test_an_awaitable_is_refused() -> None:
    """An Action is a plain function; what it would have done after an await is unknown."""

    async def action(_: Event, api: Api) -> None:
        api.multifactor.enable("none")

    failure = failed(action)
    assert failure.kind is ErrorKind.BROKEN
    assert "plain function" in failure.message


def test_effects_that_are_too_large_fail() -> None:
    """As for JavaScript, all effects of a login together have a limit."""
    failure = failed(lambda _, api: api.user.set_app_metadata("a", "x" * (MAX_REPORT_BYTES + 1)))
    assert failure.kind is ErrorKind.OUTPUT


def test_an_action_that_is_not_installed_is_missing() -> None:
    """The flow fails where it names one, and so denies, rather than go on without it."""
    report = PythonActions({}).run("gone", a_flow_login(), FlowReport(), 0)
    assert report.failure is not None
    assert report.failure.kind is ErrorKind.MISSING
    assert "gone" in report.failure.message
    assert report.spoken[0].said == "error-missing"


@given(strategies.json_values)
def test_any_json_value_is_recorded_as_it_is(value: object) -> None:
    """What JSON can write passes unchanged, and the report crosses a process's border."""
    report = ran(lambda _, api: api.user.set_app_metadata("a", value))
    assert report.recorded[0].arguments[1] == value
    wire = msgspec.msgpack.encode(report)
    assert msgspec.msgpack.encode(msgspec.msgpack.decode(wire, type=FlowReport)) == wire


# -- loading ---------------------------------------------------------------------------------------


@contextmanager
def a_module(name: str, **members: object) -> Iterator[None]:
    """Have a module of this name for as long as the block runs."""
    module = ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]


async def _waits(_: Event, __: Api) -> None:
    """Do nothing."""


def test_every_package_that_is_broken_is_named_at_start() -> None:
    """All of them, each with its own problem and remedy; none is left out in silence."""
    with a_module("acme_broken", text="no function", waits=_waits, good=print):
        points = [
            EntryPoint("away", "acme_not_there:run", GROUP),
            EntryPoint("lacks", "acme_broken:nothing", GROUP),
            EntryPoint("text", "acme_broken:text", GROUP),
            EntryPoint("waits", "acme_broken:waits", GROUP),
            EntryPoint("Wrong Name", "acme_broken:good", GROUP),
            EntryPoint("good", "acme_broken:good", GROUP),
            EntryPoint("good", "acme_broken:good", GROUP),
        ]
        with pytest.raises(SettingsError) as caught:
            load_actions(points)
    problems = {each.key.partition(" of ")[0]: str(each) for each in caught.value.problems}
    assert list(problems) == ["away", "lacks", "text", "waits", "Wrong Name", "good"]
    assert "ModuleNotFoundError" in problems["away"]
    assert "acme_not_there:run" in problems["away"]
    assert "AttributeError" in problems["lacks"]
    assert "is no function" in problems["text"]
    assert "coroutine" in problems["waits"]
    assert "has the name of another one" in problems["good"]


def test_a_package_that_exits_while_it_is_imported_is_broken(tmp_path: Path) -> None:
    """Its import is caught, whatever it does, and the place is told."""
    (tmp_path / "acme_exits.py").write_text("raise SystemExit(3)\n")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(SettingsError, match=r"acme_exits\.py, line 1: SystemExit: 3"):
            load_actions([EntryPoint("exits", "acme_exits:run", GROUP)])
    finally:
        sys.path.remove(str(tmp_path))


def test_what_is_loaded_can_be_named() -> None:
    """An entry point's name is the Action's name in a flow."""
    with a_module("acme_good", run=lambda _, api: api.access.deny("No.")):
        actions = load_actions([EntryPoint("first", "acme_good:run", GROUP)])
    assert actions.names == {"first"}
    report = actions.run("first", a_flow_login(), FlowReport(), 0)
    assert report.access_denied == AccessDenied(reason="No.")


@pytest.fixture(scope="module")
def example() -> Iterator[PythonActions]:
    """Load the example package as it would be when installed, by its own entry points."""
    declared = (EXAMPLE.parent / "pyproject.toml").read_text()
    points = msgspec.toml.decode(declared)["project"]["entry-points"][GROUP]
    sys.path.insert(0, str(EXAMPLE))
    try:
        yield load_actions(EntryPoint(name, value, GROUP) for name, value in points.items())
    finally:
        sys.path.remove(str(EXAMPLE))
        sys.modules.pop("acme_mfa_rules", None)


@pytest.mark.parametrize(
    ("data", "said", "provider"),
    [
        ({}, "silent", None),
        ({"user": {"email_verified": False}}, "deny", None),
        (
            {"transaction": {"requested_scopes": ["https://acme.example/scopes/wire"]}},
            "enable-duo+recorded",
            "duo",
        ),
        (
            {
                "user": {"enrolledFactors": [{"type": "phone"}]},
                "authentication": {
                    "riskAssessment": {"assessments": {"NewDevice": {"confidence": "low"}}}
                },
                "transaction": None,
            },
            "enable-any+recorded",
            "any",
        ),
        ({"authentication": None, "transaction": None}, "silent", None),
        ({"user": {"email_verified": None}}, "deny", None),
    ],
)
def test_the_example_does_what_it_says(
    example: PythonActions, data: dict[str, Any], said: str, provider: str | None
) -> None:
    """The documented package runs as it stands."""
    report = example.run("wire-transfers", a_flow_login(**data), FlowReport(), 0)
    assert (report.spoken[0].said, report.provider) == (said, provider)


OFFERED = [one for one in MEMBERS if one.path.startswith("api.") and not one.path.endswith(".*")]


@pytest.mark.parametrize("member", OFFERED, ids=lambda one: one.path)
def test_every_member_is_treated_as_in_javascript(member: Member) -> None:
    """By the table of members: what works is there, what is recorded is recorded, the rest is refused."""
    _, group, name = (re.sub("([A-Z])", r"_\1", part).lower() for part in member.path.split("."))
    call = member.path.removeprefix("api.")
    arguments = ("a",) if group == "authentication" else ("a", "b")

    def action(_: Event, api: Api) -> object:
        found = getattr(getattr(api, group), name)
        return found if member.treatment is Treatment.WORKS else found(*arguments)

    match member.treatment:
        case Treatment.WORKS:
            read_it: list[object] = []
            ran(lambda event, api: read_it.append(action(event, api)))
            assert callable(read_it[0])
        case Treatment.RECORDED:
            (recorded,) = ran(lambda event, api: action(event, api) and None).recorded
            assert recorded == Recorded(call=call, arguments=arguments)
        case Treatment.UNSUPPORTED:
            failure = failed(action)
            assert (failure.kind, failure.member) == (ErrorKind.UNSUPPORTED, call)
