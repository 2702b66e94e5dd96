"""What the short commands begin with: settings, and logs for people."""

from __future__ import annotations

from countersign.logs import set_up_logs
from countersign.settings import Settings, load_settings


def begin() -> Settings:
    """Load the settings, and show people what fails below the command.

    Raises:
        SettingsError: the process's settings are wrong.
    """
    settings = load_settings()
    # Kafka's client tells only its log why it doesn't get a connection.
    set_up_logs("error", "console")
    return settings
