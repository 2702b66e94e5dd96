"""Loads the process's settings, and says everything that is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from countersign.core.errors import Problem, SettingsError
from countersign.settings.model import SOURCE, Settings, variable

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SECRETS_DIR_VARIABLE: Final = "COUNTERSIGN_SECRETS_DIR"
DEFAULT_SECRETS_DIR: Final = Path("/run/secrets/countersign")

_TOPICS: Final = (
    "login_events_topic",
    "mfa_results_topic",
    "dead_letters_topic",
    "tenant_settings_topic",
)


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401  # every setting has a type of its own
    """Return the settings in force.

    Args:
        overrides: settings by name that win over the environment and the secrets directory.

    Raises:
        SettingsError: some are wrong; it names every variable and the remedy.
    """
    directory = secrets_directory()
    try:
        # mypy sees the fields alone, not what BaseSettings' own constructor takes.
        settings = Settings(_secrets_dir=directory, **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        problems = [
            _explained(found) for found in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsError(SOURCE, problems) from None  # the cause could quote a secret
    if problems := list(_contradictions(settings)):
        raise SettingsError(SOURCE, problems)
    return settings


def secrets_directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the directory whose files are settings; None where there is none.

    Raises:
        SettingsError: the environment names one that isn't there.
    """
    named = environ.get(SECRETS_DIR_VARIABLE)
    if not named:
        return DEFAULT_SECRETS_DIR if DEFAULT_SECRETS_DIR.is_dir() else None
    if not Path(named).is_dir():
        problem = Problem(
            key=SECRETS_DIR_VARIABLE,
            problem="names no directory",
            remedy="Give the path of a directory, or unset it",
        )
        raise SettingsError(SOURCE, [problem])
    return Path(named)


def _explained(found: ErrorDetails) -> Problem:
    """Return one of pydantic's findings as variable, problem and remedy."""
    name = str(found["loc"][0]) if found["loc"] else ""
    field = Settings.model_fields.get(name)
    if field is None:
        return Problem(key=name, problem="is no setting", remedy="Leave it out")
    if found["type"] == "countersign":
        remedy = str(found["ctx"]["remedy"])
    elif field.examples:
        remedy = f"Give a value such as {field.examples[0]}"
    else:
        remedy = "Give a text"
    message = found["msg"]
    return Problem(key=variable(name), problem=message[:1].lower() + message[1:], remedy=remedy)


def _contradictions(settings: Settings) -> Iterator[Problem]:
    """Find what is right alone and wrong together."""
    yield from _login_to_kafka(settings)
    yield from _certificates(settings)
    yield from _challenger(settings)
    if settings.settings_key_previous is not None and settings.settings_key is None:
        yield _problem("settings_key", "is not set, but earlier keys are", "Set the key in use too")
    if settings.challenge_retention < settings.dedupe_window:
        yield _problem(
            "challenge_retention",
            "is shorter than dedupe_window, so a redelivered return could find its challenge gone",
            "Make it at least as long",
        )
    topics = [getattr(settings, name) for name in _TOPICS]
    for name, topic in zip(_TOPICS, topics, strict=True):
        if topics.count(topic) > 1:
            yield _problem(name, f"is {topic}, as another topic is", "Give each topic its own name")


def _login_to_kafka(settings: Settings) -> Iterator[Problem]:
    due = settings.kafka_security.startswith("sasl")
    for name in ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password"):
        given = getattr(settings, name) is not None
        if due and not given:
            yield _problem(name, f"is not set, and {settings.kafka_security} needs it", "Set it")
        elif given and not due:
            yield _unused(name, "kafka_security", "sasl_ssl")


def _certificates(settings: Settings) -> Iterator[Problem]:
    for server, tls, switch, value in (
        ("kafka", settings.kafka_security.endswith("ssl"), "kafka_security", "ssl or sasl_ssl"),
        ("redis", settings.redis_url.startswith("rediss:"), "redis_url", "a rediss:// address"),
    ):
        names = [f"{server}_{file}_file" for file in ("ca", "cert", "key")]
        missing = [name for name in names if getattr(settings, name) is None]
        if not tls:
            yield from (_unused(name, switch, value) for name in names if name not in missing)
        elif len(unpaired := [name for name in names[1:] if name in missing]) == 1:
            yield _problem(unpaired[0], "is not set, but its counterpart is", "Set both or neither")


def _challenger(settings: Settings) -> Iterator[Problem]:
    names = ("challenger_cert_file", "challenger_key_file")
    missing = [name for name in names if getattr(settings, name) is None]
    if len(missing) == 1:
        yield _problem(missing[0], "is not set, but its counterpart is", "Set both or neither")


def _problem(name: str, problem: str, remedy: str) -> Problem:
    return Problem(key=variable(name), problem=problem, remedy=remedy)


def _unused(name: str, switch: str, value: str) -> Problem:
    return _problem(
        name,
        f"is set, but {variable(switch)} makes no use of it",
        f"Set {variable(switch)} to {value}, or unset this",
    )
