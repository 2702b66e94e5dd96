"""Every setting of the process: its name, its bounds, its default, and what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.core.errors import Problem, SettingsError
from countersign.settings.checks import (
    GENERATE_KEY,
    MAX_IDENTIFIER_KEY_BYTES,
    MIN_IDENTIFIER_KEY_BYTES,
    SETTINGS_KEY_BYTES,
    bootstrap_servers,
    decoded,
    existing_file,
    host_patterns,
    key_text,
    masked_url,
    proxy_networks,
    public_base,
    redis_address,
)

ENV_PREFIX: Final = "COUNTERSIGN_"
SOURCE: Final = "process settings"
"""Names these settings in errors."""

_File = Annotated[Path, AfterValidator(existing_file)]
# Kafka's own rule for the names of topics; groups get the same.
_Topic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
_IdentifierKey = Annotated[
    SecretStr, AfterValidator(key_text(MIN_IDENTIFIER_KEY_BYTES, MAX_IDENTIFIER_KEY_BYTES))
]
_SettingsKey = Annotated[
    SecretStr, AfterValidator(key_text(SETTINGS_KEY_BYTES, SETTINGS_KEY_BYTES))
]
_SettingsKeys = Annotated[
    SecretStr, AfterValidator(key_text(SETTINGS_KEY_BYTES, SETTINGS_KEY_BYTES, several=True))
]


class Settings(BaseSettings):
    """The process's settings; make them with `load_settings`, which explains what is wrong.

    Each can be given as an environment variable, its name in capitals after `COUNTERSIGN_`, or as a
    file of that name, in any case, in the secrets directory.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    kafka_bootstrap: Annotated[str, AfterValidator(bootstrap_servers)] = Field(
        "localhost:9092",
        description="Kafka's bootstrap servers, host:port, with commas between several",
        examples=["kafka-1:9092,kafka-2:9092"],
    )
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="How Kafka is spoken to", examples=["sasl_ssl"]
    )
    kafka_ca_file: _File | None = Field(
        None,
        description="CA certificates (PEM) that Kafka's must descend from; unset: the system's",
        examples=["/etc/countersign/kafka-ca.pem"],
    )
    kafka_cert_file: _File | None = Field(
        None,
        description="Client certificate (PEM) to show to Kafka",
        examples=["/etc/countersign/kafka.pem"],
    )
    kafka_key_file: _File | None = Field(
        None,
        description="The client certificate's private key (PEM)",
        examples=["/etc/countersign/kafka-key.pem"],
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="How to log in to Kafka", examples=["SCRAM-SHA-512"]
    )
    kafka_sasl_username: str | None = Field(
        None, description="User name at Kafka", examples=["countersign"]
    )
    kafka_sasl_password: SecretStr | None = Field(None, description="Password at Kafka")

    redis_url: Annotated[str, AfterValidator(redis_address)] = Field(
        "redis://localhost:6379/0",
        description="Redis' address; rediss:// for TLS",
        examples=["rediss://redis.example.com:6379/0"],
    )
    redis_ca_file: _File | None = Field(
        None,
        description="CA certificates (PEM) that Redis' must descend from; unset: the system's",
        examples=["/etc/countersign/redis-ca.pem"],
    )
    redis_cert_file: _File | None = Field(
        None,
        description="Client certificate (PEM) to show to Redis",
        examples=["/etc/countersign/redis.pem"],
    )
    redis_key_file: _File | None = Field(
        None,
        description="The client certificate's private key (PEM)",
        examples=["/etc/countersign/redis-key.pem"],
    )
    redis_username: str | None = Field(
        None, description="User name at Redis", examples=["countersign"]
    )
    redis_password: SecretStr | None = Field(None, description="Password at Redis")
    redis_cluster: bool = Field(
        default=False,
        description="Whether the address is one of a Redis Cluster",
        examples=["true"],
    )

    login_events_topic: _Topic = Field(
        "login-events", description="Topic that login events come from", examples=["login-events"]
    )
    mfa_results_topic: _Topic = Field(
        "mfa-results", description="Topic that results go to", examples=["mfa-results"]
    )
    dead_letters_topic: _Topic = Field(
        "login-events-dlq",
        description="Topic of records that could not be taken",
        examples=["login-events-dlq"],
    )
    tenant_settings_topic: _Topic = Field(
        "tenant-settings",
        description="Compacted topic that holds the tenants' settings",
        examples=["tenant-settings"],
    )
    group_id: _Topic = Field(
        "countersign-decider",
        description="Consumer group that all deciders share",
        examples=["countersign-decider"],
    )

    public_url: Annotated[str, AfterValidator(public_base)] = Field(
        "https://localhost:8443",
        description="Base of challenge URLs: where browsers reach the challenger",
        examples=["https://mfa.example.com"],
    )
    identifier_key: _IdentifierKey | None = Field(
        None,
        description="Keys the hashes of subjects, event ids and browser ids; base64 of 32 to 64 bytes",
    )
    settings_key: _SettingsKey | None = Field(
        None, description="Seals Duo secrets on the bus; base64 of 32 bytes"
    )
    settings_key_previous: _SettingsKeys | None = Field(
        None,
        description="Earlier settings keys, still good for reading; with commas between several",
    )

    dedupe_window: timedelta = Field(
        timedelta(hours=24),
        ge=timedelta(minutes=1),
        le=timedelta(days=30),
        description="How long a decision is kept to answer a redelivered event with",
        examples=["PT24H"],
    )
    challenge_retention: timedelta = Field(
        timedelta(hours=24),
        ge=timedelta(minutes=1),
        le=timedelta(days=30),
        description="How long an ended challenge is kept to answer a redelivered return with; at least"
        " as long as dedupe_window",
        examples=["PT24H"],
    )
    batch_size: int = Field(
        500, ge=1, le=10_000, description="Most events decided at once", examples=["500"]
    )
    dead_letter_limit: int = Field(
        20,
        ge=1,
        description="So many events that failed unexpectedly stop the decider (a bad release,"
        " most likely), when they come within dead_letter_window",
        examples=["20"],
    )
    dead_letter_window: timedelta = Field(
        timedelta(minutes=10),
        gt=timedelta(0),
        description="The span that dead_letter_limit counts in",
        examples=["PT10M"],
    )
    drain_timeout: timedelta = Field(
        timedelta(seconds=20),
        gt=timedelta(0),
        description="How long a batch in hand may take, when the process stops or a rebalance waits",
        examples=["PT20S"],
    )
    kafka_session_timeout: timedelta = Field(
        timedelta(seconds=10),
        ge=timedelta(seconds=6),
        le=timedelta(minutes=30),
        description="How soon Kafka gives a silent decider's partitions to others",
        examples=["PT10S"],
    )

    duo_hosts: Annotated[str, AfterValidator(host_patterns)] = Field(
        "*.duosecurity.com,*.duofederal.com",
        description="API hosts that tenants' Duo accounts may name, with commas between; an asterisk"
        " stands for one or more labels in front",
        examples=["*.duosecurity.com"],
    )
    duo_ca_file: _File | None = Field(
        None,
        description="CA certificates (PEM) that Duo's must descend from; unset: the ones that Duo's SDK"
        " pins",
        examples=["/etc/countersign/duo-ca.pem"],
    )
    duo_timeout: timedelta = Field(
        timedelta(seconds=8),
        ge=timedelta(seconds=1),
        le=timedelta(seconds=20),
        description="How long a call to Duo may take in all",
        examples=["PT8S"],
    )
    challenger_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address that the challenger listens on for browsers",
        examples=["0.0.0.0"],  # noqa: S104  # an example; it is what browsers are to reach
    )
    challenger_port: int = Field(
        8443,
        ge=0,
        le=65_535,
        description="Port that the challenger listens on for browsers; 0: any free one",
        examples=["8443"],
    )
    challenger_cert_file: _File | None = Field(
        None,
        description="The challenger's certificate (PEM); unset: plain HTTP, for a proxy in front that"
        " speaks TLS",
        examples=["/etc/countersign/challenger.pem"],
    )
    challenger_key_file: _File | None = Field(
        None,
        description="The private key (PEM) of the challenger's certificate",
        examples=["/etc/countersign/challenger-key.pem"],
    )
    trusted_proxies: Annotated[str, AfterValidator(proxy_networks)] | None = Field(
        None,
        description="Proxies in front of the challenger whose X-Forwarded-For is believed: addresses and"
        " networks, with commas between; unset: none is",
        examples=["10.0.0.7,10.1.0.0/16"],
    )
    sweep_interval: timedelta = Field(
        timedelta(seconds=1),
        ge=timedelta(milliseconds=100),
        le=timedelta(minutes=1),
        description="How often a challenger looks for overdue challenges",
        examples=["PT1S"],
    )

    probe_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address that health and metrics are served at",
        examples=["0.0.0.0"],  # noqa: S104  # an example, and no secret is served there
    )
    probe_port: int = Field(
        9464,
        ge=0,
        le=65_535,
        description="Port that health and metrics are served at; 0: any free one",
        examples=["9464"],
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged", examples=["info"]
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="One JSON object a line, or lines for people", examples=["console"]
    )

    def identifier_key_bytes(self) -> bytes:
        """Return the key of the keyed hashes.

        Raises:
            SettingsError: there is none.
        """
        return self._key("identifier_key")

    def settings_keys(self) -> tuple[bytes, ...]:
        """Return the keys that Duo secrets are sealed with: first the one in use, then earlier ones.

        Raises:
            SettingsError: there is none.
        """
        previous = self.settings_key_previous
        texts = previous.get_secret_value().split(",") if previous is not None else []
        return (self._key("settings_key"), *(decoded(text) for text in texts))

    def _key(self, name: str) -> bytes:
        secret: SecretStr | None = getattr(self, name)
        if secret is None:
            problem = Problem(
                key=variable(name), problem="is not set, and this needs it", remedy=GENERATE_KEY
            )
            raise SettingsError(source=SOURCE, problems=[problem])
        return decoded(secret.get_secret_value())

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Return what a repr shows; pydantic hides its own secrets, an address can hold one too."""
        for name, value in super().__repr_args__():
            yield name, masked_url(value) if name == "redis_url" else value


def variable(name: str) -> str:
    """Return the environment variable that gives a setting."""
    return f"{ENV_PREFIX}{name.upper()}"
