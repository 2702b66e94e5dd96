"""A browser's way through a challenge: to Duo's prompt, back from it, and on to the relying party."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from countersign.core.challenge import State
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import (
    BusUnavailableError,
    DuoBusyError,
    DuoRefusedError,
    DuoUnavailableError,
)
from countersign.core.result import Assurance, Reason, ResultType
from countersign.core.tenant import ChallengeRules, Failmode, PushBudget, TenantSettings
from tests.browsers import Walk, at_the_prompt, code_of, state_of, title_of
from tests.builders import GLOBEX, RETURN_URL, a_login, a_tenant
from tests.bus import FixedTenants

DENIED = DuoAnswer(allowed=False)
OPEN = ChallengeRules(return_urls=(RETURN_URL,), failmode=Failmode.OPEN)


def failing_open() -> Walk:
    """Return a walk whose tenant lets logins in while Duo is away."""
    return Walk(a_tenant(challenge=OPEN))


@pytest.mark.law(6)
async def test_an_approved_prompt_leads_back_with_the_code_that_is_kept_as_a_hash() -> None:
    """Law 6: after Duo's allow the browser goes to the return URL with the one code that proves it."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    back = await browser.callback(state, duo_code=walk.duo.approve(state))
    assert back.status_code == 303
    assert back.headers["location"].startswith(f"{RETURN_URL}?mfa_code=")
    proven = await walk.stands(challenge)
    assert proven.state is State.PROVEN
    assert proven.proof is not None
    assert proven.proof.assurance is Assurance.MFA
    assert proven.proof.code_hash == walk.pseudonyms.code(challenge.id, code_of(back))
    assert await walk.results() == []  # proven is not yet passed


@pytest.mark.hazard(5)
@pytest.mark.hazard(18)
async def test_duo_is_told_the_users_name_as_it_was_decided() -> None:
    """The prompt is for the name in the challenge, with a nonce that is the visit's own."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    again = state_of(await browser.visit(challenge))
    assert {prompt.username for prompt in walk.duo.prompts} == {challenge.duo_username}
    assert state != again
    assert walk.duo.prompts[0].nonce != walk.duo.prompts[1].nonce


@pytest.mark.law(6)
async def test_a_denial_is_published_at_once() -> None:
    """Law 6: a token that says deny ends the challenge, and its result is on its way at once."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    page = await browser.callback(state, duo_code=walk.duo.answer(state, DENIED))
    assert (page.status_code, title_of(page)) == (403, "The sign-in was denied")
    (result,) = await walk.results()
    assert result.type is ResultType.CHALLENGE_DENIED
    assert result.body.reason is Reason.DUO_DENIED
    assert (await walk.stands(challenge)).state is State.DENIED


@pytest.mark.parametrize(
    ("error", "reason"),
    [(DuoUnavailableError, Reason.DUO_UNAVAILABLE), (DuoRefusedError, Reason.DUO_FAILED)],
)
@pytest.mark.law(8)
async def test_whatever_goes_wrong_in_the_exchange_fails(
    error: type[DuoUnavailableError | DuoRefusedError], reason: Reason
) -> None:
    """Law 8: once a prompt was opened no failmode applies: an exchange without an answer is no allow."""
    walk = failing_open()
    _, browser, state = await at_the_prompt(walk)
    page = await browser.callback(state, duo_code=walk.duo.answer(state, error("no")))
    assert page.status_code in {502, 503}
    (result,) = await walk.results()
    assert (result.type, result.body.reason) == (ResultType.CHALLENGE_FAILED, reason)
    assert result.body.assurance is Assurance.NONE


async def test_a_busy_duo_leaves_the_code_for_later() -> None:
    """An exchange that Duo has no time for ends nothing; once its lease is over the address works again."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    busy = await browser.callback(state, duo_code=walk.duo.answer(state, DuoBusyError("busy")))
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "30")
    assert (await walk.stands(challenge)).state is State.EXCHANGING
    walk.pass_time(seconds=30)
    back = await browser.callback(state, duo_code=walk.duo.approve(state))
    assert back.status_code == 303


@pytest.mark.law(8)
async def test_duo_away_with_failmode_closed_ends_at_once() -> None:
    """Law 8: with the failmode closed, a login that can't be checked is denied, and says why."""
    walk = Walk()
    walk.duo.health["acme"] = DuoUnavailableError("away")
    page = await walk.browser().visit(await walk.open())
    assert (page.status_code, title_of(page)) == (503, "Duo can’t be reached")
    (result,) = await walk.results()
    assert result.type is ResultType.CHALLENGE_FAILED
    assert result.body.reason is Reason.DUO_UNAVAILABLE


