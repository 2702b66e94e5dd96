"""The simulator without a network: a person's way through its pages, and what it refuses."""

from __future__ import annotations

import asyncio
import html
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


async def test_new_user_enrolls_once_and_approves_a_push() -> None:
    """Who is new adds a phone first, and never again; an approved push sends the browser back."""
    browser = Browser()
    await browser.open()
    assert "Countersign's Duo simulator" in browser.page
    assert "Welcome" in browser.page
    await browser.press("Add this phone", phone="no number")
    assert "Give a phone number" in browser.page
    await browser.press("Add this phone", phone="+1 555 0100")
    await browser.press("Send me a push")
    code = code_of(await browser.press("Approve"))
    assert (await browser.exchange(code)).status_code == 200
    assert await browser.look() == 410
    await browser.open()
    assert "Send me a push" in browser.page
    assert browser.kinds() == [
        Kind.PROMPT_OPENED,
        Kind.ENROLLED,
        Kind.ALLOWED,
        Kind.EXCHANGED,
        Kind.PROMPT_OPENED,
    ]


async def test_denied_user_tries_a_passcode() -> None:
    """A denial tells nobody, and leaves other options; a wrong passcode is refused, the right one passes."""
    browser = Browser()
    await browser.enroll()
    await browser.press("Send me a push")
    assert await browser.press("Deny") is None
    assert "Sign-in denied" in browser.page
    await browser.press("Other options")
    await browser.press("Text me a passcode")
    shown = re.search(r'id="shown-passcode">(\d{6})<', browser.page)
    assert shown is not None
    assert await browser.press("Verify", passcode="nonsense") is None
    assert "Tries left: 2" in browser.page
    away = await browser.press("Verify", passcode=f" {shown[1][:3]} {shown[1][3:]} ")
    assert (await browser.exchange(code_of(away))).status_code == 200


async def test_three_wrong_passcodes_lock_the_prompt() -> None:
    """Three wrong passcodes end it, however they are spread over the ways to enter one."""
    browser = Browser()
    await browser.enroll()
    await browser.press("Text me a passcode")
    await browser.press("Verify", passcode="1")
    await browser.press("Verify", passcode="2")
    await browser.press("Other options")
    await browser.press("Enter a passcode")
    await browser.press("Verify", passcode="3")
    assert "Too many wrong passcodes" in browser.page
    assert "<button" not in browser.page
    answer = await browser.http.post(browser.address, data={"answer": "other_options"})
    assert answer.status_code == 410
    assert browser.kinds()[-1] is Kind.LOCKED


@pytest.mark.parametrize(
    ("way", "button"), [("Call me", "Press a key"), ("Use a security key", "Touch the key")]
)
async def test_other_ways_pass(way: str, button: str) -> None:
    """A phone call and a security key pass as well."""
    browser = Browser()
    await browser.enroll()
    await browser.press(way)
    assert code_of(await browser.press(button))


async def test_hung_up_call_is_a_denial() -> None:
    """Hanging up denies."""
    browser = Browser()
    await browser.enroll()
    await browser.press("Call me")
    assert await browser.press("Hang up") is None
    assert browser.kinds()[-1] is Kind.DENIED


@pytest.mark.parametrize(
    ("button", "title", "kind"),
    [
        ("Cancel", "Sign-in cancelled", Kind.CANCELLED),
        ("Report as fraud", "Reported as fraud", Kind.FRAUD_REPORTED),
    ],
)
async def test_some_ends_are_final(button: str, title: str, kind: Kind) -> None:
    """Cancelled and reported prompts send nobody anywhere, and can't be taken up again."""
    browser = Browser()
    await browser.enroll()
    await browser.press("Send me a push")
    assert await browser.press(button) is None
    assert title in browser.page
    answer = await browser.http.post(browser.address, data={"answer": "approve"})
    assert answer.status_code == 410
    assert browser.kinds()[-1] is kind


async def test_button_that_is_not_there_does_nothing() -> None:
    """An approval that is posted before a push was asked for approves nothing."""
    browser = Browser()
    await browser.enroll()
    for answer in ("approve", "press_key", "touch_key", "verify"):
        posted = await browser.http.post(
            browser.address, data={"answer": answer, "passcode": "000000"}
        )
        assert posted.headers["location"] == browser.address
    posted = await browser.http.post(browser.address, data={"answer": "unheard-of"})
    assert posted.status_code == 400
    assert Kind.ALLOWED not in browser.kinds()


