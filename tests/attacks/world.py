"""The running system that is attacked: a decider, two challengers and two Duos, each a process or a server.

Every row has a tenant of its own, so that no breaker, budget or cached answer of one reaches another. The
challengers' environment names a proxy and a netrc file that would spoil every call to Duo, if they counted.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import msgspec
import trustme
from redis.asyncio import Redis

from countersign.adapters.publishing import writing, writing_actions
from countersign.core.tenant import ChallengeRules, Factors, Mfa, Policy
from countersign.local.ports import HOST, free_port
from countersign.local.services import Program, probed_service, service
from countersign.simulator.ledger import Entry
from countersign.wire.actions_file import ActionDraft, FlowDraft
from countersign.wire.tenant_file import DuoDraft, TenantDraft
from tests.attacks.canaries import Canaries
from tests.attacks.logs import Logs
from tests.attacks.results import Results
from tests.attacks.table import At, Row
from tests.attacks.web import Browser, Seen
from tests.builders import GLOBEX, RETURN_URL
from tests.bus import Bus, open_bus
from tests.duo_server import CLIENT_ID, SECRET, Authority, DuoServer, serving
from tests.faults.processes import ROOT

if TYPE_CHECKING:
    from countersign.local import Stack
    from countersign.local.server import Server

LIFETIME: Final = timedelta(seconds=20)
"""Of a login: what nobody ends has expired so long after its row, and is waited for in the end."""
DUO_TIMEOUT: Final = timedelta(seconds=4)
_DATABASE: Final = 15
"""Of the store: sweepers share the deadlines of a database, so this one is the attacks' alone."""
_TOLD: Final = (
    *("kafka_bootstrap", "redis_url", "login_events_topic", "mfa_results_topic"),
    *("dead_letters_topic", "tenant_settings_topic", "group_id", "public_url"),
)
ACCESS_TOKEN: Final = "canary-access"  # the rogue Duo's, made up
NETRC: Final = ("canary-netrc-login-4711", "canary-netrc-password-4711")


@dataclass(frozen=True, slots=True)
class World:
    """What a row meets.

    Attributes:
        bus: the bus, its settings and its store.
        rogue: the Duo that says whatever a row likes.
        simulator: the other Duo's plain address, for scripts and the ledger.
        processes: the services under attack, by name.
        ports: the challengers' ports.
        trust: the authorities that browsers trust.
        accounts: Duo accounts by what they are for.
        duo: goes to Duo for the browsers.
        album: whatever browsers saw.
        canaries: what must not be seen anywhere.
        logs: what the services under attack log.
        results: what the bus has said of each login.
        redis_user: the services' name and password at the store.
        rogue_allowed: the users whom the rogue Duo has allowed.
        played: the rows that were played.
    """

    bus: Bus
    rogue: DuoServer
    simulator: str
    processes: Mapping[str, Server]
    ports: tuple[int, int]
    trust: ssl.SSLContext
    accounts: Mapping[At, DuoDraft]
    duo: httpx.AsyncClient
    canaries: Canaries
    logs: Logs
    results: Results
    redis_user: tuple[str, str]
    album: list[Seen] = field(default_factory=list)
    rogue_allowed: set[str] = field(default_factory=set)
    played: set[str] = field(default_factory=set)

    def browser(self) -> Browser:
        """Return a browser without cookies."""
        return Browser(self.trust, self.ports, self.album)

    async def ledger(self) -> list[Entry]:
        """Return what happened at the simulator."""
        answer = await self.duo.get(f"{self.simulator}/ledger")
        return msgspec.json.decode(answer.content, type=list[Entry])

    async def metrics(self) -> dict[str, str]:
        """Return the metrics pages."""
        return {
            name: (await self.duo.get(f"http://{HOST}:{one.port}/metrics")).text
            for name, one in self.processes.items()
            if name != "simulator"
        }

    def draft(self, tenant: str, at: At, changes: Mapping[str, object]) -> TenantDraft:
        """Return a tenant's settings: Duo alone, due at every login."""
        draft = TenantDraft(
            source="attacks",
            tenant=tenant,
            duo=self.accounts[at],
            factors=Factors(duo=True),
            mfa=Mfa(policy=Policy.ALL_APPLICATIONS),
            challenge=ChallengeRules(return_urls=(RETURN_URL,)),
        )
        return msgspec.structs.replace(draft, **changes)

    async def settle(self, drafts: list[TenantDraft]) -> None:
        """Put tenants' settings in force."""
        async with writing(self.bus.settings) as writer:
            await writer.apply(drafts)


