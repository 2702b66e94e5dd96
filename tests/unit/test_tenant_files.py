"""A settings file is taken whole or refused whole, with everything that is wrong in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.adapters.tenant_files import load_draft, load_drafts
from countersign.core.action import ActionKind, ActionRef, ActionRules
from countersign.core.errors import SettingsError
from countersign.core.public_key import PublicKey
from countersign.core.tenant import (
    ChallengeRules,
    DuoAccount,
    DuoUsername,
    EventRules,
    Factors,
    Failmode,
    Mfa,
    Policy,
    PushBudget,
    Remember,
    SignalRules,
    TenantSettings,
    Trust,
)
from countersign.wire.durations import iso_duration
from countersign.wire.tenant import read_settings, settings_record, tenant_of, write_settings
from countersign.wire.tenant_file import TenantDraft, write_toml
from countersign.wire.tenant_toml import read_draft
from tests.builders import ACME, NOW, RETURN_URL, a_duo_account, a_tenant

SECRET = "canary-canary-canary-canary-canary-canar"

WHOLE = f"""
tenant = "acme"

[duo]
client_id = "DIXXXXXXXXXXXXXXXXXX"
client_secret = "{SECRET}"
api_host = "api-12345678.duosecurity.com"

[factors]
duo = true
push-notification = false

[mfa]
policy = "all-applications"
duo_username = "email"

[remember]
enabled = true
idle = "P1D"
absolute = "P14D"

[challenge]
lifetime = "PT2M30S"
return_urls = ["{RETURN_URL}"]
failmode = "open"

[push_budget]
prompts = 3
window = "PT5M"

[actions]
time_limit = "PT0.5S"
flow_time_limit = "PT2S"
"""


def draft(text: str) -> TenantDraft:
    """Return what a file with this text says."""
    return read_draft(text.encode(), "acme.toml")


def refused(text: str) -> dict[str, str]:
    """Return the problems that a file with this text has: key and the rest of the line."""
    with pytest.raises(SettingsError) as raised:
        draft(text)
    assert raised.value.source == "acme.toml"
    assert SECRET not in str(raised.value)
    return {p.key: f"{p.problem}. {p.remedy}" for p in raised.value.problems}


def test_whole_file_is_read() -> None:
    """Each section says what it says, durations in ISO 8601."""
    read = draft(WHOLE)
    assert read.tenant == ACME
    assert read.duo is not None
    assert read.duo.client_secret == SECRET
    assert read.factors == Factors(duo=True)
    assert read.mfa == Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.EMAIL)
    assert read.remember == Remember(idle=timedelta(days=1), absolute=timedelta(days=14))
    assert read.challenge == ChallengeRules(
        lifetime=timedelta(seconds=150), return_urls=(RETURN_URL,), failmode=Failmode.OPEN
    )
    assert read.push_budget == PushBudget(prompts=3, window=timedelta(minutes=5))
    limits = ActionRules(time_limit=timedelta(seconds=0.5), flow_time_limit=timedelta(seconds=2))
    assert read.actions == limits


def test_sections_left_out_have_defaults() -> None:
    """A tenant's name alone is a file: nothing is challenged."""
    read = draft('tenant = "acme"')
    assert (read.duo, read.factors, read.mfa) == (None, Factors(), Mfa())


@pytest.mark.law(9)
def test_draft_shows_no_secret() -> None:
    """The secret in clear is in no repr."""
    assert SECRET not in repr(draft(WHOLE))


@pytest.mark.parametrize("secret", ['client_secret = "********"', 'client_secret = ""', ""])
def test_secret_left_out_is_the_one_in_force(secret: str) -> None:
    """Stars, an empty text and no secret at all mean: keep the one in force."""
    duo = draft(WHOLE.replace(f'client_secret = "{SECRET}"', secret)).duo
    assert duo is not None
    assert duo.client_secret is None


def test_everything_wrong_is_told_at_once() -> None:
    """Unknown keys and sections, wrong types, what is missing: all in one go, each with a remedy."""
    found = refused(
        """
        tenat = "acme"
        remember = true
        [duo]
        client_id = "DIXXXXXXXXXXXXXXXXXX"
        api_hosts = "api-12345678.duosecurity.com"
        [factor]
        [factors]
        push_notification = true
        duo = "yes"
        [mfa]
        policy = "allways"
        [challenge]
        lifetime = "5 minutes"
        return_urls = ["https://app.example.com/", 5]
        [push_budget]
        prompts = 0
        window = 300
        """
    )
    assert "Did you mean tenant?" in found["tenat"]
    assert 'tenant = "acme"' in found["tenant"]
    assert "[remember]" in found["remember"]
    assert "Did you mean api_host?" in found["duo.api_hosts"]
    assert "is missing" in found["duo.api_host"]
    assert "Did you mean factors" in found["factor"]
    assert "push-notification" in found["factors.push_notification"]
    assert "true or false" in found["factors.duo"]
    assert "never, all-applications, confidence-score" in found["mfa.policy"]
    assert "PT5M" in found["challenge.lifetime"]
    assert "push_budget.prompts" in found