async def test_prompts_end() -> None:
    """An unknown prompt is not found; one older than five minutes is gone."""
    browser = Browser()
    browser.address = "/prompt/unknown"
    assert await browser.look() == 404
    await browser.enroll()
    browser.now += timedelta(minutes=5)
    assert await browser.look() == 410
    answer = await browser.http.post(browser.address, data={"answer": "send_push"})
    assert answer.status_code == 410


async def test_markup_in_a_user_name_is_text() -> None:
    """What a name holds is shown, and never read as HTML."""
    browser = Browser()
    answer = await browser.authorize(duo_uname="<script>alert(1)</script>\"'&")
    page = await browser.http.get(answer.headers["location"])
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_pages_allow_no_scripts_and_no_frames() -> None:
    """Each answer carries the policy: nothing but our stylesheet, and no frame around it."""
    browser = Browser()
    for path in ("/prompt/unknown", "/simulator.css", "/health", "/nowhere"):
        headers = (await browser.http.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers
    style = await browser.http.get("/simulator.css")
    assert style.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "claims",
    [
        {"redirect_uri": "https://mfa.example.com/" + "x" * 256},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "https://mfa.example.com/\r\nx: y"},
        {"redirect_uri": "https://mfa.example.com/#fragment"},
        {"redirect_uri": "https://mfa.example.com:port/"},
        {"state": "s" * 15},
        {"state": "s" * 1025},
        {"state": "\ud800" * 20},
        {"response_type": "token"},
        {"duo_uname": " "},
        {"duo_uname": "\ud800"},
        {"duo_uname": ["alice"]},
        {"use_duo_code_attribute": "yes"},
        {"nonce": 7},
        {"iss": "DIBOBSSHOP0000000000"},
        {"aud": "https://api.example.com"},
        {"exp": NOON.timestamp() - 61},
        {"exp": NOON.timestamp() + 361},
        {"exp": "soon"},
        {"exp": 10**400},
        {"exp": None},
        {"client_id": "DIBOBSSHOP0000000000"},
    ],
)
async def test_requests_that_duo_would_refuse(claims: dict[str, Any]) -> None:
    """A request that isn't as Duo wants it gets an error page, and no prompt."""
    browser = Browser()
    answer = await browser.authorize(**claims)
    assert answer.status_code == 400
    assert "This request was refused" in answer.text
    assert browser.kinds() == []


async def test_nonce_of_the_query_wins() -> None:
    """Of two nonces the one in the query comes back in the token, as with Duo."""
    browser = Browser()
    browser.simulator.scripts["alice"] = Behaviour.APPROVE
    answer = await browser.authorize(nonce="t" * 36, query={"nonce": "q" * 36})
    token = (await browser.exchange(code_of(answer.headers["location"]))).json()["id_token"]
    # The signature is checked with the SDK, elsewhere.
    assert _claims(token)["nonce"] == "q" * 36


def _claims(token: str) -> dict[str, Any]:
    import base64  # noqa: PLC0415  # for this alone
    import json  # noqa: PLC0415  # likewise

    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "DIBOBSSHOP0000000000"},
        {"sub": "DIBOBSSHOP0000000000"},
        {"aud": f"https://{HOST}{TOKEN}"},
        {"exp": NOON.timestamp()},
        {"exp": NOON.timestamp() + 3601},
        {"exp": float("nan")},
        {"exp": True},
        {"jti": None},
        {"jti": ""},
        {"jti": "j" * 257},
    ],
)
async def test_assertions_that_prove_nothing(changed: dict[str, Any]) -> None:
    """An assertion for something else, or for another time, is an invalid_client in Duo's words."""
    browser = Browser()
    signed = browser.assertion(HEALTH_CHECK, **changed)
    given = {"client_id": CLIENT_ID, "client_assertion": signed}
    answer = await browser.http.post(HEALTH_CHECK, data=given)
    assert answer.status_code == 400
    said = answer.json()
    assert (said["stat"], said["code"], said["message"]) == ("FAIL", 40002, "invalid_client")


