"""Where the demo's logins are played and judged: a relying party, browsers, and what passes over the bus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.client import CountersignClient, LoginDecision, LoginOutcome
from countersign.core.identity import Stage as ResultStage
from countersign.core.identity import murmur2, result_id
from countersign.core.result import Reason, ResultType
from countersign.local.demo.browser import Arrival, a_browser
from countersign.local.demo.show import Show
from countersign.local.demo.tap import Seen, Tap
from countersign.local.demo.world import RETURN_URL, World
from countersign.wire.results import OutboundRecord, Result

PATIENCE: Final = timedelta(seconds=30)
LAPTOP: Final = "alices-laptop-4f2a9c"


class Stage:
    """Where scenes are played, and judged.

    Args:
        world: the services and their settings.
        client: a relying party.
        tap: what passes over the bus.
        show: what people see.
    """

    def __init__(self, world: World, client: CountersignClient, tap: Tap, show: Show) -> None:
        self.world = world
        self.client = client
        self.tap = tap
        self.show = show
        self.played = self.right = 0
        self._count = 0

    async def walks(
        self, login: LoginDecision, behaviour: str, expected: str | None = None
    ) -> Arrival:
        """Send a browser of its own to a login's challenge, where the user does what is said.

        Args:
            login: the challenged login.
            behaviour: what the user does at the prompt, in the simulator's words.
            expected: the title of the page that the walk has to end at; None: back at the relying party.
        """
        await self.script(login.result.body.subject, behaviour)
        async with a_browser(RETURN_URL) as browser:
            arrival = await browser.walk(login.challenge_url or "")
        self.arrived(arrival, expected)
        return arrival

    def arrived(self, arrival: Arrival, expected: str | None) -> None:
        """Show a page that a browser ended at, and whether it had to."""
        if arrival.code is None or expected is not None:
            right = arrival.code is None and arrival.title == expected
            self.played += 1
            self.right += right
            self.show.page(arrival.status, arrival.title, right=right)

    async def script(self, subject: str, behaviour: str) -> None:
        """Tell the simulator what a user does at the prompt."""
        address = f"{self.world.addresses.simulator}/scripts/{quote(subject, safe='')}"
        async with (
            aiohttp.ClientSession() as session,
            session.put(address, json={"behaviour": behaviour}) as response,
        ):
            response.raise_for_status()

    async def ends(
        self, title: str, expected: tuple[ResultType, Reason], login: LoginDecision
    ) -> None:
        """Wait for a challenge's outcome, which nobody asked for."""
        started = perf_counter()
        seen = await self.tap.result(result_id(login.result.identity, ResultStage.OUTCOME))
        said = seen.said
        right = isinstance(said, Result) and (said.type, said.body.reason) == expected
        self.judge(title, seen, perf_counter() - started, right=right)

    def judge(self, title: str, seen: Seen, seconds: float | None, *, right: bool) -> None:
        """Show what came, and keep the score."""
        self.played += 1
        self.right += right
        self.show.line(title, seen, seconds, right=right)

    async def publish(
        self, kind: str, key: bytes, value: bytes, *, source: str, event_id: str
    ) -> None:
        """Publish an event of acme's that the client has no call for, in CloudEvents' binary form."""
        headers = [
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_type", kind.encode()),
            ("ce_source", source.encode()),
            ("ce_id", event_id.encode()),
            ("ce_time", datetime.now(UTC).isoformat().encode()),
            ("ce_tenantid", b"acme"),
        ]
        settings = self.world.settings
        publisher = KafkaPublisher(kafka_connection(settings))
        topic = settings.login_events_topic
        try:
            await publisher.publish([OutboundRecord(topic, key, value, headers, murmur2(key))])
        finally:
            await publisher.close()

    def event_id(self) -> str:
        """Return an event id that was not used before."""
        self._count += 1
        return f"login-{self._count:04}"

    async def login(
        self,
        title: str,
        expected: tuple[ResultType, Reason],
        *,
        tenant: str = "acme",
        **changes: Any,  # noqa: ANN401  # a_login's own
    ) -> LoginDecision:
        """Play a login."""
        started = perf_counter()
        decision = await self.client.submit(
            a_login(**changes), event_id=self.event_id(), tenant=tenant, timeout=PATIENCE
        )
        await self._judge_answer(title, expected, decision, perf_counter() - started)
        return decision

    async def version_in_force(self, tenant: str) -> int:
        """Return the version of a tenant's settings that the decider has, from a login that isn't shown."""
        decision = await self.client.submit(
            a_login(user_id="auth0|nobody", browser_id=None),
            event_id=self.event_id(),
            tenant=tenant,
            timeout=PATIENCE,
        )
        return decision.result.body.settings_version

    async def comes_back(
        self,
        title: str,
        expected: tuple[ResultType, Reason],
        login: LoginDecision,
        code: str,
    ) -> LoginOutcome:
        """Play a browser's return."""
        started = perf_counter()
        outcome = await self.client.complete(
            login.event_id,
            code,
            user_id=login.result.body.subject,
            tenant=login.result.identity.tenant,
            timeout=PATIENCE,
        )
        await self._judge_answer(title, expected, outcome, perf_counter() - started)
        return outcome

    async def _judge_answer(
        self,
        title: str,
        expected: tuple[ResultType, Reason],
        answer: LoginDecision | LoginOutcome,
        seconds: float,
    ) -> None:
        seen = await self.tap.result(answer.result.id)
        right = (answer.result.type, answer.reason) == expected and seen.said == answer.result
        self.judge(title, seen, seconds, right=right)


def a_login(
    *,
    user_id: str = "auth0|alice",
    browser_id: str | None = LAPTOP,
    return_url: str = RETURN_URL,
    expires_at: datetime | None = None,
    email_verified: bool = True,
    **parts: object,
) -> dict[str, Any]:
    """Return a login as a relying party would publish it, in the shape of Auth0's post-login event."""
    login: dict[str, Any] = {"return_url": return_url}
    if browser_id is not None:
        login["browser_id"] = browser_id
    if expires_at is not None:
        login["expires_at"] = expires_at.isoformat()
    name = user_id.rpartition("|")[2]
    return {
        "user": {
            "user_id": user_id,
            "email": f"{name}@example.com",
            "email_verified": email_verified,
        },
        "client": {"client_id": "shop", "name": "The shop"},
        "login": login,
        "request": {"ip": "203.0.113.7", "method": "POST"},
        **parts,
    }