def test_each_wrong_item_of_a_list_has_its_place() -> None:
    """A wrong item is named by its place in the list."""
    assert "challenge.return_urls[1]" in refused(
        'tenant = "acme"\n[challenge]\nreturn_urls = ["https://app.example.com/", 5]'
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('tenant = "acme', "end of document"),
        ('tenant = "acme"\ntenant = acme\n', "line 2"),
        (f"a = {'[' * 100_000}", "nested"),
        ("\0", "line 1"),
    ],
)
def test_what_is_not_toml_says_where(text: str, place: str) -> None:
    """A file that is no TOML names the place."""
    assert place in refused(text)["file"]


def test_what_is_not_utf8_is_refused() -> None:
    """A file in another encoding says so."""
    with pytest.raises(SettingsError, match="is not UTF-8"):
        read_draft('tenant = "ü"'.encode("latin-1"), "acme.toml")


@pytest.mark.parametrize("name", ["Acme", "a_b", "acme:bob", "", "a" * 64, "acme/action"])
def test_tenant_names_can_not_forge_keys(name: str) -> None:
    """Law 10: a tenant's name has nothing in it that stands between a key's parts."""
    assert "a-z" in refused(f'tenant = "{name}"')["tenant"]


def test_two_secrets_contradict_each_other() -> None:
    """A secret and a file for it are one too many."""
    text = WHOLE.replace("[factors]", 'client_secret_file = "secret"\n[factors]')
    assert "client_secret_file too" in refused(text)["duo.client_secret"]


def test_secret_file_lies_beside_the_settings(tmp_path: Path) -> None:
    """The secret's file is found from the settings file, wherever the command is called."""
    text = WHOLE.replace(f'client_secret = "{SECRET}"', 'client_secret_file = "secrets/duo"')
    (tmp_path / "acme.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"duo.client_secret_file: .*can't be read"):
        load_draft(tmp_path / "acme.toml")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "duo").write_text(SECRET + "\r\n")
    duo = load_draft(tmp_path / "acme.toml").duo
    assert duo is not None
    assert (duo.client_secret, duo.client_secret_file) == (SECRET, None)


def test_meaning_is_judged_whole(tmp_path: Path) -> None:
    """What reads well and can't work is refused with every reason, the secret's length among them."""
    file = tmp_path / "acme.toml"
    file.write_text(
        WHOLE.replace(SECRET, "too-short")
        .replace("DIXXXXXXXXXXXXXXXXXX", "DI")
        .replace("push-notification = false", "otp = true")
        .replace('idle = "P1D"', 'idle = "P8D"')
    )
    with pytest.raises(SettingsError) as raised:
        load_draft(file)
    keys = {problem.key for problem in raised.value.problems}
    assert keys >= {"duo.client_secret", "duo.client_id", "factors.duo", "remember.idle"}
    assert "too-short" not in str(raised.value)


def test_files_are_refused_together(tmp_path: Path) -> None:
    """Of several files everything wrong in any is told, with the file's name before it."""
    good, bad, worse = (tmp_path / name for name in ("good.toml", "bad.toml", "worse.toml"))
    good.write_text(WHOLE)
    bad.write_text('tenant = "globex"\n[mfa]\npolicy = "all-applications"')
    worse.write_text("tenant = 5")
    with pytest.raises(SettingsError) as raised:
        load_drafts([good, bad, worse, tmp_path / "missing.toml"])
    text = str(raised.value)
    assert f"{bad}: mfa.policy" in text
    assert f"{worse}: tenant" in text
    assert f"{tmp_path / 'missing.toml'}: file" in text
    assert str(good) not in text


def test_one_tenant_has_one_file(tmp_path: Path) -> None:
    """Two files for one tenant are refused: nobody could say which one was meant."""
    files = [tmp_path / "one.toml", tmp_path / "two.toml"]
    for file in files:
        file.write_text(WHOLE)
    with pytest.raises(SettingsError, match="as in another file"):
        load_drafts(files)


