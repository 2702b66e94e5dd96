"""The prompt that a person goes through: pages without scripts, each answered by a form."""

from __future__ import annotations

import re
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from countersign.simulator.errors import InvalidRequestError
from countersign.simulator.pages import STYLE, Pages, go
from countersign.simulator.parameters import Incoming, parameters
from countersign.simulator.prompt import Answer, Prompt, Stage
from countersign.simulator.prompts import Prompts

_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()./-]{3,29}")


def prompt_routes(prompts: Prompts, pages: Pages) -> list[HTTPRouteHandler]:
    """Return the routes of the prompt and of its stylesheet.

    Args:
        prompts: what is open.
        pages: show it.
    """

    @get("/prompt/{txid:str}")
    async def show(txid: FromPath[str]) -> Response[Any]:
        prompt = prompts.get(txid)
        if prompt is None or prompt.stage is Stage.APPROVED:
            return _missing(txid)
        return pages.page("prompt", prompt=prompt, title=_TITLES[prompt.stage])

    @post("/prompt/{txid:str}", status_code=200)
    async def answer(txid: FromPath[str], request: Incoming) -> Response[Any]:
        prompt = prompts.get(txid)
        if prompt is None or prompt.ended:
            return _missing(txid)
        try:
            given = await parameters(request)
            pressed = Answer(given.get("answer", ""))
        except (InvalidRequestError, ValueError):
            return pages.notice(400, "That was no answer", "Go back, and press one of the buttons.")
        if pressed is Answer.ADD_DEVICE and not _PHONE.fullmatch(given.get("phone", "").strip()):
            prompt.complaint = "Give a phone number, such as +1 555 0100. Any will do."
            return go(_address(prompt))
        way_back = prompts.answer(prompt, pressed, given.get("passcode", ""))
        return go(way_back or _address(prompt))

    @get(f"/{STYLE}")
    async def style() -> Response[str]:
        return pages.style()

    def _missing(txid: str) -> Response[str]:
        if prompts.was_there(txid):
            return pages.notice(
                410,
                "This sign-in has ended",
                "It was answered, or it took longer than five minutes."
                " Go back to where you wanted to sign in, and start again.",
            )
        return pages.notice(
            404,
            "No such sign-in",
            "Nothing is known under this address."
            " Go back to where you wanted to sign in, and start again.",
        )

    return [show, answer, style]


def _address(prompt: Prompt) -> str:
    return f"/prompt/{prompt.txid}"


_TITLES: Final = {
    Stage.ENROLL: "Welcome: add a device",
    Stage.CHOOSE: "How do you want to confirm it's you?",
    Stage.PUSH: "Check your phone for a push",
    Stage.SMS: "Enter the passcode from the text message",
    Stage.PHONE: "Your phone is ringing",
    Stage.PASSCODE: "Enter the passcode from your app",
    Stage.VERIFIED_PUSH: "Enter this code on your phone",
    Stage.BYPASS_CODE: "Enter a bypass code",
    Stage.KEY: "Touch your security key",
    Stage.DEVICE: "Is this your device?",
    Stage.DENIED: "Sign-in denied",
    Stage.REPORTED: "Reported as fraud",
    Stage.LOCKED: "Too many wrong codes",
    Stage.CANCELLED: "Sign-in cancelled",
}
