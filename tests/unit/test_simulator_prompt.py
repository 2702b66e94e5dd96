"""A person's way through the simulator's prompt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countersign.simulator.ledger import Kind
from tests.simulated import Browser, claims_of, code_of


async def test_new_user_enrolls_once_and_approves_a_push() -> None:
    """Who is new adds a phone first, and never again; an approved push sends the browser back."""
    browser = Browser()
    await browser.open()
    assert "Countersign's Duo simulator" in browser.page
    assert "Welcome" in browser.page
    await browser.press("Add this phone", phone="no number")
    assert "Give a phone number" in browser.page
    await browser.press("Add this phone", phone="+1 555 0100")
    code = code_of(await browser.pass_by("Send me a push", "Approve"))
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
    shown = browser.shown()
    assert len(shown) == 6
    assert await browser.press("Verify", passcode="nonsense") is None
    assert "Tries left: 2" in browser.page
    assert await browser.press("Verify", passcode=f" {shown[:3]} {shown[3:]} ") is None
    away = await browser.press("No, other people use this device")
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
    assert "Too many wrong codes" in browser.page
    assert "<button" not in browser.page
    answer = await browser.http.post(browser.address, data={"answer": "other_options"})
    assert answer.status_code == 410
    assert browser.kinds()[-1] is Kind.LOCKED


@pytest.mark.parametrize(
    ("way", "button", "factor"),
    [
        ("Send me a push", "Approve", "duo_push"),
        ("Call me", "Press a key", "phone_call"),
        ("Use a security key", "Touch the key", "webauthn_roaming"),
    ],
)
async def test_what_is_pressed_passes(way: str, button: str, factor: str) -> None:
    """A push, a phone call and a security key pass, and the token names them and says `user_approved`."""
    browser = Browser()
    await browser.enroll()
    code = code_of(await browser.pass_by(way, button))
    context = claims_of((await browser.exchange(code)).json()["id_token"])["auth_context"]
    assert (context["factor"], context["reason"]) == (factor, "user_approved")


@pytest.mark.parametrize(
    ("way", "place", "factor", "reason", "lengths"),
    [
        ("Text me a passcode", "shown-passcode", "sms_passcode", "valid_passcode", {6}),
        ("Enter a passcode", "shown-passcode", "duo_mobile_passcode", "valid_passcode", {6}),
        ("Use a bypass code", "shown-passcode", "bypass_code", "valid_passcode", {9}),
        (
            "Send me a Verified Push",
            "shown-code",
            "verified_duo_push",
            "user_approved",
            {3, 4, 5, 6},
        ),
    ],
)
async def test_what_is_typed_passes(
    way: str, place: str, factor: str, reason: str, lengths: set[int]
) -> None:
    """Passcodes, a bypass code and a Verified Push want the code that is shown, and pass with no other."""
    browser = Browser()
    await browser.enroll()
    await browser.press(way)
    shown = browser.shown(place)
    assert len(shown) in lengths
    assert await browser.press("Verify", passcode=f"{shown}0") is None
    assert "Tries left: 2" in browser.page
    assert browser.kinds()[-1] is Kind.WRONG_PASSCODE
    assert await browser.press("Verify", passcode=shown) is None
    code = code_of(await browser.press("Yes, this is my device"))
    context = claims_of((await browser.exchange(code)).json()["id_token"])["auth_context"]
    assert (context["factor"], context["reason"]) == (factor, reason)


async def test_codes_are_of_their_prompt() -> None:
    """One prompt's codes are no good at another, and those of its ways differ."""
    browser = Browser()
    await browser.enroll()
    await browser.press("Send me a Verified Push")
    pushed = browser.shown("shown-code")
    await browser.press("Other options")
    await browser.press("Use a bypass code")
    bypass = browser.shown()
    assert bypass != pushed
    await browser.open()
    await browser.press("Use a bypass code")
    await browser.press("Verify", passcode=bypass)
    assert "That is not the code" in browser.page


@pytest.mark.parametrize("button", ["Deny", "Report as fraud"])
async def test_verified_push_can_be_refused(button: str) -> None:
    """Who is sent a Verified Push can deny and report it, and nobody is let in."""
    browser = Browser()
    await browser.enroll()
    await browser.press("Send me a Verified Push")
    assert await browser.press(button) is None
    assert Kind.ALLOWED not in browser.kinds()


async def test_device_question_is_answered_once_and_with_a_button() -> None:
    """After the factor nothing is left to do but to say whose device it is; until then nobody goes back."""
    browser = Browser()
    await browser.enroll()
    await browser.press("Send me a push")
    await browser.press("Approve")
    assert Kind.ALLOWED not in browser.kinds()
    for answer in ("cancel", "other_options", "approve", "deny"):
        await browser.http.post(browser.address, data={"answer": answer})
    await browser.look()
    assert "Is this your device?" in browser.page
    assert code_of(await browser.press("No, other people use this device"))
    posted = await browser.http.post(browser.address, data={"answer": "my_device"})
    assert posted.status_code == 410
    assert browser.kinds().count(Kind.ALLOWED) == 1


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
