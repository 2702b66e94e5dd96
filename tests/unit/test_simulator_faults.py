"""Injected faults, one by one: what a client meets, and what stays as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.duo_routes import TOKEN
from countersign.simulator.fault import NATURES, Endpoint, Fault, Moment
from countersign.simulator.forgery import WRONG_NONCE
from countersign.simulator.ledger import Kind
from countersign.simulator.misbehaviour import ELSEWHERE, HUGE
from tests.simulated import CLIENT_ID, HOST, NOON, SECRET, Browser, claims_of, code_of
from tests.waiting import eventually

pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")

NONCE = "n" * 36


async def ask(browser: Browser, endpoint: Endpoint, code: str = "code") -> Any:  # noqa: ANN401  # any answer
    """Ask an endpoint in a way that it would take."""
    if endpoint is Endpoint.HEALTH_CHECK:
        return await browser.check_health()
    if endpoint is Endpoint.AUTHORIZE:
        return await browser.authorize()
    return await browser.exchange(code)


def _duo_failure(code: int, message: str) -> Callable[[Any], bool]:
    return lambda answer: (
        answer.json()["stat"] == "FAIL"
        and (answer.json()["code"], answer.json()["message"]) == (code, message)
    )


def _oauth_error(error: str) -> Callable[[Any], bool]:
    return lambda answer: answer.json()["error"] == error


def _shows(text: str) -> Callable[[Any], bool]:
    return lambda answer: (
        text in answer.text and answer.headers["content-type"].startswith("text/html")
    )


def _says_ok(answer: Any) -> bool:  # noqa: ANN401  # any answer
    return bool(answer.json()["stat"] == "OK")


def _is_huge(answer: Any) -> bool:  # noqa: ANN401  # any answer
    return len(answer.content) > HUGE and _says_ok(answer)


def _leads_elsewhere(answer: Any) -> bool:  # noqa: ANN401  # any answer
    return bool(answer.headers["location"] == ELSEWHERE)


def _is_no_json(answer: Any) -> bool:  # noqa: ANN401  # any answer
    try:
        answer.json()
    except ValueError:
        return bool(answer.headers["content-type"].startswith("application/json"))
    return False


ANSWERS: list[tuple[Fault, tuple[Endpoint, ...], int, Callable[[Any], bool]]] = [
    (
        Fault.BAD_REQUEST,
        (Endpoint.HEALTH_CHECK,),
        400,
        _duo_failure(40002, "invalid_request"),
    ),
    (Fault.BAD_REQUEST, (Endpoint.TOKEN,), 400, _oauth_error("invalid_request")),
    (Fault.BAD_REQUEST, (Endpoint.AUTHORIZE,), 400, _shows("invalid_request")),
    (Fault.INVALID_CLIENT, (Endpoint.HEALTH_CHECK,), 400, _duo_failure(40002, "invalid_client")),
    (Fault.INVALID_CLIENT, (Endpoint.TOKEN,), 400, _oauth_error("invalid_client")),
    (Fault.INVALID_CLIENT, (Endpoint.AUTHORIZE,), 400, _shows("invalid_client")),
    (Fault.RATE_LIMITED, tuple(Endpoint), 429, _duo_failure(42901, "Too Many Requests")),
    (Fault.SERVER_ERROR, tuple(Endpoint), 500, _says_ok),
    (Fault.BAD_GATEWAY, tuple(Endpoint), 502, _shows("Bad Gateway")),
    (Fault.HTML, tuple(Endpoint), 200, _shows("nobody asked")),
    (Fault.NOT_JSON, (Endpoint.HEALTH_CHECK, Endpoint.TOKEN), 200, _is_no_json),
    (Fault.HUGE, tuple(Endpoint), 200, _is_huge),
    (Fault.REDIRECT, tuple(Endpoint), 302, _leads_elsewhere),
    (Fault.USED_CODE, (Endpoint.TOKEN,), 400, _oauth_error("invalid_grant")),
    (Fault.RESET, tuple(Endpoint), 500, _shows("cut connections")),
    (Fault.TRUNCATED, tuple(Endpoint), 500, _shows("cut connections")),
]
"""What is answered in place of Duo's own answer. The last two are shown where a server can cut."""


@pytest.mark.parametrize(
    ("fault", "endpoint", "status", "right"),
    [
        pytest.param(fault, endpoint, status, right, id=f"{fault}-{endpoint}")
        for fault, endpoints, status, right in ANSWERS
        for endpoint in endpoints
    ],
)
async def test_fault_in_place_of_an_answer(
    fault: Fault, endpoint: Endpoint, status: int, right: Callable[[Any], bool]
) -> None:
    """Each fault is met once, in its form, and noted; the next request is answered as ever."""
    browser = Browser()
    code = await browser.scripted("alice", Behaviour.APPROVE)
    browser.simulator.faults.inject(fault, endpoint)
    answer = await ask(browser, endpoint, code)
    assert answer.status_code == status
    assert right(answer)
    (struck,) = [each for each in browser.simulator.ledger if each.kind is Kind.FAULT_INJECTED]
    assert struck.fault == fault
    again = await ask(browser, endpoint, code)
    spent = fault is Fault.USED_CODE
    assert again.status_code == (400 if spent else 303 if endpoint is Endpoint.AUTHORIZE else 200)