@pytest.mark.law(8)
async def test_duo_away_with_failmode_open_still_needs_the_browsers_return() -> None:
    """Law 8: a fail-open is proven as itself, goes back with a code, and is never MFA (law 7)."""
    walk = failing_open()
    walk.duo.health["acme"] = DuoUnavailableError("away")
    challenge = await walk.open()
    browser = walk.browser()
    back = await browser.visit(challenge)
    assert back.status_code == 303
    proven = await walk.stands(challenge)
    assert proven.proof is not None
    assert proven.proof.assurance is Assurance.FAIL_OPEN
    assert proven.proof.code_hash == walk.pseudonyms.code(challenge.id, code_of(back))
    # Opened again, the browser that it was opened for gets the same code; another gets none.
    assert code_of(await browser.visit(challenge)) == code_of(back)
    assert (await walk.browser().visit(challenge)).status_code == 409


@pytest.mark.parametrize("error", [DuoBusyError("busy"), DuoRefusedError("TLS")])
@pytest.mark.law(8)
async def test_only_an_outage_opens(error: DuoBusyError | DuoRefusedError) -> None:
    """Law 8: a limit that an attacker can provoke, a TLS fault or a refusal never opens the failmode."""
    walk = failing_open()
    walk.duo.health["acme"] = error
    challenge = await walk.open()
    page = await walk.browser().visit(challenge)
    assert page.status_code in {502, 503}
    assert (await walk.stands(challenge)).proof is None


@pytest.mark.law(8)
async def test_nothing_opens_once_a_prompt_was_opened() -> None:
    """Law 8: Duo going away after a prompt neither opens nor ends the challenge."""
    walk = failing_open()
    challenge, browser, state = await at_the_prompt(walk)
    walk.duo.health["acme"] = DuoUnavailableError("away")
    assert (await browser.visit(challenge)).status_code == 503
    assert (await walk.stands(challenge)).state is State.PENDING
    assert (await browser.callback(state, duo_code=walk.duo.approve(state))).status_code == 303


async def test_a_tenant_without_an_account_fails() -> None:
    """Settings that lost their Duo account since the decision end the challenge as failed."""
    walk = Walk()
    challenge = await walk.open()
    walk.directory.put(a_tenant(duo=None))
    page = await walk.browser().visit(challenge)
    assert page.status_code == 502
    assert (await walk.stands(challenge)).state is State.FAILED


@pytest.mark.law(8)
async def test_settings_older_than_the_decision_are_never_used() -> None:
    """Law 8: a challenger that has not read what a decider decided by reads it first, or says "not now"."""

    class Behind(FixedTenants):
        """A directory that is behind until it catches up, if it can."""

        reachable = False

        def get(self, tenant: str) -> TenantSettings | None:
            """See `ports.TenantDirectory.get`."""
            return super().get(tenant) if self.caught_up else a_tenant(version=1, challenge=OPEN)

        async def catch_up(self) -> None:
            """See `ports.TenantDirectory.catch_up`."""
            if not self.reachable:
                message = "Kafka can't be reached"
                raise BusUnavailableError(message)
            await super().catch_up()

    walk = Walk(a_tenant(version=2))
    walk.duo.health["acme"] = DuoUnavailableError("away")
    challenge = await walk.open(settings_version=2)
    directory = Behind(a_tenant(version=2))
    browser = walk.browser(walk.another(directory=directory))
    assert (await browser.visit(challenge)).status_code == 503
    assert (await walk.stands(challenge)).state is State.PENDING
    directory.reachable = True
    # Version 1 would have let the login in.
    assert title_of(await browser.visit(challenge)) == "Duo can’t be reached"
    assert (await walk.stands(challenge)).state is State.FAILED


