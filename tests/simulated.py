"""The simulator without a network: its clock stands still, and a browser goes through its pages."""

from __future__ import annotations

import base64
import html
import json
import re
import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from countersign.simulator.app import Simulator
from countersign.simulator.assertions import ASSERTION_TYPE, sign
from countersign.simulator.behaviour import Behaviour
from countersign.simulator.duo_routes import AUTHORIZE, HEALTH_CHECK, TOKEN
from countersign.simulator.ledger import Kind

HOST = "localhost:8444"
CLIENT_ID = "DIALICESHOP000000000"
SECRET = secrets.token_hex(20)
CALLBACK = "https://mfa.example.com/callback"
STATE = "s" * 36
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Browser:
    """A simulator whose clock stands still, and a browser that goes through its pages."""

    def __init__(self) -> None:
        self.now = NOON
        self.simulator = Simulator(
            {CLIENT_ID: SECRET},
            api_host=HOST,
            clock=lambda: self.now,
            token=lambda: secrets.token_urlsafe(32),
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.simulator.app),  # type: ignore[arg-type]  # the same protocol in other words
            base_url=f"https://{HOST}",
        )
        self.address = ""
        self.page = ""

    async def authorize(self, *, query: dict[str, str] | None = None, **claims: Any) -> Any:  # noqa: ANN401  # claims can be anything
        """Ask for a prompt; an argument replaces a claim, and None leaves it out."""
        asked = {
            "response_type": "code",
            "scope": "openid",
            "redirect_uri": CALLBACK,
            "client_id": CLIENT_ID,
            "iss": CLIENT_ID,
            "aud": f"https://{HOST}",
            "exp": self.now.timestamp() + 300,
            "state": STATE,
            "duo_uname": "alice",
            "use_duo_code_attribute": True,
            **claims,
        }
        signed = sign({name: value for name, value in asked.items() if value is not None}, SECRET)
        return await self.http.get(
            AUTHORIZE,
            params={
                "response_type": "code",
                "client_id": CLIENT_ID,
                "request": signed,
                **(query or {}),
            },
        )

    async def open(self) -> None:
        """Open a prompt and look at it."""
        answer = await self.authorize()
        assert answer.status_code == 303
        self.address = answer.headers["location"]
        await self.look()

    async def look(self) -> int:
        """Look at the prompt, and return the answer's status."""
        answer = await self.http.get(self.address)
        self.page = html.unescape(answer.text)
        return answer.status_code

    async def press(self, text: str, **fields: str) -> str | None:
        """Press the button with this text; return where the browser is sent, if away."""
        pattern = rf'<button name="answer" value="(\w+)"[^>]*>{re.escape(text)}</button>'
        found = re.search(pattern, self.page)
        assert found is not None, f"no button {text}"
        answer = await self.http.post(self.address, data={"answer": found[1], **fields})
        assert answer.status_code == 303
        away = str(answer.headers["location"])
        if not away.startswith("/"):
            return away
        await self.look()
        return None

    async def pass_by(self, way: str, button: str, **fields: str) -> str | None:
        """Choose a way, pass by it, and say that the device is one's own; return where that leads."""
        await self.press(way)
        assert await self.press(button, **fields) is None
        assert "Is this your device?" in self.page
        return await self.press("Yes, this is my device")

    def shown(self, name: str = "shown-passcode") -> str:
        """Return a code that the page shows."""
        found = re.search(rf'id="{name}">(\d+)<', self.page)
        assert found is not None
        return found[1]

    async def scripted(self, user: str, behaviour: Behaviour, **claims: Any) -> str:  # noqa: ANN401  # claims can be anything
        """Return the code that a scripted user comes back with."""
        self.simulator.scripts[user] = behaviour
        answer = await self.authorize(duo_uname=user, **claims)
        assert answer.status_code == 303
        return code_of(answer.headers["location"])

    async def check_health(self) -> Any:  # noqa: ANN401  # any answer
        """Make a health check."""
        assertion = self.assertion(HEALTH_CHECK)
        given = {"client_id": CLIENT_ID, "client_assertion": assertion}
        return await self.http.post(HEALTH_CHECK, data=given)

    async def enroll(self) -> None:
        """Open a prompt as somebody new, and add a phone."""
        await self.open()
        await self.press("Add this phone", phone="+1 555 0100")

    def assertion(self, path: str, **claims: object) -> str:
        """Return a client assertion; an argument replaces a claim."""
        said = {
            "iss": CLIENT_ID,
            "sub": CLIENT_ID,
            "aud": f"https://{HOST}{path}",
            "exp": self.now.timestamp() + 300,
            "jti": secrets.token_hex(18),
            **claims,
        }
        return sign({name: value for name, value in said.items() if value is not None}, SECRET)

    async def exchange(self, code: str, **changed: str) -> Any:  # noqa: ANN401  # any answer
        """Exchange a code, with the parameters in the form."""
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_id": CLIENT_ID,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(TOKEN),
            **changed,
        }
        return await self.http.post(TOKEN, data=asked)

    def kinds(self) -> list[Kind]:
        """Return what the ledger says."""
        return self.simulator.ledger.kinds()


def code_of(away: str | None) -> str:
    """Return the code that a browser is sent back with."""
    assert away is not None
    back = parse_qs(urlsplit(away).query)
    assert away.startswith(CALLBACK + "?")
    assert back["state"] == [STATE]
    return back["duo_code"][0]


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says, unverified."""
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
