"""The Duo user name of a user, by the tenant's rule and with no fallback.

Falling back to another attribute would let somebody who can change one of them appear in Duo as a
new user and enroll another device.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, assert_never

from countersign.core.tenant import DuoUsername

if TYPE_CHECKING:
    from countersign.core.login import User


def duo_username(user: User, rule: DuoUsername) -> str | None:
    """Return the name that Duo knows the user by, exactly as it will be sent.

    Args:
        user: the user of the login event.
        rule: which attribute is the name. An e-mail address counts only where it is verified.

    Returns:
        The name, or None where the attribute is missing: such a login is denied.
    """
    match rule:
        case DuoUsername.USER_ID:
            name: str | None = user.user_id
        case DuoUsername.EMAIL:
            name = user.email if user.email_verified is True else None
        case DuoUsername.USERNAME:
            name = user.username
        case DuoUsername.NICKNAME:
            name = user.nickname
        case DuoUsername.AUTH0_LEGACY:
            name = b64encode(user.user_id.encode()).decode("ascii").lower()
        case _:
            assert_never(rule)
    return name if name and name.strip() else None
