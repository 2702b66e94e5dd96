"""Browsers that walk through challenges, so many at once, and how long each of their steps took."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt

from countersign.local.ports import HOST
from tests.benchmarks.figures import VoidRunError
from tests.builders import RETURN_URL

_SEE_OTHER = 303


class Trip(NamedTuple):
    """A round trip: seconds that the visit and the callback took, the exchange with Duo included."""

    visit: float
    callback: float


class Walkers:
    """Browsers without a window.

    Args:
        authority: who vouches for Duo.
    """

    def __init__(self, authority: Path) -> None:
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(
                ssl=ssl.create_default_context(cafile=str(authority)), limit=0
            ),
        )

    async def __aenter__(self) -> Walkers:  # noqa: PYI034  # it is closed to subclasses
        """Open them."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self._http.close()

    async def walk(self, port: int, challenges: Sequence[str], at_once: int) -> list[Trip]:
        """Walk through all challenges, so many at once.

        Raises:
            VoidRunError: a browser was not sent on.
        """
        left: Iterator[str] = iter(challenges)
        trips: list[Trip] = []

        async def walker() -> None:
            trips.extend([await self.trip(port, challenge) for challenge in left])

        await asyncio.gather(*(walker() for _ in range(at_once)))
        return trips

    async def trip(self, port: int, challenge: str) -> Trip:
        """Walk through a challenge.

        Raises:
            VoidRunError: the browser was not sent on.
        """
        began = perf_counter()
        prompt, cookie = await self.visit(port, challenge)
        visited = perf_counter()
        back, _ = await self._sent_on(prompt)
        answered = perf_counter()
        there, _ = await self._sent_on(back, cookie)
        done = perf_counter()
        if not there.startswith(f"{RETURN_URL}?mfa_code="):
            message = "a browser was not sent back to the application"
            raise VoidRunError(message)
        return Trip(visited - began, done - answered)

    async def visit(self, port: int, challenge: str) -> tuple[str, str]:
        """Open a challenge's link; return the prompt's address and the cookie to come back with."""
        return await self._sent_on(f"http://{HOST}:{port}/c/{challenge}")

    async def knock(self, port: int, challenge: str) -> None:
        """Open a challenge's link, and come back from a prompt with a made-up code; take any answer."""
        link = f"http://{HOST}:{port}/c/{challenge}"
        async with self._http.get(link, allow_redirects=False) as answer:
            query = parse_qs(urlsplit(answer.headers.get("location", "")).query)
            cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        if "request" not in query:
            return
        state = jwt.decode(query["request"][0], options={"verify_signature": False})["state"]
        back = f"http://{HOST}:{port}/callback"
        parameters = {"state": state, "duo_code": "made-up"}
        async with self._http.get(back, params=parameters, headers={"cookie": cookie}):
            pass

    async def _sent_on(self, address: str, cookie: str = "") -> tuple[str, str]:
        headers = {"cookie": cookie} if cookie else {}
        async with self._http.get(address, headers=headers, allow_redirects=False) as answer:
            if answer.status != _SEE_OTHER:
                message = f"a browser was answered with {answer.status}"
                raise VoidRunError(message)
            given = answer.headers.get("set-cookie", "")
            return answer.headers["location"], given.partition(";")[0]
