"""What an attacker and a victim can do, in single steps; a row is made of these."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from countersign.core.challenge import Challenge
from countersign.core.errors import Defect
from countersign.core.identity import EventIdentity, Stage
from countersign.core.result import Assurance
from countersign.simulator.behaviour import Behaviour
from countersign.simulator.ledger import Kind
from countersign.wire.inbound import read_event
from tests.attacks.table import At, Expected, Row, Said
from tests.attacks.web import Browser, Seen
from tests.attacks.world import LIFETIME, World
from tests.builders import InboundRecord, a_login_record, a_return_record
from tests.duo_server import claims_of

_OWN_FAULTS: Final = frozenset(
    {
        *("unknown_state", "not_now", "unexpected", "publishing_failed", "sweeping_failed"),
        *(
            "event_failed_unexpectedly",
            "dead_letters_of_our_own_making",
            "wave_failed_unexpectedly",
        ),
    }
)
"""What is logged without a tenant, and counts as the row's own that is played at the moment."""
_LATE_SWEEP: Final = "outcomes_published_again"


class Login(NamedTuple):
    """A login that was published, and what was decided of it."""

    identity: EventIdentity
    subject: str
    record: InboundRecord
    said: Said
    challenge: str

    @property
    def link(self) -> str:
        """The path of its challenge."""
        return f"/c/{self.challenge}"


class Prompt(NamedTuple):
    """A browser that was sent to Duo."""

    login: Login
    browser: Browser
    address: str
    state: str
    nonce: str


