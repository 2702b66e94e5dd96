"""Writes durations as people do: ISO 8601 in the largest whole units, such as `P7D` or `PT1H30M`."""

from __future__ import annotations

from datetime import timedelta


def iso_duration(value: timedelta) -> str:
    """Return a duration of at least 0 in ISO 8601."""
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    days = f"{value.days}D" if value.days else ""
    time = "".join(
        f"{count}{unit}"
        for count, unit in ((hours, "H"), (minutes, "M"), (f"{seconds}{fraction}", "S"))
        if count not in {0, "0"}
    )
    if not days and not time:
        return "PT0S"
    return f"P{days}T{time}" if time else f"P{days}"
