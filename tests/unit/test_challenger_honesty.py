"""What Duo says is read as it is said: a bypass is a bypass, a fraud a fraud, and a no is heard."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from countersign.core.budget import Refused
from countersign.core.challenge import State, come_back
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoRefusedError
from countersign.core.remember import ends_at, remembered
from countersign.core.result import Assurance, DuoDetails, Reason, ResultType
from countersign.core.tenant import ChallengeRules, Detail, PushBudget, Remember
from countersign.ports import Change
from tests.browsers import Walk, at_the_prompt, code_of, state_of, title_of
from tests.builders import (
    ACME,
    ALICE,
    DUO_SAID,
    RETURN_URL,
    a_login,
    a_proven_challenge,
    a_tenant,
)

SAID = replace(DUO_SAID, factor="bypass_code", reason="valid_passcode")
BYPASS = DuoAnswer(allowed=True, assurance=Assurance.DUO_BYPASS, details=SAID)
FRAUD = DuoAnswer(allowed=False, fraud=True, details=SAID)


def strict(*details: Detail) -> Walk:
    """Return a walk whose tenant accepts no bypass, and lets out these details."""
    rules = ChallengeRules(return_urls=(RETURN_URL,), accept_bypass=False, details=details)
    return Walk(a_tenant(challenge=rules))


@pytest.mark.law(6)
async def test_a_bypass_that_the_tenant_does_not_accept_is_denied() -> None:
    """Law 6: Duo's allow is not enough where no second factor stands behind it and the policy says so."""
    walk = strict(Detail.FACTOR)
    challenge, browser, state = await at_the_prompt(walk)
    page = await browser.callback(state, duo_code=walk.duo.answer(state, BYPASS))
    assert (page.status_code, title_of(page)) == (403, "The sign-in was denied")
    (result,) = await walk.results()
    assert (result.type, result.body.reason) == (
        ResultType.CHALLENGE_DENIED,
        Reason.DUO_BYPASSED,
    )
    assert result.body.assurance is Assurance.NONE
    assert result.body.duo == DuoDetails(factor="bypass_code", reason="valid_passcode")
    assert (await walk.stands(challenge)).state is State.DENIED


async def test_a_second_factor_passes_where_no_bypass_does() -> None:
    """The policy is about bypasses alone."""
    walk = strict()
    challenge, browser, state = await at_the_prompt(walk)
    back = await browser.callback(state, duo_code=walk.duo.approve(state))
    assert code_of(back)
    assert (await walk.stands(challenge)).state is State.PROVEN


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ((), None),
        ((Detail.DEVICE,), DuoDetails(device="Alice's phone (XXX-XXX-0100)")),
        (tuple(Detail), SAID),
    ],
)
async def test_an_outcome_says_what_the_tenant_lets_out(
    details: tuple[Detail, ...], said: DuoDetails | None
) -> None:
    """Device, place, address and name are kept and published only where the tenant asks for them."""
    walk = Walk(
        a_tenant(challenge=ChallengeRules(return_urls=(RETURN_URL,), details=details)),
    )
    challenge, browser, state = await at_the_prompt(walk)
    await browser.callback(state, duo_code=walk.duo.answer(state, BYPASS))
    proof = (await walk.stands(challenge)).proof
    assert proof is not None
    assert proof.duo == said