@asynccontextmanager
async def open_world(stack: Stack, directory: Path, rows: Iterable[Row]) -> AsyncIterator[World]:
    """Start everything, its logs in a directory; each row's tenant is in force."""
    async with AsyncExitStack() as cleanup:
        authority, stranger = Authority(directory), Authority(directory, "stranger.pem")
        rogue = cleanup.enter_context(serving(authority.context()))
        impostor = cleanup.enter_context(serving(stranger.context()))
        ports, duo_port, plain, nowhere = (free_port(), free_port()), *(free_port() for _ in "abc")
        settings_key = base64.b64encode(secrets.token_bytes(32)).decode()
        bus = await cleanup.enter_async_context(
            open_bus(
                stack,
                redis_url=f"{stack.redis_url.rpartition('/')[0]}/{_DATABASE}",
                public_url=f"https://localhost:{ports[0]}",
                settings_key=settings_key,
            )
        )
        known = DuoDraft(
            client_id="DI" + secrets.token_hex(9).upper(),
            client_secret=secrets.token_hex(20),
            api_host=f"localhost:{duo_port}",
        )
        simulator = _simulator(directory, known, duo_port, plain)
        cleanup.push_async_callback(simulator.stop)
        await simulator.start()
        redis_user = await cleanup.enter_async_context(_redis_user(stack))
        files = _files(bus, directory, settings_key, redis_user)
        environment = {
            **{f"COUNTERSIGN_{one.upper()}": str(getattr(bus.settings, one)) for one in _TOLD},
            "COUNTERSIGN_SECRETS_DIR": str(files / "secrets"),
            "COUNTERSIGN_REDIS_USERNAME": redis_user[0],
            "COUNTERSIGN_KAFKA_SESSION_TIMEOUT": "PT6S",
            "COUNTERSIGN_DUO_HOSTS": (
                f"{known.api_host},{rogue.host},{impostor.host},localhost:{nowhere}"
            ),
            "COUNTERSIGN_DUO_CA_FILE": str(files / "trusted.pem"),
            "COUNTERSIGN_DUO_TIMEOUT": f"PT{DUO_TIMEOUT.seconds}S",
            "COUNTERSIGN_SWEEP_INTERVAL": "PT0.2S",
            "COUNTERSIGN_CHALLENGER_CERT_FILE": str(files / "web.pem"),
            "COUNTERSIGN_CHALLENGER_KEY_FILE": str(files / "web-key.pem"),
        }
        processes = {
            "decider": probed_service(
                directory, "decider", ("-m", "countersign", "decider"), environment
            ),
            **{
                name: probed_service(
                    directory,
                    name,
                    ("-m", "countersign", "challenger"),
                    {**environment, **_traps(files), "COUNTERSIGN_CHALLENGER_PORT": str(port)},
                )
                for name, port in zip(("challenger", "challenger-2"), ports, strict=True)
            },
        }
        trust = ssl.create_default_context(cafile=files / "trusted.pem")
        rogue_account = DuoDraft(client_id=CLIENT_ID, client_secret=SECRET, api_host=rogue.host)
        world = World(
            bus=bus,
            rogue=rogue,
            simulator=f"http://{HOST}:{plain}",
            processes={**processes, "simulator": simulator},
            ports=ports,
            trust=trust,
            accounts={
                At.SIMULATOR: known,
                At.ROGUE: rogue_account,
                At.IMPOSTOR: _moved(rogue_account, impostor.host),
                At.NOWHERE: _moved(known, f"localhost:{nowhere}"),
                At.ELSEWHERE: _moved(known, "evil.example.net"),
                At.WRONG_SECRET: msgspec.structs.replace(
                    known, client_secret=secrets.token_hex(20)
                ),
            },
            duo=await cleanup.enter_async_context(httpx.AsyncClient(verify=trust, trust_env=False)),
            canaries=Canaries(),
            results=Results(bus),
            logs=Logs({name: one.log for name, one in processes.items()}),
            redis_user=redis_user,
        )
        _plant(world, settings_key)
        await world.settle(
            [
                world.draft(GLOBEX, At.SIMULATOR, {}),
                *(world.draft(row.tenant, row.at, row.settings) for row in rows),
            ]
        )
        async with writing_actions(bus.settings) as writer:
            for row in rows:
                if row.flow:
                    await writer.deploy(
                        FlowDraft(
                            source="attacks",
                            tenant=row.tenant,
                            actions=tuple(
                                ActionDraft(name=name, source=source)
                                for name, source in row.flow.items()
                            ),
                        )
                    )
        for process in processes.values():
            cleanup.push_async_callback(process.stop)
        await asyncio.gather(*(process.start() for process in processes.values()))
        yield world