class Scene:
    """Where a row is played.

    Args:
        world: the running system.
        row: the row.
    """

    def __init__(self, world: World, row: Row) -> None:
        self.world = world
        self.row = row
        self.logins: list[Login] = []
        self.last: Seen | None = None
        self.user = f"auth0|{row.tenant}"
        self._numbers = iter(range(1, 1_000))
        self._subjects = {self.user}
        self._browsers: list[Browser] = []
        self._logged = {name: len(lines) for name, lines in world.logs.lines().items()}
        self._asked_rogue = len(world.rogue.requests)

    # -- the relying party --

    async def login(
        self,
        *,
        subject: str | None = None,
        tenant: str | None = None,
        browser_id: str | None = None,
        event_id: str | None = None,
        **data: Any,  # noqa: ANN401  # a_login_record's own arguments
    ) -> Login:
        """Publish a login, and return it with its decision."""
        subject = subject or self.user
        self._subjects.add(subject)
        record = a_login_record(
            tenant=tenant or self.row.tenant,
            event_id=event_id or self.event_id(),
            subject=subject,
            browser_id=browser_id or self.browser_id(),
            **{"time": datetime.now(UTC), "expires_at": datetime.now(UTC) + LIFETIME, **data},
        )
        identity = read_event(*record).identity
        await self.world.bus.send(record)
        result = await self.world.results.of(identity, Stage.DECISION)
        said = (result.type, result.body.reason)
        challenge = (result.body.challenge_url or "")[-24:]
        login = Login(identity, subject, record, said, challenge)
        self.logins.append(login)
        return login

    async def returns(
        self,
        login: Login,
        code: str,
        *,
        event_id: str | None = None,
        **changes: Any,  # noqa: ANN401  # a_return_record's own arguments
    ) -> None:
        """Publish that a browser came back for a login with a code; return when that is settled."""
        self._keep("return code", code)
        given = {"tenant": login.identity.tenant, "subject": login.subject, **changes}
        record = a_return_record(
            event_id=event_id or self.event_id(),
            login_id=login.identity.event_id,
            code=code,
            time=datetime.now(UTC),
            **given,
        )
        await self.world.bus.send(record)
        await self.settled(given["tenant"], given["subject"])

    async def settled(self, tenant: str | None = None, subject: str | None = None) -> None:
        """Return when the decider has dealt with all of a user's events so far.

        Events of a user keep their order, so an event that is decided at once tells when.
        """
        record = a_login_record(
            tenant=tenant or self.row.tenant,
            event_id=self.event_id(),
            subject=subject or self.user,
            time=datetime.now(UTC),
            expires_at=datetime.now(UTC) - timedelta(minutes=1),
        )
        await self.world.bus.send(record)
        await self.world.results.of(read_event(*record).identity, Stage.DECISION)

    async def refused(self, record: InboundRecord) -> None:
        """Publish a record that can't be taken; return when it is a dead letter."""
        before = len(self._dead_letters())
        await self.world.bus.send(record)
        await self.world.bus.until(lambda: len(self._dead_letters()) > before)

    def event_id(self) -> str:
        """Return an id that no other event has."""
        return f"{self.row.tenant}-{next(self._numbers)}"

    def browser_id(self) -> str:
        """Return a relying party's id of a browser that it hasn't seen before."""
        return self._keep("browser id", f"browser-{secrets.token_hex(12)}")

    # -- browsers --

    def browser(self) -> Browser:
        """Open a browser without cookies."""
        self._browsers.append(self.world.browser())
        return self._browsers[-1]

    async def ask(self, browser: Browser, path: str, query: str = "", **how: Any) -> Seen:  # noqa: ANN401  # Browser.ask's
        """Let a browser ask a challenger; what it sees is what the row ends with so far."""
        self.last = seen = await browser.ask(path, query, **how)
        for value in browser.cookies.values():
            self._keep("cookie", value)
        if "mfa_code=" in seen.location:
            self._keep("return code", seen.return_code)
        return seen

    async def at_the_prompt(
        self, login: Login | None = None, browser: Browser | None = None, *, challenger: int = 0
    ) -> Prompt:
        """Let a browser open a challenge's link, which sends it to Duo; with a new login unless given."""
        login = login or await self.login()
        browser = browser or self.browser()
        seen = await self.ask(browser, login.link, challenger=challenger)
        assert seen.status == 303, (seen.status, seen.page)
        return self.prompt(login, browser, seen)

    def prompt(self, login: Login, browser: Browser, seen: Seen) -> Prompt:
        """Return the prompt that a browser was sent to."""
        query = parse_qs(urlsplit(seen.location).query)
        state = str(claims_of(query["request"][0])["state"])
        nonce = query["nonce"][0]
        self._keep("state", state)
        self._keep("random part of a state", state[24:])
        self._keep("nonce", nonce)
        self._keep("signed request", query["request"][0])
        return Prompt(login, browser, seen.location, state, nonce)

    async def comes_back(
        self,
        prompt: Prompt,
        parameters: dict[str, str],
        *,
        browser: Browser | None = None,
        challenger: int = 0,
    ) -> Seen:
        """Let a browser come back from Duo."""
        browser = browser or prompt.browser
        return await self.ask(browser, "/callback", urlencode(parameters), challenger=challenger)

    # -- Duo --

    async def duo(self, prompt: Prompt, behaviour: Behaviour) -> dict[str, str]:
        """Let the user do something at the simulator; return what the browser is to bring back.

        Nothing, where Duo sends it nowhere.
        """
        name = quote(prompt.login.subject, safe="")
        script = {"behaviour": behaviour.value}
        await self.world.duo.put(f"{self.world.simulator}/scripts/{name}", json=script)
        answer = await self.world.duo.get(prompt.address)
        query = parse_qs(urlsplit(answer.headers.get("location", "")).query)
        brought = {key: values[0] for key, values in query.items()}
        if "duo_code" in brought:
            self._keep("code of Duo", brought["duo_code"])
        return brought

    def says(self, prompt: Prompt, **claims: object) -> dict[str, str]:
        """Have the rogue Duo say what it likes of a user; `...` leaves a claim out."""
        subject = prompt.login.subject
        named = {"sub": subject, "preferred_username": subject, "nonce": prompt.nonce}
        self.world.rogue.claims = {**named, **claims}
        self.world.rogue_allowed.add(subject)
        return {"state": prompt.state, "duo_code": self.code()}

    def code(self) -> str:
        """Return a code that no Duo gave."""
        return self._keep("code of Duo", f"canary-code-{secrets.token_hex(12)}")

    # -- the whole way --

    async def proven(self, login: Login | None = None, browser: Browser | None = None) -> Prompt:
        """Let a browser go to the prompt, where the user approves, and come back with a return code."""
        prompt = await self.at_the_prompt(login, browser)
        await self.comes_back(prompt, await self.duo(prompt, Behaviour.APPROVE))
        return prompt

    async def passes(self, login: Login | None = None, browser: Browser | None = None) -> Login:
        """Let the rightful user go the whole way."""
        prompt = await self.proven(login, browser)
        await self.returns(prompt.login, self.seen.return_code)
        return prompt.login

    @property
    def seen(self) -> Seen:
        """What a browser saw last."""
        assert self.last is not None
        return self.last

    # -- what came of it --

    async def challenge(self, login: Login) -> Challenge | None:
        """Return a login's challenge as it stands."""
        if not login.challenge:
            return None
        (found,) = await self.world.bus.store.challenges([login.challenge])
        return found

    async def found(self, expected: Expected) -> Expected:
        """Return what has come of the row, once what is expected to be on the bus is there, or more."""
        for login, end in zip(self.logins, expected.ends, strict=True):
            if end is not None:
                await self.world.results.of(login.identity, Stage.OUTCOME)
        for subject in {(one.identity.tenant, one.subject) for one in self.logins}:
            await self.settled(*subject)
        outcomes = [
            self.world.results.so_far(login.identity, Stage.OUTCOME) for login in self.logins
        ]
        first = self.logins[0] if self.logins else None
        standing = await self.challenge(first) if first is not None else None
        browsers = (
            await self.world.bus.store.remembered(first.identity.tenant, first.subject)
            if first is not None
            else {}
        )
        return Expected(
            status=self.last.status if self.last is not None else None,
            page=self.last.page if self.last is not None else None,
            ends=tuple((one.type, one.body.reason) if one else None for one in outcomes),
            decisions=tuple(login.said for login in self.logins),
            state=standing.state if standing is not None else None,
            assurance=outcomes[0].body.assurance if outcomes and outcomes[0] else Assurance.NONE,
            logged=tuple(sorted(set(self._told()))),
            remembered=len(browsers),
            exchanges=await self._exchanges(),
            dead_letters=tuple(sorted(self._dead_letters())),
        )

    async def close(self) -> None:
        """Close the browsers, and have the rogue Duo behave again."""
        for browser in self._browsers:
            await browser.close()
        self.world.rogue.behaviour = self.world.rogue.well
        self.world.rogue.claims = {}
        self.world.rogue.key, self.world.rogue.algorithm = self.rogue_signs

    @property
    def rogue_signs(self) -> tuple[str, str]:
        """What the rogue Duo signs with when it behaves."""
        return self.world.accounts[At.ROGUE].client_secret or "", "HS512"

    def _told(self) -> list[str]:
        ids = {login.identity.event_id for login in self.logins}
        return [
            line["event"]
            for name, lines in self.world.logs.lines().items()
            for line in lines[self._logged[name] :]
            if line["level"] != "info" or line["event"] == "challenge_ended"
            if line["event"] != _LATE_SWEEP
            if line.get("tenant") == self.row.tenant
            or line.get("event_id") in ids
            or ("tenant" not in line and line["event"] in _OWN_FAULTS)
        ]

    async def _exchanges(self) -> int:
        asked = self.world.rogue.requests[self._asked_rogue :]
        forged = sum(one.path.endswith("/token") for one in asked)
        kinds = Counter(
            one.kind for one in await self.world.ledger() if one.username in self._subjects
        )
        return forged + kinds[Kind.EXCHANGED]

    def _dead_letters(self) -> list[Defect]:
        mine = f"{self.row.tenant}-".encode()
        return [
            letter.reason
            for letter in self.world.bus.dead_letters
            if any(
                name == "ce_id" and value.startswith(mine) for name, value in letter.headers or ()
            )
        ]

    def _keep(self, kind: str, secret: str) -> str:
        self.world.canaries.add(kind, secret)
        return secret