@pytest.mark.parametrize("lost", [True, False])
async def test_a_refusal_leaves_an_open_prompt_alone(*, lost: bool) -> None:
    """An account that is refused, or gone, ends nothing while a prompt may still be answered."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    if lost:
        without = walk.another(directory=FixedTenants(a_tenant(duo=None)))
        stranger = walk.browser(without)
    else:
        walk.duo.health["acme"] = DuoRefusedError("no")
        stranger = walk.browser()
    assert (await stranger.visit(challenge)).status_code == 503
    assert (await browser.callback(state, duo_code=walk.duo.approve(state))).status_code == 303


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "POST", "PUT", "DELETE", "TRACE"])
async def test_other_methods_are_refused(method: str) -> None:
    """Browsers come with GET; anything else is answered 405, and says what is allowed."""
    walk = Walk()
    challenge, browser, _ = await at_the_prompt(walk)
    for path in (f"/c/{challenge.id}", "/callback"):
        refused = await browser.http.request(method, path)
        assert refused.status_code == 405
        assert "GET" in refused.headers["allow"]


async def test_each_prompt_is_charged_and_a_spent_budget_opens_none() -> None:
    """The decision pays for the first prompt, each further one is charged; then there are no more."""
    walk = Walk(a_tenant(push_budget=PushBudget(prompts=3, window=timedelta(minutes=10))))
    challenge = await walk.open()
    browser = walk.browser()
    for _ in range(3):
        assert (await browser.visit(challenge)).status_code == 303
    page = await browser.visit(challenge)
    assert (page.status_code, title_of(page)) == (429, "Too many prompts")
    assert len((await walk.stands(challenge)).visits) == 3
    # What is open can still be answered.
    state = walk.duo.prompts[0].state
    assert (await browser.callback(state, duo_code=walk.duo.approve(state))).status_code == 303


@pytest.mark.hazard(18)
@pytest.mark.law(5)
async def test_two_tabs_have_a_prompt_each_and_the_first_answer_counts() -> None:
    """Law 5: either tab may be answered; the other one's answer is not even exchanged."""
    walk = Walk()
    challenge, browser, first = await at_the_prompt(walk)
    second = state_of(await browser.visit(challenge))
    code = walk.duo.approve(first)
    back = await browser.callback(second, duo_code=walk.duo.approve(second))
    assert back.status_code == 303
    # The same browser, so it is sent on from the other tab as well, by the proof that stands.
    late = await browser.callback(first, duo_code=code)
    assert code_of(late) == code_of(back)
    assert code in walk.duo.answers


async def test_reload_and_back_button_lead_to_the_same_place() -> None:
    """A callback opened again, and the challenge's link, send the browser on with the same code."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    code = walk.duo.approve(state)
    first = await browser.callback(state, duo_code=code)
    for again in (
        await browser.callback(state, duo_code=code),
        await browser.callback(state, duo_code="another-code"),
        await browser.visit(challenge),
    ):
        assert again.status_code == 303
        assert again.headers["location"] == first.headers["location"]
    assert (await walk.stands(challenge)).revision == 3  # visited, claimed, proven; no more


@pytest.mark.law(5)
async def test_fifty_callbacks_at_once_make_one_exchange() -> None:
    """Law 5: of many callbacks with one state, on two challengers, one exchanges; nobody else is denied."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    other = walk.browser(walk.another())
    other.http.cookies = browser.http.cookies
    code = walk.duo.approve(state)
    answers = await asyncio.gather(
        *((browser, other)[n % 2].callback(state, duo_code=code) for n in range(50))
    )
    assert {answer.status_code for answer in answers} <= {202, 303}
    assert any(answer.status_code == 303 for answer in answers)
    assert (await walk.stands(challenge)).state is State.PROVEN
    assert (await browser.callback(state, duo_code=code)).status_code == 303


@pytest.mark.law(6)
async def test_a_relayed_link_gives_the_thief_nothing() -> None:
    """Law 6: the code goes to the browser that was approved; the one that relayed the link gets a page."""
    walk = Walk()
    challenge = await walk.open()
    thief, victim = walk.browser(), walk.browser()
    await thief.visit(challenge)
    state = state_of(await victim.visit(challenge))
    back = await victim.callback(state, duo_code=walk.duo.approve(state))
    assert back.status_code == 303
    page = await thief.visit(challenge)
    assert (page.status_code, title_of(page)) == (409, "This sign-in was approved elsewhere")
    assert code_of(back) not in page.text


@pytest.mark.hazard(6)
@pytest.mark.law(6)
async def test_a_callback_in_another_browser_is_refused_and_spoils_nothing() -> None:
    """Law 6: without the visit's cookie a state is worth nothing, and its owner can still use it."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    code = walk.duo.approve(state)
    stranger = walk.browser()
    for cookie in (None, "another value"):
        if cookie:
            name = next(iter(browser.http.cookies.keys()))
            stranger.http.cookies.set(name, cookie)
        page = await stranger.callback(state, duo_code=code)
        assert (page.status_code, title_of(page)) == (
            403,
            "This sign-in belongs to another browser",
        )
    assert (await walk.stands(challenge)).state is State.PENDING
    assert (await browser.callback(state, duo_code=code)).status_code == 303


@pytest.mark.law(10)
async def test_states_and_codes_are_not_mixed_between_challenges() -> None:
    """Law 10: a code of another user's, or another tenant's, prompt proves nothing here."""
    walk = Walk(a_tenant(), a_tenant(tenant=GLOBEX))
    mine, browser, state = await at_the_prompt(walk)
    theirs = await walk.open(a_login(event_id="other", tenant=GLOBEX))
    other = state_of(await browser.visit(theirs))
    page = await browser.callback(state, duo_code=walk.duo.approve(other))
    assert page.status_code == 502
    assert (await walk.stands(mine)).state is State.FAILED
    # A state put together from two challenges is unknown.
    mixed = theirs.id + state[24:]
    assert (await browser.callback(mixed, duo_code="code")).status_code == 400
    assert (await walk.stands(theirs)).state is State.PENDING


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("access_denied", ResultType.CHALLENGE_DENIED),
        ("server_error", ResultType.CHALLENGE_FAILED),
        ("<script>", ResultType.CHALLENGE_FAILED),
    ],
)
async def test_an_error_in_place_of_a_code_ends_the_challenge(error: str, kind: ResultType) -> None:
    """Duo's error redirect is an outcome; its words are not repeated to anybody."""
    walk = Walk()
    _, browser, state = await at_the_prompt(walk)
    page = await browser.callback(state, error=error, error_description="<b>words</b>")
    assert "words" not in page.text
    assert "<script>" not in page.text
    (result,) = await walk.results()
    assert result.type is kind


