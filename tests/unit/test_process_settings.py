"""The process's settings are whole or refused, and show no secret."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from pathlib import Path

import pytest

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.adapters.redis.connection import connect_redis
from countersign.core.errors import SettingsError
from countersign.settings import Settings, load_settings, masked, unknown_variables

CANARY = "canary-7f3a"
KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(32, 64))).decode()


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"COUNTERSIGN_{name.upper()}", raising=False)
    monkeypatch.delenv("COUNTERSIGN_SECRETS_DIR", raising=False)


def test_defaults_suit_a_developers_machine() -> None:
    """Without anything set, everything has a value but the keys, which nobody can guess."""
    settings = load_settings()
    assert settings.kafka_bootstrap == "localhost:9092"
    assert settings.dedupe_window == timedelta(hours=24)
    assert topic_names(settings).dead_letters == "login-events-dlq"
    with pytest.raises(SettingsError, match="COUNTERSIGN_IDENTIFIER_KEY: is not set"):
        settings.identifier_key_bytes()
    with pytest.raises(SettingsError, match="openssl rand -base64 32"):
        settings.settings_keys()


def test_environment_wins_over_the_secrets_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file named as the variable, in any case, is a setting; the variable itself goes first."""
    (tmp_path / "countersign_redis_password").write_text("from-the-file\n")
    (tmp_path / "COUNTERSIGN_IDENTIFIER_KEY").write_text(KEY + "\n")
    monkeypatch.setenv("COUNTERSIGN_SECRETS_DIR", str(tmp_path))
    settings = load_settings()
    assert settings.redis_password is not None
    assert settings.redis_password.get_secret_value() == "from-the-file"
    assert settings.identifier_key_bytes() == bytes(range(32))
    monkeypatch.setenv("COUNTERSIGN_REDIS_PASSWORD", "from-the-environment")
    changed = load_settings().redis_password
    assert changed is not None
    assert changed.get_secret_value() == "from-the-environment"


def test_replaced_secret_file_is_used_at_the_next_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Settings that were loaded stay; loading again reads the file again."""
    file = tmp_path / "countersign_settings_key"
    file.write_text(KEY)
    monkeypatch.setenv("COUNTERSIGN_SECRETS_DIR", str(tmp_path))
    first = load_settings()
    file.write_text(OTHER_KEY)
    assert first.settings_keys() == (bytes(range(32)),)
    assert load_settings().settings_keys() == (bytes(range(32, 64)),)


def test_missing_secrets_directory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secrets directory that is named and not there is a mistake, not an empty one."""
    monkeypatch.setenv("COUNTERSIGN_SECRETS_DIR", "/nowhere/at/all")
    with pytest.raises(SettingsError, match="COUNTERSIGN_SECRETS_DIR: names no directory"):
        load_settings()


