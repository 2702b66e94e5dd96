"""A sign-in as this application asks about it.

Law: asked again, it is the same question to the letter, so that it opens no second prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

LONGEST_NAME: Final = 64
"""Characters."""
LIFETIME: Final = timedelta(minutes=10)
"""How long a sign-in is worth an answer; whoever waits longer has gone away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One sign-in of one user in one browser.

    Attributes:
        name: the user's name, as typed.
        event_id: the login event's id; it stays on the server.
        browser_id: which browser.
        began_at: when the user signed in.
    """

    name: str
    event_id: str
    browser_id: str
    began_at: datetime

    @property
    def user_id(self) -> str:
        """The subject: an id that never changes, under a prefix that says whose id it is."""
        return f"sample|{self.name}"

    @property
    def expires_at(self) -> datetime:
        """From when on it is void."""
        return self.began_at + LIFETIME

    def event(self, *, client_id: str, return_url: str) -> dict[str, Any]:
        """Return it as the data of a login event.

        Args:
            client_id: which application is logged into.
            return_url: where the browser goes after a challenge.
        """
        email = self.name if "@" in self.name else f"{self.name}@example.com"
        return {
            "user": {
                "user_id": self.user_id,
                "username": self.name,
                "email": email,
                # Say so only of an address that you have verified: it may become the name in Duo.
                "email_verified": True,
            },
            "client": {"client_id": client_id, "name": "The Sample Shop"},
            "login": {
                "browser_id": self.browser_id,
                "return_url": return_url,
                "expires_at": self.expires_at.isoformat(),
            },
        }


def problem_with(name: str) -> str | None:
    """Return what is wrong with a user name, for its user to read; None where it is fine."""
    if not name:
        return "Enter a user name."
    if len(name) > LONGEST_NAME:
        return f"That name is too long. Use {LONGEST_NAME} characters at most."
    if not name.isprintable():
        return "That name has characters in it that can't be shown. Use letters and digits."
    return None