def _simulator(directory: Path, account: DuoDraft, port: int, plain: int) -> Server:
    secret = directory / "duo-secret"
    secret.write_text(account.client_secret or "")
    arguments = (
        *("-m", "countersign", "simulator", "--port", str(port), "--http-port", str(plain)),
        *("--client-id", account.client_id, "--client-secret-file", str(secret)),
        *("--directory", str(directory / "duo")),
    )
    return service(directory, Program(name="simulator", arguments=arguments, port=plain), {})


@asynccontextmanager
async def _redis_user(stack: Stack) -> AsyncIterator[tuple[str, str]]:
    """Make a user at the store with the rights that operators are told to give, and no others."""
    told = (ROOT / "docs" / "operations.md").read_text("utf-8")
    rights = re.search(r"`(~\{\*\}:\*[^`]*)`", told)
    assert rights is not None
    name, password = f"attacked-{secrets.token_hex(4)}", secrets.token_hex(16)
    async with Redis.from_url(stack.redis_url) as redis:
        command = ("ACL", "SETUSER", name, "reset", "on", f">{password}", *rights[1].split())
        await redis.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py's own
        try:
            yield name, password
        finally:
            await redis.execute_command("ACL", "DELUSER", name)  # type: ignore[no-untyped-call]  # likewise


def _files(bus: Bus, directory: Path, settings_key: str, redis_user: tuple[str, str]) -> Path:
    """Write what processes are told in files: their keys, their certificate, whom to trust."""
    kept = directory / "secrets"
    kept.mkdir(mode=0o700)
    identifier_key = bus.settings.identifier_key
    assert identifier_key is not None
    (kept / "countersign_identifier_key").write_text(identifier_key.get_secret_value())
    (kept / "countersign_settings_key").write_text(settings_key)
    (kept / "countersign_redis_password").write_text(redis_user[1])
    web = trustme.CA()
    leaf = web.issue_cert("localhost")
    leaf.cert_chain_pems[0].write_to_path(directory / "web.pem")
    leaf.private_key_pem.write_to_path(directory / "web-key.pem")
    authorities = [(directory / one).read_bytes() for one in ("duo/ca.pem", "ca.pem")]
    (directory / "trusted.pem").write_bytes(b"\n".join([*authorities, web.cert_pem.bytes()]))
    login, password = NETRC
    (directory / "netrc").write_text(f"machine localhost login {login} password {password}\n")
    return directory


def _traps(files: Path) -> dict[str, str]:
    """Return what an attacker who can set an environment variable would set."""
    proxy = f"http://{HOST}:9"  # nobody listens there
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    return {**dict.fromkeys(names, proxy), "NETRC": str(files / "netrc")}


def _moved(account: DuoDraft, host: str) -> DuoDraft:
    return msgspec.structs.replace(account, api_host=host)


def _plant(world: World, settings_key: str) -> None:
    """Note the deployment's own secrets: none of them is ever seen again."""
    identifier_key = world.bus.settings.identifier_key
    assert identifier_key is not None
    for name, key in (
        ("identifier key", identifier_key.get_secret_value()),
        ("settings key", settings_key),
    ):
        world.canaries.add(name, key)
        world.canaries.add(name, base64.b64decode(key))
    for account in world.accounts.values():
        world.canaries.add("client secret", account.client_secret or "")
    world.canaries.add("password", world.redis_user[1])
    for secret in NETRC:
        world.canaries.add("netrc", secret)
    world.canaries.add("access token", ACCESS_TOKEN)
    # A dead letter is the event as it came.
    for kind in ("return code", "browser id"):
        world.canaries.allow(kind, "login-events", "login-events-dlq")