def test_every_problem_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is wrong is told at once, by the variable's name, with a remedy, no value."""
    wrong = {
        "KAFKA_BOOTSTRAP": f"http://{CANARY}",
        "KAFKA_SECURITY": CANARY,
        "KAFKA_CA_FILE": f"/{CANARY}",
        "REDIS_URL": f"http://{CANARY}",
        "LOGIN_EVENTS_TOPIC": f"{CANARY} {CANARY}",
        "PUBLIC_URL": f"http://{CANARY}.example.com",
        "IDENTIFIER_KEY": CANARY,
        "SETTINGS_KEY": base64.b64encode(CANARY.encode()).decode(),
        "DEDUPE_WINDOW": CANARY,
        "BATCH_SIZE": "0",
        "PROBE_PORT": "65536",
        "KAFKA_SESSION_TIMEOUT": "PT1S",
        "REDIS_CLUSTER": CANARY,
    }
    for name, value in wrong.items():
        monkeypatch.setenv(f"COUNTERSIGN_{name}", value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert {problem.key for problem in raised.value.problems} == {
        f"COUNTERSIGN_{name}" for name in wrong
    }
    assert all(problem.remedy for problem in raised.value.problems)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None


def test_unknown_override_is_refused() -> None:
    """A misspelt argument is told; it doesn't vanish."""
    with pytest.raises(SettingsError, match="redis_uri: is no setting"):
        load_settings(redis_uri="redis://localhost")


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        (
            {"kafka_security": "sasl_ssl", "kafka_sasl_mechanism": "PLAIN"},
            {"KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"},
        ),
        ({"kafka_sasl_username": "worker"}, {"KAFKA_SASL_USERNAME"}),
        ({"kafka_ca_file": __file__}, {"KAFKA_CA_FILE"}),
        ({"kafka_security": "ssl", "kafka_cert_file": __file__}, {"KAFKA_KEY_FILE"}),
        ({"redis_ca_file": __file__}, {"REDIS_CA_FILE"}),
        ({"redis_url": "rediss://localhost", "redis_key_file": __file__}, {"REDIS_CERT_FILE"}),
        ({"settings_key_previous": KEY}, {"SETTINGS_KEY"}),
        ({"mfa_results_topic": "login-events"}, {"MFA_RESULTS_TOPIC", "LOGIN_EVENTS_TOPIC"}),
    ],
)
def test_contradictions_are_refused(given: dict[str, str], problems: set[str]) -> None:
    """What is right alone and wrong together is refused; nothing that is set is ignored silently."""
    with pytest.raises(SettingsError) as raised:
        load_settings(**given)
    assert {problem.key for problem in raised.value.problems} == {
        f"COUNTERSIGN_{name}" for name in problems
    }


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://mfa.example.com/", "https://mfa.example.com"),
        ("https://example.com/mfa/", "https://example.com/mfa"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_public_url_is_a_base_to_build_on(url: str, base: str) -> None:
    """The public URL is https, or loopback, and has no slash at its end."""
    assert load_settings(public_url=url).public_url == base


@pytest.mark.parametrize(
    "url",
    [
        "http://mfa.example.com",
        "https://user@mfa.example.com",
        "https://mfa.example.com/?a=b",
        "https://mfa.example.com/#a",
        "https://mfa example.com",
        "mfa.example.com",
        "https://mfa.example.com:port",
    ],
)
def test_public_url_that_could_mislead_is_refused(url: str) -> None:
    """A challenge URL is a bearer link: it is never http, and has nothing but a place in it."""
    with pytest.raises(SettingsError, match="COUNTERSIGN_PUBLIC_URL"):
        load_settings(public_url=url)


@pytest.mark.parametrize(
    ("given", "proxies"),
    [
        ("10.0.0.7", "10.0.0.7"),
        (" 10.0.0.7 , 10.1.0.0/16,\n2001:DB8:0::/48 ", "10.0.0.7,10.1.0.0/16,2001:db8::/48"),
        ("10.0.0.7/32,::1/128", "10.0.0.7,::1"),
        ("0.0.0.0/1", "0.0.0.0/1"),
    ],
)
def test_trusted_proxies_are_addresses_and_networks(given: str, proxies: str) -> None:
    """However they are spaced and spelt; without the setting nobody is trusted."""
    assert load_settings(trusted_proxies=given).trusted_proxies == proxies
    assert load_settings().trusted_proxies is None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("*", "would trust everybody. Name the proxies, or leave it unset"),
        ("10.0.0.7,*", "would trust everybody"),
        ("0.0.0.0/0", "would trust everybody"),
        ("::/0", "would trust everybody"),
        ("proxy.example.com", "entry 1 is no IP address and no network"),
        ("10.0.0.7,10.0.0.7/8", "entry 2 is no IP address and no network"),
        ("10.0.0.7,", "entry 2 is no IP address and no network"),
        (",", "entry 1 is no IP address and no network"),
        ("10.0.0.7:443", "entry 1 is no IP address and no network"),
        ("[::1]", "entry 1 is no IP address and no network"),
        ("10.0.0.0/33", "entry 1 is no IP address and no network"),
        ("10.0.0.7;10.0.0.8", "without host bits, as in 10.0.0.7,10.1.0.0/16,2001:db8::/48"),
        ("127.1", "entry 1 is no IP address and no network"),
        ("010.0.0.7", "entry 1 is no IP address and no network"),
    ],
)
def test_trusted_proxies_that_name_nobody_or_everybody_are_refused(
    given: str, problem: str
) -> None:
    """A name may lead elsewhere, host bits are a slip, and whoever trusts everybody trusts a browser."""
    with pytest.raises(SettingsError, match=re.escape(problem)) as raised:
        load_settings(trusted_proxies=given)
    assert [one.key for one in raised.value.problems] == ["COUNTERSIGN_TRUSTED_PROXIES"]


