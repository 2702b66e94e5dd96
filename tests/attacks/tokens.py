"""Tokens that Duo did not sign, or that don't say allow; a Duo that lies tells them.

Each row's Duo does everything right but for what the row names; the state, the cookie and the browser are
the rightful ones, so nothing but the token stands between the user and a pass.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Final

from countersign.core.result import Assurance
from tests.attacks.scene import Scene
from tests.attacks.table import (
    DENIED,
    FRAUD,
    At,
    Expected,
    Row,
    Said,
    denied,
    failed,
    passed,
)
from tests.duo_server import as_json, reply

_FAR: Final = 3_600
ALLOW: Final = {"result": "allow", "status": "allow", "status_msg": "Login Successful"}
DENY: Final = {"result": "deny", "status": "deny", "status_msg": "No"}


def context(factor: str, reason: str, result: str = "success") -> dict[str, object]:
    """Return the claim that says how the user was proven."""
    return {"auth_context": {"factor": factor, "reason": reason, "result": result}}


async def forged(
    scene: Scene,
    claims: Mapping[str, object],
    *,
    key: str | None = None,
    algorithm: str = "HS512",
    honest: bool = False,
) -> None:
    """A token with a flaw allows nobody, and no code is given to the browser."""
    prompt = await scene.at_the_prompt()
    brought = scene.says(prompt, **claims)
    if not honest:
        scene.world.rogue_allowed.discard(prompt.login.subject)
    scene.world.rogue.algorithm = algorithm
    scene.world.rogue.key = scene.world.rogue.key if key is None else key
    await scene.comes_back(prompt, brought)
    if scene.seen.page is None:
        await scene.returns(prompt.login, scene.seen.return_code)


async def of_another_prompt(scene: Scene) -> None:
    """A right token of another prompt of the same browser allows nothing here: its nonce differs."""
    prompt = await scene.at_the_prompt()
    other = await scene.at_the_prompt(prompt.login, prompt.browser)
    brought = scene.says(other)
    scene.world.rogue_allowed.discard(prompt.login.subject)
    await scene.comes_back(prompt, {**brought, "state": prompt.state})


async def with_another_name(scene: Scene, name: object) -> None:
    """A token for a name that is not exactly the user's allows nothing."""
    told = name.format(user=scene.user) if isinstance(name, str) else name
    await forged(scene, {"preferred_username": told})


async def swapped_case(scene: Scene) -> None:
    """A name in other letters is another name."""
    await forged(scene, {"preferred_username": scene.user.upper()})


async def answers(scene: Scene, body: object, status: int = 200) -> None:
    """An answer in which no token stands proves nothing."""
    prompt = await scene.at_the_prompt()
    brought = scene.says(prompt)
    scene.world.rogue_allowed.discard(prompt.login.subject)
    scene.world.rogue.behaviour = (
        reply(status, body, "Content-Type: text/html")
        if isinstance(body, bytes)
        else as_json(body, status=status)
    )
    await scene.comes_back(prompt, brought)


def _rogue(
    name: str,
    rules: tuple[str, ...],
    claims: Mapping[str, object],
    *,
    key: str | None = None,
    algorithm: str = "HS512",
) -> Row:
    attack = partial(forged, claims=claims, key=key, algorithm=algorithm)
    return Row(f"token-{name}", rules, attack, failed(), at=At.ROGUE)


def _named(name: str, told: object) -> Row:
    attack = partial(with_another_name, name=told)
    return Row(f"token-{name}", ("13",), attack, failed(), at=At.ROGUE)


def _not_allowed(name: str, claims: Mapping[str, object], end: Said = DENIED) -> Row:
    expected = denied(ends=(end,))
    return Row(f"token-{name}", ("14",), partial(forged, claims=claims), expected, at=At.ROGUE)


def _bypass(name: str, factor: str, reason: str) -> Row:
    expected = passed(assurance=Assurance.DUO_BYPASS, remembered=0)
    attack = partial(forged, claims=context(factor, reason), honest=True)
    return Row(f"token-{name}", ("14",), attack, expected, at=At.ROGUE)


def _unreadable(name: str, body: object, expected: Expected, status: int = 200) -> Row:
    attack = partial(answers, body=body, status=status)
    return Row(f"token-{name}", ("10", "30"), attack, expected, at=At.ROGUE)


