"""Attacks on what is told: forwarded addresses, names in results, and secrets that change."""

from __future__ import annotations

from functools import partial
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from countersign.challenger.answers import Page
from countersign.core.tenant import DuoUsername, Mfa, Policy
from tests.attacks.scene import Scene
from tests.attacks.table import (
    CHALLENGED,
    FAILED,
    PASSED,
    At,
    Row,
    failed,
    nobody,
    page,
    passed,
)
from tests.duo_server import claims_of

_EVIL: Final = "evil.example.net"
_SPOOFED: Final = {
    "X-Forwarded-For": "198.51.100.66",
    "X-Forwarded-Host": _EVIL,
    "X-Forwarded-Proto": "http",
    "Forwarded": f"for=198.51.100.66;host={_EVIL};proto=http",
    "X-Original-URL": "/metrics",
}
_BY_MAIL: Final = {"mfa": Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.EMAIL)}


async def forwarded(scene: Scene, headers: dict[str, str]) -> None:
    """Headers that say where a request came from, or was meant for, change nothing and are told nobody."""
    login = await scene.login()
    seen = await scene.ask(scene.browser(), login.link, headers=headers)
    (request,) = parse_qs(urlsplit(seen.location).query)["request"]
    base = scene.world.bus.settings.public_url
    assert claims_of(request)["redirect_uri"] == f"{base}/callback"
    assert "secure" in seen.headers["set-cookie"].lower()
    logged = repr(scene.world.logs.lines())
    assert not [value for value in headers.values() if value in logged]


async def pseudonymous(scene: Scene) -> None:
    """A relying party may name users by what says nothing; results and keys have that name alone."""
    mail = f"{scene.row.tenant}@canary.example.com"
    login = await scene.login(user={"email": mail})
    prompt = await scene.at_the_prompt(login)
    scene.world.rogue_allowed.add(login.subject)
    await scene.comes_back(prompt, scene.says(prompt, preferred_username=mail))
    await scene.returns(login, scene.seen.return_code)
    ours = [copy for copy in scene.world.bus.results if scene.row.tenant in repr(copy.key)]
    assert ours
    assert not [copy for copy in ours if mail in repr(copy)]


async def secret_replaced(scene: Scene) -> None:
    """A Duo secret that was wrong and is put right counts for the next login; nothing is started again."""
    wrong = await scene.login()
    await scene.ask(scene.browser(), wrong.link)
    assert scene.seen.page is Page.FAILED
    draft = scene.world.draft(scene.row.tenant, At.SIMULATOR, {})
    await scene.world.settle([draft])
    right = await scene.proven(await scene.login())
    await scene.returns(right.login, scene.seen.return_code)


async def details(scene: Scene) -> None:
    """A page of failure says nothing of why, nor of what serves it."""
    prompt = await scene.at_the_prompt()
    code = scene.code()
    seen = await scene.comes_back(prompt, {"state": prompt.state, "duo_code": code})
    told = seen.told().lower()
    for word in (code, "traceback", "exception", "litestar", "uvicorn", "python", "redis", "kafka"):
        assert word.lower() not in told, word


async def from_a_service(scene: Scene) -> None:
    """Whoever takes over a service has its rights at Redis alone: no other keys, no settings, no wiping."""
    name, password = scene.world.redis_user
    url = scene.world.bus.settings.redis_url
    async with Redis.from_url(url, username=name, password=password) as redis:
        assert await redis.ping()
        for command in _FORBIDDEN:
            with pytest.raises(ResponseError, match=r"permissions|can't run"):
                await redis.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py's own


_FORBIDDEN: Final = (
    ("FLUSHALL",),
    ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"),
    ("ACL", "LIST"),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("MONITOR",),
    ("DBSIZE",),
    ("SCRIPT", "FLUSH"),
    ("REPLICAOF", "NO", "ONE"),
    ("GET", "somebody-elses-key"),
    ("EVAL", "return redis.call('FLUSHALL')", "0"),
    ("EVAL", "return redis.call('GET', 'somebody-elses-key')", "0"),
)

ROWS: Final = (
    Row(
        "privacy-01 spoofed forwarding",
        ("40",),
        partial(forwarded, headers=_SPOOFED),
        page(303, None),
    ),
    Row(
        "privacy-02 a spoofed host",
        ("40",),
        partial(forwarded, headers={"Host": _EVIL}),
        page(303, None),
    ),
    Row("privacy-10 a pseudonym for a user", ("46",), pseudonymous, passed(), At.ROGUE, _BY_MAIL),
    Row(
        "privacy-20 a Duo secret that was replaced",
        ("44",),
        secret_replaced,
        failed(
            status=303,
            page=None,
            ends=(FAILED, PASSED),
            decisions=(CHALLENGED, CHALLENGED),
            remembered=1,
        ),
        At.WRONG_SECRET,
    ),
    Row(
        "privacy-40 a service's user at Redis",
        ("38",),
        from_a_service,
        nobody(ends=(), decisions=()),
    ),
    Row("privacy-30 no details on a page", ("42",), details, failed(exchanges=0)),
)
