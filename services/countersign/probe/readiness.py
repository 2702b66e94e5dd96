"""What the process still lacks to do its work, component by component, in words."""

from __future__ import annotations


class Readiness:
    """Reasons why this process is not ready; ready when there are none.

    Args:
        *components: what has to come first; each counts as starting.
    """

    def __init__(self, *components: str) -> None:
        self._lacking = dict.fromkeys(components, "starting")

    def lacks(self, component: str, reason: str) -> None:
        """Note that a component is not there, and why."""
        self._lacking[component] = reason

    def has(self, component: str) -> None:
        """Note that a component is there."""
        self._lacking.pop(component, None)

    @property
    def lacking(self) -> dict[str, str]:
        """The components that are not there, with the reasons."""
        return dict(self._lacking)
