"""Shows the settings in force, without their secrets, and where each came from."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from pydantic import SecretStr

from countersign.settings.checks import HIDDEN, masked_url
from countersign.settings.loading import SECRETS_DIR_VARIABLE, secrets_directory
from countersign.settings.model import ENV_PREFIX, Settings, variable
from countersign.wire.durations import iso_duration


class Shown(NamedTuple):
    """A setting as people may see it.

    Attributes:
        variable: the environment variable that gives it.
        value: its value; eight stars for a secret, empty where there is none.
        origin: where it came from: `default`, `environment`, a file, or `argument`.
    """

    variable: str
    value: str
    origin: str


def masked(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Shown]:
    """Return every setting in the order of their definition; no secret is in it."""
    directory = secrets_directory(environ)
    given = {name.upper() for name, value in environ.items() if value}
    files = {path.name.upper(): path for path in directory.iterdir()} if directory else {}

    def origin(name: str) -> str:
        if name not in settings.model_fields_set:
            return "default"
        if variable(name) in given:
            return "environment"
        file = files.get(variable(name))
        return str(file) if file is not None else "argument"

    return [
        Shown(variable(name), _text(name, getattr(settings, name)), origin(name))
        for name in Settings.model_fields
    ]


def unknown_variables(environ: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """Return the variables that look like settings and are none, each with what it may stand for.

    They are no error: a cluster adds such variables of its own, as in COUNTERSIGN_SERVICE_HOST.
    """
    known = [name.upper() for name in Settings.model_fields]
    strange = {
        name: name.upper().removeprefix(ENV_PREFIX)
        for name in sorted(environ)
        if name.upper().startswith(ENV_PREFIX) and name != SECRETS_DIR_VARIABLE
    }
    close = {
        name: difflib.get_close_matches(rest, known, n=1, cutoff=0.8)
        for name, rest in strange.items()
        if rest not in known
    }
    return {name: variable(found[0]) if found else None for name, found in close.items()}


def _text(name: str, value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return HIDDEN
        case timedelta():
            return iso_duration(value)
        case bool():
            return str(value).lower()
        case _:
            return masked_url(str(value)) if name == "redis_url" else str(value)
