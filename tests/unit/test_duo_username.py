"""The name that Duo knows a user by: the tenant's attribute, as it stands, or nobody."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.duo_username import duo_username
from countersign.core.login import User
from countersign.core.tenant import DuoUsername

EVERYTHING = User(
    user_id="auth0|Alice",
    email="alice@example.com",
    email_verified=True,
    username="alice.a",
    nickname="ally",
    name="Alice",
)


@pytest.mark.hazard(5)
@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (DuoUsername.USER_ID, "auth0|Alice"),
        (DuoUsername.EMAIL, "alice@example.com"),
        (DuoUsername.USERNAME, "alice.a"),
        (DuoUsername.NICKNAME, "ally"),
        (DuoUsername.AUTH0_LEGACY, "yxv0adb8qwxpy2u="),
    ],
)
def test_each_rule_names_its_attribute(rule: DuoUsername, name: str) -> None:
    """The name is sent exactly as the attribute stands; the legacy form is Auth0's own."""
    assert duo_username(EVERYTHING, rule) == name


@pytest.mark.parametrize(
    ("rule", "lacking"),
    [
        (DuoUsername.EMAIL, {"email": None}),
        (DuoUsername.EMAIL, {"email_verified": None}),
        (DuoUsername.EMAIL, {"email_verified": False}),
        (DuoUsername.EMAIL, {"email": ""}),
        (DuoUsername.USERNAME, {"username": None}),
        (DuoUsername.USERNAME, {"username": " \t"}),
        (DuoUsername.NICKNAME, {"nickname": None}),
        (DuoUsername.NICKNAME, {"nickname": "\u2003"}),
    ],
)
def test_a_missing_attribute_names_nobody(rule: DuoUsername, lacking: dict[str, Any]) -> None:
    """There is no fallback: somebody who changes an attribute doesn't become a new Duo user."""
    fields = {name: getattr(EVERYTHING, name) for name in EVERYTHING.__struct_fields__}
    assert duo_username(User(**{**fields, **lacking}), rule) is None


@given(user_id=st.text(min_size=1), rule=st.sampled_from(DuoUsername))
def test_an_attribute_of_blanks_is_missing_and_no_name_is_blank(
    user_id: str, rule: DuoUsername
) -> None:
    """Whatever the attributes hold, a name that comes out is not blank."""
    name = duo_username(User(user_id=user_id, username=user_id, nickname=user_id), rule)
    assert name is None or name.strip()
