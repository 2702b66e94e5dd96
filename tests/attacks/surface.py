"""What every answer to a browser has to be like: methods, headers, cookies, unguessable values."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from countersign.challenger.answers import Page
from countersign.core.tenant import PushBudget
from countersign.simulator.behaviour import Behaviour
from tests.attacks.scene import Scene
from tests.attacks.table import Row, page

_MANY_PROMPTS: Final = {"push_budget": PushBudget(prompts=100)}
SAFE: Final = {
    "strict-transport-security": "max-age=",
    "content-security-policy": "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""Headers of every answer, and what stands in them."""


async def other_methods(scene: Scene) -> None:
    """Whatever isn't GET is refused at every address, and moves nothing."""
    prompt = await scene.at_the_prompt()
    query = urlencode(await scene.duo(prompt, Behaviour.APPROVE))
    for path in (prompt.login.link, "/callback"):
        for method in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"):
            seen = await scene.ask(prompt.browser, path, query, method=method)
            assert (seen.status, seen.headers["allow"]) == (405, "GET"), (path, method)
    await scene.ask(prompt.browser, "/callback", query, method="POST")


async def headers_of_every_answer(scene: Scene) -> None:
    """Every answer forbids framing, sniffing, referrers and caching, and binds browsers to TLS."""
    prompt = await scene.at_the_prompt()
    for path in ("/", "/callback", "/callback?state=x", "/c/x", "/nothing", prompt.login.link):
        seen = await scene.ask(prompt.browser, *path.split("?"))
        for name, value in SAFE.items():
            assert value in seen.headers[name], (path, name)
        assert "server" not in seen.headers
    await scene.ask(prompt.browser, "/metrics")


async def cookies_are_closed(scene: Scene) -> None:
    """A visit's cookie is for this host and TLS alone, out of scripts' reach, and says nothing."""
    prompt = await scene.at_the_prompt()
    (cookie,) = scene.seen.headers["set-cookie"].split("\n")
    name, *attributes = [part.strip().lower() for part in cookie.split(";")]
    assert name.startswith("__host-countersign-visit-")
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= set(attributes)
    assert not any(one.startswith("domain") for one in attributes)
    for known in (prompt.login.challenge, prompt.state, scene.user, prompt.nonce):
        assert known.lower() not in name


async def states_are_unguessable(scene: Scene) -> None:
    """Twenty visits of one link: twenty states, nonces and cookies of 128 bits and more, all different."""
    login = await scene.login()
    prompts = [await scene.at_the_prompt(login) for _ in range(20)]
    for values in (
        {one.state[24:] for one in prompts},
        {value for one in prompts for value in one.browser.cookies.values()},
    ):
        assert len(values) == 20
        assert min(map(len, values)) >= 43  # 256 bits in base64
    assert len({one.nonce for one in prompts}) == 20
    assert min(len(one.nonce) for one in prompts) >= 22


ROWS: Final = (
    Row(
        "surface-01 other methods",
        ("18",),
        other_methods,
        page(405, Page.WRONG_METHOD),
    ),
    Row(
        "surface-02 headers of every answer",
        ("19",),
        headers_of_every_answer,
        page(404, Page.NO_SUCH_PAGE),
    ),
    Row("surface-03 cookies are closed", ("20",), cookies_are_closed, page(303, None)),
    Row(
        "surface-04 states are unguessable",
        ("9",),
        states_are_unguessable,
        page(303, None),
        settings=_MANY_PROMPTS,
    ),
)
