"""The demo's world: the stack, its topics and keys, the tenants, and how its services are told of them."""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.adapters.kafka.topics import create_topics
from countersign.adapters.publishing import writing
from countersign.core.tenant import (
    ChallengeRules,
    DuoUsername,
    Factors,
    Failmode,
    Mfa,
    Policy,
    PushBudget,
    Trust,
)
from countersign.local.ports import free_port
from countersign.local.stack import Stack, embedded_stack
from countersign.settings import Settings, load_settings
from countersign.wire.tenant_file import DuoDraft, SignalsDraft, TenantDraft

RETURN_URL: Final = "https://shop.example.com/return"
_PARTITIONS: Final = 4


@dataclass(frozen=True, slots=True)
class Addresses:
    """The ports of the web services, and what follows from them."""

    challenger: int
    duo: int
    duo_plain: int
    shop: int
    nothing: int
    """Nobody listens here: a Duo that is out of reach."""

    @property
    def public_url(self) -> str:
        """Where browsers reach the challenger."""
        return f"http://localhost:{self.challenger}"

    @property
    def api_host(self) -> str:
        """The simulator, as Duo's API host."""
        return f"localhost:{self.duo}"

    @property
    def simulator(self) -> str:
        """The simulator without TLS: what browsers are shown, and where users are scripted."""
        return f"http://localhost:{self.duo_plain}"

    @property
    def shop_url(self) -> str:
        """Where browsers reach the sample relying party."""
        return f"http://localhost:{self.shop}"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the demo plays in.

    Attributes:
        stack: Kafka and Valkey.
        settings: what its services are given.
        environment: the same as environment variables, without secrets; those are in files.
        addresses: where its web services are.
        duo_account: the account that the simulator knows: client id, and the file with its secret.
    """

    stack: Stack
    settings: Settings
    environment: Mapping[str, str]
    addresses: Addresses
    duo_account: tuple[str, Path]


@contextlib.asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    """Start the stack, create the topics, and put the tenants' settings in force."""
    async with contextlib.AsyncExitStack() as cleanup:
        stack = await cleanup.enter_async_context(embedded_stack())
        keys = {"identifier_key": _new_key(), "settings_key": _new_key()}
        addresses = Addresses(*(free_port() for _ in fields(Addresses)))
        client_id, client_secret = "DI" + secrets.token_hex(9).upper(), secrets.token_hex(20)
        secrets_directory = _keep(keys, stack.directory / "secrets")
        secret_file = stack.directory / "duo-secret"
        secret_file.write_text(client_secret)
        environment = {
            "COUNTERSIGN_KAFKA_BOOTSTRAP": stack.kafka,
            "COUNTERSIGN_REDIS_URL": stack.redis_url,
            "COUNTERSIGN_SECRETS_DIR": str(secrets_directory),
            "COUNTERSIGN_PUBLIC_URL": addresses.public_url,
            "COUNTERSIGN_CHALLENGER_PORT": str(addresses.challenger),
            "COUNTERSIGN_DUO_HOSTS": f"{addresses.api_host},localhost:{addresses.nothing}",
            "COUNTERSIGN_DUO_CA_FILE": str(stack.directory / "duo" / "ca.pem"),
            # The shortest that Kafka's own default allows, so that a killed worker is missed soon.
            "COUNTERSIGN_KAFKA_SESSION_TIMEOUT": "PT6S",
        }
        settings = load_settings(
            kafka_bootstrap=stack.kafka,
            redis_url=stack.redis_url,
            kafka_session_timeout=timedelta(seconds=6),
            public_url=addresses.public_url,
            **keys,
        )
        await create_topics(
            kafka_connection(settings),
            topic_names(settings),
            partitions=_PARTITIONS,
            replication_factor=1,
        )
        duo = DuoDraft(
            client_id=client_id, client_secret=client_secret, api_host=addresses.api_host
        )
        nowhere = msgspec.structs.replace(duo, api_host=f"localhost:{addresses.nothing}")
        async with writing(settings) as writer:
            await writer.apply(tenants(duo, nowhere, addresses))
        yield World(
            stack=stack,
            settings=settings,
            environment=environment,
            addresses=addresses,
            duo_account=(client_id, secret_file),
        )


def tenants(duo: DuoDraft, nowhere: DuoDraft, addresses: Addresses) -> list[TenantDraft]:
    """Return the demo's tenants; each has a rule of its own.

    Args:
        duo: the account at the simulator.
        nowhere: an account at a Duo that is out of reach.
        addresses: where the sample relying party is.
    """
    sole_duo = Factors(duo=True)
    always = Mfa(policy=Policy.ALL_APPLICATIONS)
    challenge = ChallengeRules(return_urls=(RETURN_URL, f"{addresses.shop_url}/return"))
    lenient = ChallengeRules(return_urls=(RETURN_URL,), failmode=Failmode.OPEN)
    source = "demo"
    return [
        TenantDraft(
            source=source,
            tenant="acme",
            duo=duo,
            factors=sole_duo,
            mfa=always,
            challenge=challenge,
            signals=SignalsDraft(trust=Trust.TOPIC),
        ),
        TenantDraft(
            source=source,
            tenant="globex",
            duo=duo,
            factors=sole_duo,
            mfa=Mfa(policy=Policy.CONFIDENCE_SCORE),
            challenge=challenge,
        ),
        TenantDraft(
            source=source,
            tenant="cyberdyne",
            duo=nowhere,
            factors=sole_duo,
            mfa=always,
            challenge=challenge,
        ),
        TenantDraft(
            source=source,
            tenant="soylent",
            duo=nowhere,
            factors=sole_duo,
            mfa=always,
            challenge=lenient,
        ),
        TenantDraft(source=source, tenant="initech", factors=Factors(otp=True), mfa=always),
        # What Auth0 has with Universal Login: Duo comes only from an Action.
        TenantDraft(
            source=source,
            tenant="wayne",
            duo=duo,
            factors=sole_duo,
            mfa=Mfa(policy=Policy.NEVER, universal_login=True),
            challenge=challenge,
        ),
        TenantDraft(source=source, tenant="hooli", mfa=Mfa(policy=Policy.NEVER)),
        TenantDraft(
            source=source,
            tenant="umbrella",
            duo=duo,
            factors=sole_duo,
            mfa=Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.EMAIL),
            challenge=msgspec.structs.replace(challenge, accept_bypass=False),
            push_budget=PushBudget(prompts=2, window=timedelta(minutes=10)),
        ),
    ]


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _keep(keys: Mapping[str, str], directory: Path) -> Path:
    directory.mkdir(mode=0o700)
    for name, key in keys.items():
        (directory / f"countersign_{name}").write_text(key)
    return directory