ROWS: Final = (
    Row(
        "token-00 nothing is wrong with it",
        ("14",),
        partial(forged, claims={}, honest=True),
        passed(),
        at=At.ROGUE,
    ),
    _rogue(
        "10 signed with another secret", ("10",), {}, key="another-secret-of-forty-characters-00000"
    ),
    _rogue("11 signed with the client id", ("10",), {}, key="DIXXXXXXXXXXXXXXXXXX" * 2),
    _rogue("12 not signed", ("10",), {}, algorithm="none", key=""),
    _rogue("13 signed with HS256", ("10",), {}, algorithm="HS256"),
    _rogue("14 of another issuer", ("11",), {"iss": "https://evil.example.net/oauth/v1/token"}),
    _rogue("15 without an issuer", ("11",), {"iss": ...}),
    _rogue("16 for another client", ("11",), {"aud": "DIYYYYYYYYYYYYYYYYYY"}),
    _rogue("17 for nobody", ("11",), {"aud": ...}),
    _rogue("18 expired", ("11",), {"exp": time.time() - _FAR}),
    _rogue("19 without an end", ("11",), {"exp": ...}),
    _rogue("20 issued in the future", ("11",), {"iat": time.time() + _FAR}),
    _rogue("21 without a time", ("11",), {"iat": ...}),
    _rogue("22 without a nonce", ("12",), {"nonce": ...}),
    _rogue("23 with an empty nonce", ("12",), {"nonce": ""}),
    _rogue("24 with a null nonce", ("12",), {"nonce": None}),
    _rogue("25 with another nonce", ("12",), {"nonce": "canary-nonce-0123456789abcdefghijkl"}),
    Row("token-26 of another prompt", ("12", "7"), of_another_prompt, failed(), at=At.ROGUE),
    _rogue("30 without a name", ("13",), {"preferred_username": ...}),
    _named("31 with a null name", None),
    _named("32 with an empty name", ""),
    _named("33 of another user", "auth0|mallory"),
    _named("34 with a blank behind", "{user} "),
    _named("35 with a line feed behind", "{user}\n"),
    _named("36 with more behind a bar", "{user}|admin"),
    _named("37 with a look-alike letter", "\u0430uth0|token-37"),
    _named("38 with full-width letters", "\uff41uth0|token-38"),
    _named("39 with names in a list", ["auth0|token-39"]),
    Row("token-40 in other letters", ("13",), swapped_case, failed(), at=At.ROGUE),
    _not_allowed("50 deny", {"auth_result": DENY}),
    _not_allowed("51 no auth_result", {"auth_result": ...}),
    _not_allowed("52 a null auth_result", {"auth_result": None}),
    _not_allowed("53 an empty auth_result", {"auth_result": {}}),
    _not_allowed("54 an unknown word", {"auth_result": {**ALLOW, "result": "allowed"}}),
    _not_allowed("55 other letters", {"auth_result": {**ALLOW, "result": "ALLOW"}}),
    _not_allowed("56 true in place of allow", {"auth_result": {"result": True, "status": True}}),
    _not_allowed("57 a status that contradicts", {"auth_result": {**ALLOW, "status": "deny"}}),
    _not_allowed("58 a result that contradicts", {"auth_result": {**ALLOW, "result": "deny"}}),
    _not_allowed("59 without a status", {"auth_result": {"result": "allow"}}),
    _not_allowed("60 a context that contradicts", context("duo_push", "user_approved", "denied")),
    _not_allowed(
        "61 allow, and marked as fraud",
        context("duo_push", "user_marked_fraud"),
        FRAUD,
    ),
    _not_allowed(
        "62 fraud by its status",
        {"auth_result": {"result": "allow", "status": "fraud"}},
        FRAUD,
    ),
    _bypass("70 a user in bypass", "not_available", "bypass_user"),
    _bypass("71 a user who isn't enrolled", "not_available", "allow_unenrolled_user"),
    _bypass("72 an administrator's code", "bypass_code", "valid_passcode"),
    _bypass("73 a device that Duo remembers", "remembered_device", "remembered_device"),
    _bypass("74 a network that Duo trusts", "trusted_network", "trusted_network"),
    _bypass("75 a factor that nobody knows", "telepathy", "user_approved"),
    _bypass("76 a factor that was not asked for", "duo_push", "bypass_user"),
    _bypass("77 a passcode that a policy spared", "duo_mobile_passcode", "allowed_by_policy"),
    _unreadable("80 a page with status 200", b"<html>welcome</html>", failed()),
    _unreadable("81 no token", {"access_token": "canary-access"}, failed()),
    _unreadable("82 a token that is none", {"id_token": "allow"}, failed()),
    _unreadable("83 a list", [], failed()),
    _unreadable("84 more than anybody reads", {"id_token": "x" * 100_000}, failed()),
    _unreadable("85 a refusal", {"error": "invalid_grant"}, failed(), status=400),
)