def test_every_answer_is_in_the_table() -> None:
    """No fault that answers is left out above, nor one that bends a token below."""
    answered = {(fault, endpoint) for fault, endpoints, _, _ in ANSWERS for endpoint in endpoints}
    assert answered == {
        (fault, endpoint)
        for fault, nature in NATURES.items()
        for endpoint in nature.endpoints
        if nature.moment is Moment.ANSWER and fault is not Fault.HANG
    }
    bent = {fault for fault, nature in NATURES.items() if nature.moment is Moment.SIGNING}
    assert {fault for fault, _ in CLAIMS} | {fault for fault, _ in SIGNATURES} == bent


ISSUED = int(NOON.timestamp())
CLAIMS: list[tuple[Fault, Callable[[dict[str, Any]], bool]]] = [
    (Fault.WRONG_AUDIENCE, lambda said: said["aud"] != CLIENT_ID),
    (Fault.WRONG_ISSUER, lambda said: HOST not in said["iss"]),
    (Fault.WRONG_NONCE, lambda said: said["nonce"] == WRONG_NONCE),
    (Fault.NO_NONCE, lambda said: "nonce" not in said),
    (Fault.EXPIRED, lambda said: said["iat"] < said["exp"] == ISSUED - 3600),
    (Fault.ISSUED_IN_FUTURE, lambda said: said["iat"] == ISSUED + 3600 < said["exp"]),
    (
        Fault.OTHER_USER,
        lambda said: said["preferred_username"] == said["sub"] == "another-alice",
    ),
    (Fault.OTHER_CASE, lambda said: said["preferred_username"] == "ALICE"),
    (Fault.NO_USER, lambda said: "preferred_username" not in said),
    (
        Fault.DENY_WITH_200,
        lambda said: said["auth_result"]["result"] == said["auth_result"]["status"] == "deny",
    ),
    (Fault.NO_AUTH_RESULT, lambda said: "auth_result" not in said),
    (
        Fault.CONTRADICTORY_RESULT,
        lambda said: (
            (said["auth_result"]["result"], said["auth_result"]["status"]) == ("allow", "deny")
        ),
    ),
    (Fault.UNKNOWN_RESULT, lambda said: said["auth_result"]["result"] == "maybe"),
]
SIGNATURES: list[tuple[Fault, str]] = [
    (Fault.WRONG_SIGNATURE, "HS512"),
    (Fault.ALG_NONE, "none"),
    (Fault.ALG_HS256, "HS256"),
]


async def a_token(browser: Browser, user: str = "alice") -> str:
    """Return a token for a user who approved."""
    code = await browser.scripted(user, Behaviour.APPROVE, nonce=NONCE)
    answer = await browser.exchange(code)
    assert answer.status_code == 200
    return str(answer.json()["id_token"])


@pytest.mark.parametrize(("fault", "wrong"), CLAIMS, ids=[str(fault) for fault, _ in CLAIMS])
async def test_token_that_says_something_wrong(
    fault: Fault, wrong: Callable[[dict[str, Any]], bool]
) -> None:
    """The token is well signed, and wrong in what the fault names; a right token isn't."""
    browser = Browser()
    right = claims_of(await a_token(browser))
    assert not wrong(right)
    browser.simulator.faults.inject(fault)
    token = await a_token(browser)
    bent = jwt.decode(
        token,
        SECRET,
        algorithms=["HS512"],
        options=dict.fromkeys(("verify_exp", "verify_iat", "verify_aud"), False),  # type: ignore[arg-type]  # PyJWT's own names
    )
    assert wrong(bent)
    assert Kind.FAULT_INJECTED in browser.kinds()


@pytest.mark.parametrize(("fault", "algorithm"), SIGNATURES)
async def test_token_that_is_signed_wrong(fault: Fault, algorithm: str) -> None:
    """The token says what is right, and its signature proves nothing to who wants HS512."""
    browser = Browser()
    browser.simulator.faults.inject(fault)
    token = await a_token(browser)
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert claims_of(token)["auth_result"]["result"] == "allow"
    with pytest.raises(jwt.InvalidTokenError):
        jwt.decode(token, SECRET, algorithms=["HS512"], audience=CLIENT_ID)