durations = st.integers(1, 7 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
texts = st.text(st.characters(codec="utf-8"), max_size=20)
drawn_settings = st.builds(
    TenantSettings,
    tenant=st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
    version=st.integers(1, 10**6),
    updated_at=st.just(NOW),
    duo=st.none()
    | st.builds(
        DuoAccount,
        client_id=texts,
        client_secret=st.just(a_duo_account().client_secret),
        api_host=texts,
    ),
    factors=st.builds(Factors, duo=st.booleans(), push_notification=st.booleans()),
    mfa=st.builds(
        Mfa,
        policy=st.sampled_from(Policy),
        duo_username=st.sampled_from(DuoUsername),
        universal_login=st.booleans(),
    ),
    actions=st.builds(ActionRules, time_limit=durations, flow_time_limit=durations),
    flow=st.lists(
        st.builds(
            ActionRef,
            name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True),
            kind=st.sampled_from(ActionKind),
            version=st.integers(0, 10**6),
        ),
        max_size=3,
    ).map(tuple),
    remember=st.builds(Remember, enabled=st.booleans(), idle=durations, absolute=durations),
    challenge=st.builds(
        ChallengeRules,
        lifetime=durations,
        return_urls=st.lists(texts, max_size=3).map(tuple),
        failmode=st.sampled_from(Failmode),
    ),
    push_budget=st.builds(PushBudget, prompts=st.integers(1, 100), window=durations),
    events=st.builds(
        EventRules,
        signed=st.booleans(),
        keys=st.lists(
            st.builds(PublicKey, kid=texts, kty=texts, alg=st.none() | texts, x=st.none() | texts),
            max_size=3,
        ).map(tuple),
    ),
    signals=st.builds(
        SignalRules,
        trust=st.sampled_from(Trust),
        issuer=st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
        audience=st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
        keys=st.just((PublicKey(kid="k1", kty="OKP", crv="Ed25519", x="AA"),)) | st.just(()),
    ),
)


@given(settings=drawn_settings)
def test_what_is_shown_can_be_applied_again(settings: TenantSettings) -> None:
    """Settings written as a file and read again are the same; the secret is stars, the flow a comment."""
    text = write_toml(settings)
    assert a_duo_account().client_secret.ciphertext not in text
    read = draft(text)
    secret = settings.duo.client_secret if settings.duo is not None else None
    again = read.settings(
        version=settings.version,
        updated_at=settings.updated_at,
        secret=secret,
        flow=settings.flow,
    )
    assert again == settings
    assert all(f"#   {ref.name} ({ref.kind.value}" in text for ref in settings.flow)


@given(settings=drawn_settings)
def test_record_holds_the_settings(settings: TenantSettings) -> None:
    """Settings written as a record and read again are the same, under the tenant's key."""
    record = settings_record("tenant-settings", settings.tenant, write_settings(settings))
    assert record.value is not None
    tenant = tenant_of(record.key)
    assert tenant == settings.tenant
    assert read_settings(tenant, record.value) == settings


@given(seconds=st.integers(0, 10**7), microseconds=st.integers(0, 999_999))
def test_durations_read_as_they_are_written(seconds: int, microseconds: int) -> None:
    """A duration in ISO 8601 is the same duration when it is read."""
    value = timedelta(seconds=seconds, microseconds=microseconds)
    assert msgspec.convert(iso_duration(value), timedelta) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(0), "PT0S"),
        (timedelta(days=7), "P7D"),
        (timedelta(minutes=90), "PT1H30M"),
        (timedelta(days=1, seconds=2.5), "P1DT2.5S"),
    ],
)
def test_durations_are_written_as_people_do(value: timedelta, text: str) -> None:
    """Durations come in their largest whole units."""
    assert iso_duration(value) == text


def test_record_of_a_newer_version_is_read() -> None:
    """Fields that this version doesn't know are left alone."""
    document = msgspec.json.decode(write_settings(a_tenant()))
    document["brand_new"] = {"section": True}
    document["mfa"]["brand_new"] = 1
    assert read_settings(ACME, msgspec.json.encode(document)) == a_tenant()


@given(value=st.binary(max_size=200) | st.just(b"[" * 100_000))
def test_malformed_record_is_refused_and_not_quoted(value: bytes) -> None:
    """Whatever bytes a record has, they are settings or a `SettingsError`."""
    with pytest.raises(SettingsError, match="record of acme's settings"):
        read_settings(ACME, value)


def test_record_of_another_tenant_is_refused() -> None:
    """Law 10: settings under another tenant's key are nobody's."""
    with pytest.raises(SettingsError, match="is not the one of the key"):
        read_settings(ACME, write_settings(a_tenant(tenant="globex")))


def test_keys_say_whose_record_it_is() -> None:
    """A key is a tenant's name, or something else of a tenant, or nothing."""
    assert tenant_of(b"acme") == ACME
    assert tenant_of(b"acme/action/block/3") is None
    for key in (None, b"", b"Acme", b"/action", b"\xff"):
        with pytest.raises(SettingsError, match="is no tenant's name"):
            tenant_of(key)