@pytest.mark.law(7)
@pytest.mark.parametrize("assurance", [Assurance.MFA, Assurance.DUO_BYPASS])
async def test_a_bypass_is_proven_as_a_bypass(assurance: Assurance) -> None:
    """Law 7: what Duo let through without a factor is never dressed as MFA."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    answer = DuoAnswer(allowed=True, assurance=assurance)
    await browser.callback(state, duo_code=walk.duo.answer(state, answer))
    proof = (await walk.stands(challenge)).proof
    assert proof is not None
    assert proof.assurance is assurance


async def test_a_crashed_exchange_can_be_taken_up_again() -> None:
    """Once the lease of a challenger that crashed has run out, a new visit gets a new prompt."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    await browser.callback(state, duo_code=walk.duo.answer(state, DuoBusyError("busy")))
    waiting = await browser.visit(challenge)
    assert (waiting.status_code, title_of(waiting)) == (202, "One moment")
    walk.pass_time(seconds=30)
    again = state_of(await browser.visit(challenge))
    assert (await browser.callback(again, duo_code=walk.duo.approve(again))).status_code == 303


async def test_ended_challenges_have_a_page_for_each_end() -> None:
    """A link that is over says so, with the status that fits, and a way back without a code."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    await browser.callback(state, duo_code=walk.duo.answer(state, DENIED))
    page = await browser.visit(challenge)
    assert (page.status_code, title_of(page)) == (403, "The sign-in was denied")
    assert f'href="{RETURN_URL}"' in page.text
    again = await browser.callback(state, duo_code="x")
    assert again.text == page.text


async def test_an_overdue_challenge_is_over_even_before_it_is_swept() -> None:
    """After the deadline nothing is asked of Duo any more, whatever the sweeper has got to."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    code = walk.duo.approve(state)
    walk.pass_time(minutes=5)
    for page in (await browser.visit(challenge), await browser.callback(state, duo_code=code)):
        assert (page.status_code, title_of(page)) == (410, "Time is up")
    assert code in walk.duo.answers
    assert len(walk.duo.prompts) == 1


async def test_a_cookie_lasts_as_long_as_its_challenge_and_is_for_this_host_alone() -> None:
    """The visit's cookie is opaque, for this host alone, and kept from scripts and from other sites."""
    walk = Walk()
    challenge = await walk.open()
    response = await walk.browser().visit(challenge)
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-countersign-visit-")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "path=/", "samesite=lax", "max-age=360"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)
    assert challenge.id not in cookie


async def test_a_browser_never_has_very_many_cookies() -> None:
    """Once there are twenty, those of earlier visits go; the newest still leads back."""
    walk = Walk(a_tenant(push_budget=PushBudget(prompts=100)))
    browser = walk.browser()
    challenge = await walk.open()
    for _ in range(25):
        state = state_of(await browser.visit(challenge))
        assert len(browser.http.cookies) <= 21
    assert (await browser.callback(state, duo_code=walk.duo.approve(state))).status_code == 303


async def test_every_answer_has_safe_headers() -> None:
    """Pages, redirects and errors alike are not cached, framed, sniffed or referred from."""
    walk = Walk()
    challenge, browser, _ = await at_the_prompt(walk)
    for response in (
        await browser.visit(challenge),
        await browser.http.get("/nothing"),
        await browser.http.post("/callback"),
        await browser.callback("x"),
    ):
        headers = response.headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "max-age" in headers["strict-transport-security"]


async def test_a_return_url_with_a_query_keeps_it() -> None:
    """The code is added to what the return URL has already."""
    address = f"{RETURN_URL}?shop=1"
    walk = Walk(a_tenant(challenge=ChallengeRules(return_urls=(address,))))
    challenge = await walk.open(return_url=address)
    browser = walk.browser()
    state = state_of(await browser.visit(challenge))
    back = await browser.callback(state, duo_code=walk.duo.approve(state))
    assert urlsplit(back.headers["location"]).query.startswith("shop=1&mfa_code=")