async def test_name_without_letters_has_no_other_case() -> None:
    """Where a name has no other case, the token names somebody else, so that no test passes by chance."""
    browser = Browser()
    browser.simulator.faults.inject(Fault.OTHER_CASE)
    assert claims_of(await a_token(browser, "4711"))["preferred_username"] == "another-4711"


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize("seconds", [7200, -7200])
async def test_clock_that_differs(endpoint: Endpoint, seconds: float) -> None:
    """By the simulator's clock the client's is wrong: refused, as Duo refuses it; once."""
    browser = Browser()
    code = await browser.scripted("alice", Behaviour.APPROVE)
    browser.simulator.faults.inject(Fault.CLOCK_SKEW, endpoint, seconds=seconds)
    refused = await ask(browser, endpoint, code)
    assert refused.status_code == 400
    assert "invalid_client" in refused.text
    assert (await ask(browser, endpoint, code)).status_code in {200, 303}


async def test_small_skew_stamps_the_token() -> None:
    """A clock that is two minutes ahead takes the assertion, and stamps the token by itself."""
    browser = Browser()
    browser.simulator.faults.inject(Fault.CLOCK_SKEW, Endpoint.TOKEN, seconds=120)
    assert claims_of(await a_token(browser))["iat"] == ISSUED + 120
    browser.simulator.faults.inject(Fault.CLOCK_SKEW, Endpoint.HEALTH_CHECK, seconds=120)
    said = (await browser.check_health()).json()
    assert said["response"]["timestamp"] == ISSUED + 120


@pytest.mark.parametrize("endpoint", Endpoint)
async def test_slow_answer_is_an_answer(endpoint: Endpoint) -> None:
    """The answer is late and right."""
    browser = Browser()
    code = await browser.scripted("alice", Behaviour.APPROVE)
    browser.simulator.faults.inject(Fault.SLOW, endpoint, seconds=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await ask(browser, endpoint, code)).status_code in {200, 303}
    assert loop.time() - began >= 0.05


@pytest.mark.parametrize(
    ("fault", "seconds", "status"), [(Fault.HANG, None, 503), (Fault.SLOW, 600, 200)]
)
async def test_held_up_requests_end_with_the_simulator(
    fault: Fault, seconds: float | None, status: int
) -> None:
    """A request that hangs gets no answer; once the simulator stops, it is let go."""
    browser = Browser()
    browser.simulator.faults.inject(fault, Endpoint.HEALTH_CHECK, seconds=seconds)
    asking = asyncio.create_task(browser.check_health())
    await eventually(lambda: Kind.FAULT_INJECTED in browser.kinds())
    assert not asking.done()
    browser.simulator.stop()
    assert (await asking).status_code == status


async def test_faults_of_different_moments_add_up() -> None:
    """A slow answer can carry a bad token, too; of two answers only the older fault's is given."""
    browser = Browser()
    faults = browser.simulator.faults
    faults.inject(Fault.SLOW, Endpoint.TOKEN, seconds=0.001)
    faults.inject(Fault.NO_USER)
    assert "preferred_username" not in claims_of(await a_token(browser))
    faults.inject(Fault.BAD_GATEWAY, Endpoint.HEALTH_CHECK)
    faults.inject(Fault.RATE_LIMITED, Endpoint.HEALTH_CHECK)
    statuses = [(await browser.check_health()).status_code for _ in range(3)]
    assert statuses == [502, 429, 200]


async def test_token_fault_waits_for_a_token() -> None:
    """An exchange that is refused anyway doesn't use up a fault of the token."""
    browser = Browser()
    browser.simulator.faults.inject(Fault.NO_USER)
    assert (await browser.exchange("no-such-code")).status_code == 400
    assert [each.left for each in browser.simulator.faults] == [1]


async def test_fault_of_one_user_or_client_spares_others() -> None:
    """A fault for Bob strikes Bob alone, where his request or his code names him; so does a client's."""
    browser = Browser()
    faults = browser.simulator.faults
    faults.inject(Fault.BAD_GATEWAY, username="bob", times=None)
    alice = await browser.scripted("alice", Behaviour.APPROVE)
    browser.simulator.scripts["bob"] = Behaviour.APPROVE
    assert (await browser.authorize(duo_uname="bob")).status_code == 502
    assert (await browser.check_health()).status_code == 200
    assert (await browser.exchange(alice)).status_code == 200
    faults.clear()
    answer = await browser.authorize(duo_uname="bob")
    bob = code_of(answer.headers["location"])
    faults.inject(Fault.BAD_GATEWAY, Endpoint.TOKEN, username="bob", client_id=CLIENT_ID)
    assert (await browser.exchange("unknown")).status_code == 400
    assert (await browser.exchange(bob)).status_code == 502
    assert list(faults) == []


async def test_client_is_known_by_its_assertion_alone() -> None:
    """Where no client id is sent, the assertion says whose fault it is; where none is said, nobody's."""
    browser = Browser()
    browser.simulator.faults.inject(Fault.BAD_GATEWAY, client_id=CLIENT_ID)
    form = {"client_assertion": "e30.e30.e30"}
    assert (await browser.http.post(TOKEN, data=form)).status_code == 400
    form = {"client_assertion": browser.assertion(TOKEN)}
    assert (await browser.http.post(TOKEN, data=form)).status_code == 502