async def test_assertion_is_good_once() -> None:
    """The same assertion a second time is refused; and Duo takes it from query or form."""
    browser = Browser()
    given = {"client_id": CLIENT_ID, "client_assertion": browser.assertion(HEALTH_CHECK)}
    assert (await browser.http.post(HEALTH_CHECK, params=given)).json()["stat"] == "OK"
    assert (await browser.http.post(HEALTH_CHECK, data=given)).json()["message"] == "invalid_client"


async def test_exchange_that_is_none() -> None:
    """Another grant type or assertion type is an invalid_request, and an unknown code an invalid_grant."""
    browser = Browser()
    answers = [
        await browser.exchange("code", grant_type="password"),
        await browser.exchange("code", client_assertion_type="secret"),
        await browser.exchange("code"),
    ]
    errors = [answer.json()["error"] for answer in answers]
    assert errors == ["invalid_request", "invalid_request", "invalid_grant"]
    assert {answer.status_code for answer in answers} == {400}


async def test_scripts_are_checked() -> None:
    """A behaviour that nobody knows is refused, with the ones that there are."""
    browser = Browser()
    refused = await browser.http.put("/scripts/bob", content=b'{"behaviour": "dance"}')
    assert refused.status_code == 400
    assert "deny_silently" in refused.text
    await browser.http.put("/scripts/auth0%7Cbob%2F", content=b'{"behaviour": "fraud"}')
    assert browser.simulator.scripts == {"auth0|bob/": Behaviour.FRAUD}
    await browser.http.delete("/scripts/auth0%7Cbob%2F")
    assert browser.simulator.scripts == {}


async def test_huge_and_repeated_parameters_are_refused() -> None:
    """More than there should be of anything is a refusal, never a failure."""
    browser = Browser()
    twice = f"client_id={CLIENT_ID}&client_id={CLIENT_ID}"
    huge = urlencode({"client_id": "x" * 100_000})
    for asked in (twice, huge, "&".join("a=1" for _ in range(60)), "client_id=%ff"):
        assert (await browser.http.get(f"{AUTHORIZE}?{asked[:60_000]}")).status_code == 400
        for path in (TOKEN, HEALTH_CHECK):
            form = {"content-type": "application/x-www-form-urlencoded"}
            answer = await browser.http.post(path, content=asked, headers=form)
            assert answer.status_code == 400
            assert answer.json()


NAMES = st.sampled_from(
    [
        "client_id",
        "client_assertion",
        "client_assertion_type",
        "request",
        "nonce",
        "code",
        "grant_type",
        "answer",
        "passcode",
        "x",
    ]
)
VALUES = st.text(max_size=60) | st.sampled_from([CLIENT_ID, ASSERTION_TYPE, "a.b.c", "e30.e30.e30"])
GARBAGE = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(
    lambda pairs: urlencode(pairs, errors="replace").encode()
) | st.binary(max_size=80)


@given(query=GARBAGE, body=GARBAGE, path=st.sampled_from([HEALTH_CHECK, AUTHORIZE, TOKEN]))
def test_garbage_is_refused_and_never_fails(query: bytes, body: bytes, path: str) -> None:
    """Whatever is sent to whichever endpoint, the answer is a refusal and no failure."""

    async def ask() -> int:
        """Call the application as a server does, with bytes that no client would send."""
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401  # ASGI's own
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET" if path == AUTHORIZE else "POST",
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query,
            "headers": [
                (b"content-type", b"application/x-www-form-urlencoded"),
                (b"content-length", str(len(body)).encode()),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8444),
        }
        await _SHARED.app(scope, receive, send)  # type: ignore[arg-type]  # plain dictionaries
        return statuses[0]

    assert asyncio.run(ask()) == 400


_SHARED = Simulator(
    {CLIENT_ID: SECRET}, api_host=HOST, clock=lambda: NOON, token=lambda: secrets.token_urlsafe(32)
)


@given(
    claims=st.dictionaries(
        st.sampled_from(
            ["redirect_uri", "state", "duo_uname", "nonce", "exp", "aud", "scope", "jti"]
        ),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_signed_garbage_never_fails(claims: dict[str, Any]) -> None:
    """Not even what a client has signed makes the prompt fail."""

    async def ask() -> int:
        browser = Browser()
        answer = await browser.authorize(**claims)
        if answer.status_code == 303:
            browser.address = answer.headers["location"]
            assert await browser.look() == 200
        return int(answer.status_code)

    assert asyncio.run(ask()) in {303, 400}