async def test_a_report_of_fraud_denies_forgets_and_is_told(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The challenge is denied, every browser of the user forgotten, and the log says it in a warning."""
    walk = Walk()
    proven = a_proven_challenge(a_login(event_id="before"))
    await walk.open(a_login(event_id="before"))
    browser_then = remembered(proven.id, Remember(), walk.now)
    for change in (
        Change(challenge=replace(proven, revision=1)),
        Change(
            challenge=replace(proven, revision=2),
            remember=browser_then,
            remember_until=ends_at(browser_then, Remember()),
        ),
    ):
        assert await walk.store.settle([change]) == [True]
    assert len(await walk.store.remembered(ACME, ALICE)) == 1

    _, browser, state = await at_the_prompt(walk)
    page = await browser.callback(state, duo_code=walk.duo.answer(state, FRAUD))
    assert page.status_code == 403
    assert await walk.store.remembered(ACME, ALICE) == {}
    (result,) = await walk.results()
    assert (result.type, result.body.reason) == (
        ResultType.CHALLENGE_DENIED,
        Reason.FRAUD_REPORTED,
    )
    # However the process writes its log by now.
    written = [*"".join(capfd.readouterr()).splitlines(), *caplog.text.splitlines()]
    (told,) = [line for line in written if "challenge_ended" in line]
    assert "warning" in told.lower()
    assert "fraud_reported" in told


async def test_a_report_of_fraud_leaves_no_prompt_to_an_open_challenge() -> None:
    """Another login's link, open since before, leads to no prompt while the user is left alone."""
    walk = Walk()
    other = await walk.open(a_login(event_id="login-2"))
    _, browser, state = await at_the_prompt(walk)
    await browser.callback(state, duo_code=walk.duo.answer(state, FRAUD))
    page = await walk.browser().visit(other)
    assert (page.status_code, title_of(page)) == (429, "Too many prompts")
    stands = await walk.stands(other)
    assert (stands.state, stands.visits) == (State.PENDING, ())


@pytest.mark.parametrize("answer", [FRAUD, BYPASS, DuoRefusedError("no")])
async def test_a_report_of_fraud_counts_though_a_thief_has_ended_the_challenge(
    answer: DuoAnswer | DuoRefusedError,
) -> None:
    """A wrong return code ends a relayed challenge; the victim's report is heard, and nothing else is."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    ended = come_back(await walk.stands(challenge), "a wrong one", walk.now)
    assert await walk.store.settle([Change(challenge=ended)]) == [True]
    code = walk.duo.answer(state, answer)
    for _ in range(2):
        page = await browser.callback(state, duo_code=code)
        assert (page.status_code, title_of(page)) == (403, "The sign-in was denied")
    assert await walk.stands(challenge) == ended
    (standing,) = await walk.store.facts([a_login(event_id="the-next")])
    kinds = [one.kind for one in standing.facts.refusals]
    assert kinds == [Refused.LEFT, *([Refused.FRAUD] if answer is FRAUD else [])]


async def test_prompts_left_to_expire_count_as_refused() -> None:
    """Of three challenges that expire, two had a prompt open: those two were refused."""
    walk = Walk(a_tenant(push_budget=PushBudget(prompts=100)))
    for number in range(3):
        challenge = await walk.open(a_login(event_id=f"login-{number}"))
        if number:
            state_of(await walk.browser().visit(challenge))
    walk.pass_time(minutes=5)
    await walk.challenger.sweeper.sweep()
    ended = [result.body.reason for result in await walk.results()]
    assert ended == [Reason.NOT_BACK_IN_TIME] * 3
    (standing,) = await walk.store.facts([a_login(event_id="the-next")])
    assert [one.kind for one in standing.facts.refusals] == [Refused.LEFT] * 2


async def test_an_address_that_is_no_longer_allowed_gets_no_browser_and_no_code() -> None:
    """The return URL is checked again at the redirect, by the settings in force then."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    walk.directory.put(
        a_tenant(version=2, challenge=ChallengeRules(return_urls=("https://new.example.com/r",)))
    )
    page = await browser.callback(state, duo_code=walk.duo.approve(state))
    assert (page.status_code, title_of(page)) == (409, "There is no way back")
    assert RETURN_URL not in page.text
    assert "mfa_code" not in page.text
    assert (await walk.stands(challenge)).state is State.PROVEN
    # Allowed again, in time, and the same browser goes on where it stood.
    walk.directory.put(a_tenant(version=3))
    assert code_of(await browser.callback(state, duo_code="spent"))


async def test_no_page_leads_to_an_address_that_is_not_allowed() -> None:
    """A page of an ended challenge has no link back, either."""
    walk = Walk()
    challenge, browser, state = await at_the_prompt(walk)
    await browser.callback(state, error="access_denied")
    assert RETURN_URL in (await browser.visit(challenge)).text
    walk.directory.put(a_tenant(version=2, challenge=ChallengeRules()))
    assert RETURN_URL not in (await browser.visit(challenge)).text


async def test_below_a_listed_beginning_a_browser_goes_back() -> None:
    """A tenant that lists the beginning of a path gets its browsers back below it."""
    below = ChallengeRules(return_urls=("https://shop.example.com/mfa/*",))
    walk = Walk(a_tenant(challenge=below))
    challenge = await walk.open(return_url="https://shop.example.com/mfa/basket/7?step=2")
    browser = walk.browser()
    state = state_of(await browser.visit(challenge))
    back = await browser.callback(state, duo_code=walk.duo.approve(state))
    assert back.headers["location"].startswith(
        "https://shop.example.com/mfa/basket/7?step=2&mfa_code="
    )