def test_earlier_settings_keys_follow_the_one_in_use() -> None:
    """While keys are changed, old ones still read."""
    settings = load_settings(settings_key=KEY, settings_key_previous=f"{OTHER_KEY}, {KEY}")
    assert settings.settings_keys() == (bytes(range(32)), bytes(range(32, 64)), bytes(range(32)))


@pytest.mark.law(9)
def test_no_secret_is_ever_shown() -> None:
    """Neither a repr, nor what `config` shows, nor a dump of Kafka's connection holds a secret."""
    secret = base64.b64encode((CANARY * 4)[:32].encode()).decode()
    settings = load_settings(
        kafka_security="sasl_ssl",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="worker",
        kafka_sasl_password=CANARY,
        redis_url=f"redis://worker:{CANARY}@localhost:6379/0?password={CANARY}",
        redis_password=CANARY,
        identifier_key=secret,
        settings_key=secret,
        settings_key_previous=secret,
    )
    shown = masked(settings)
    texts = (repr(settings), str(settings), repr(shown), repr(kafka_connection(settings)))
    for text in texts:
        assert CANARY not in text
        assert secret not in text
    values = {row.variable: row.value for row in shown}
    assert values["COUNTERSIGN_REDIS_URL"] == (
        "redis://********@localhost:6379/0?password=********"
    )
    assert values["COUNTERSIGN_KAFKA_SASL_PASSWORD"] == "********"


def test_what_is_shown_tells_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each setting is shown with its value and its origin; durations as they are written."""
    (tmp_path / "countersign_redis_username").write_text("worker")
    monkeypatch.setenv("COUNTERSIGN_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("COUNTERSIGN_BATCH_SIZE", "7")
    monkeypatch.setenv("COUNTERSIGN_GROUP_ID", "")
    rows = {row.variable: row for row in masked(load_settings(dedupe_window="PT90M"))}
    assert rows["COUNTERSIGN_REDIS_USERNAME"].origin == str(tmp_path / "countersign_redis_username")
    assert rows["COUNTERSIGN_BATCH_SIZE"][1:] == ("7", "environment")
    assert rows["COUNTERSIGN_GROUP_ID"][1:] == ("countersign-decider", "default")
    assert rows["COUNTERSIGN_DEDUPE_WINDOW"][1:] == ("PT1H30M", "argument")
    assert len(rows) == len(Settings.model_fields)


def test_misspelt_variables_are_noticed() -> None:
    """A variable that is no setting is told, with the one that was probably meant."""
    strange = unknown_variables(
        {
            "COUNTERSIGN_REDIS_URI": "redis://localhost",
            "COUNTERSIGN_SERVICE_HOST": "10.0.0.1",
            "COUNTERSIGN_REDIS_URL": "redis://localhost",
            "COUNTERSIGN_SECRETS_DIR": "/run/secrets",
            "PATH": "/usr/bin",
        }
    )
    assert strange == {
        "COUNTERSIGN_REDIS_URI": "COUNTERSIGN_REDIS_URL",
        "COUNTERSIGN_SERVICE_HOST": None,
    }


def test_wrong_certificate_is_a_settings_error() -> None:
    """A file that is no certificate is told as a setting that is wrong, before anything connects."""
    settings = load_settings(kafka_security="ssl", kafka_ca_file=__file__)
    with pytest.raises(SettingsError, match="can't be used for TLS"):
        kafka_connection(settings).arguments()


async def test_redis_client_gives_up_in_time() -> None:
    """The client has deadlines, and its own login where the address has none; nothing is connected."""
    settings = load_settings(redis_url="rediss://localhost:1/3", redis_password=CANARY)
    client = connect_redis(settings)
    try:
        arguments = client.get_connection_kwargs()
        assert arguments["socket_timeout"] == arguments["socket_connect_timeout"] == 5.0
        credentials = arguments["credential_provider"]
        assert credentials is not None
        assert await credentials.get_credentials_async() == (CANARY,)
        assert CANARY not in repr(credentials)
        assert arguments["db"] == 3
        assert arguments["decode_responses"] is False
    finally:
        await client.aclose()
