"""TLS and logins, live: the right certificate is taken, a wrong one never."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.topics import create_topics, describe_topics
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.core.errors import BusUnavailableError, StoreUnavailableError
from countersign.local import Silence
from countersign.local.jars import cache_directory
from countersign.local.java import packaged_java
from countersign.local.kafka import kafka_server
from countersign.local.ports import HOST, free_port
from countersign.local.stack import kafka_jars
from countersign.local.training import trained
from countersign.settings import Settings, load_settings
from countersign.wire.results import OutboundRecord

if TYPE_CHECKING:
    from countersign.local import Stack

KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
PASSWORD = "made-up-for-this-test"


class Certificates(NamedTuple):
    """Files in PEM: an authority, a server's key and certificate by it, and another authority."""

    authority: Path
    server: Path
    key: Path
    stranger: Path


@pytest.fixture
def certificates() -> Iterator[Certificates]:
    """Certificates for the loopback address, made on the spot."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        authority, stranger = trustme.CA(), trustme.CA()
        issued = authority.issue_cert(HOST)
        found = Certificates(home / "ca", home / "server", home / "key", home / "stranger")
        authority.cert_pem.write_to_path(str(found.authority))
        stranger.cert_pem.write_to_path(str(found.stranger))
        found.server.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        found.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,  # the only form that Kafka reads
                serialization.NoEncryption(),
            )
        )
        yield found


@pytest.fixture
async def encrypted_redis(stack: Stack, certificates: Certificates) -> AsyncIterator[str]:
    """The stack's Valkey behind TLS, as behind a proxy: the packaged program has none of its own."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, stack.valkey_server.port)
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    server = await asyncio.start_server(serve, HOST, 0, ssl=context)
    async with server:
        yield f"rediss://{HOST}:{server.sockets[0].getsockname()[1]}/0"


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@pytest.fixture
async def encrypted_kafka(certificates: Certificates) -> AsyncIterator[str]:
    """A Kafka with a listener that wants TLS and a login."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        java = replace(packaged_java(), jars=await kafka_jars(Silence()))
        java = await trained(java, cache_directory(), Silence())
        plain = free_port()
        server = await kafka_server(home, plain, java)
        store = home / "keystore.pem"
        store.write_bytes(certificates.key.read_bytes() + certificates.server.read_bytes())
        properties = home / "kafka" / "server.properties"
        login = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required"
            f' username="countersign" password="{PASSWORD}" user_countersign="{PASSWORD}";'
        )
        lines = properties.read_text().replace(
            f"PLAINTEXT://{HOST}:{plain}", f"PLAINTEXT://{HOST}:{plain},SASL_SSL://{HOST}:{port}"
        )
        lines = lines.replace(
            "map=PLAINTEXT:PLAINTEXT,", "map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,"
        )
        lines += "sasl.enabled.mechanisms=PLAIN\n"
        lines += f"listener.name.sasl_ssl.plain.sasl.jaas.config={login}\n"
        lines += f"ssl.keystore.type=PEM\nssl.keystore.location={store}\n"
        properties.write_text(lines)
        await server.start()
        yield f"{HOST}:{port}"
        await server.kill()


def settings(**given: object) -> Settings:
    """Return the settings of a process that is given these."""
    return load_settings(identifier_key=KEY, **given)


async def test_redis_over_tls(encrypted_redis: str, certificates: Certificates) -> None:
    """Redis is spoken to over TLS; a certificate of another authority is refused."""
    for authority, fits in ((certificates.authority, True), (certificates.stranger, False)):
        chosen = settings(redis_url=encrypted_redis, redis_ca_file=authority)
        client = connect_redis(chosen)
        try:
            if fits:
                await redis_store(chosen, client).verify()
                assert await redis_store(chosen, client).challenges(["00" + "A" * 22]) == [None]
            else:
                with pytest.raises(StoreUnavailableError):
                    await redis_store(chosen, client).verify()
        finally:
            await client.aclose()


async def test_kafka_over_tls_with_a_login(
    encrypted_kafka: str, certificates: Certificates
) -> None:
    """Kafka is spoken to over TLS with a login; a wrong authority or password gets nowhere."""

    def chosen(authority: Path, password: str) -> Settings:
        return settings(
            kafka_bootstrap=encrypted_kafka,
            kafka_security="sasl_ssl",
            kafka_ca_file=authority,
            kafka_sasl_mechanism="PLAIN",
            kafka_sasl_username="countersign",
            kafka_sasl_password=password,
        )

    right = chosen(certificates.authority, PASSWORD)
    names = topic_names(right)
    await create_topics(kafka_connection(right), names, partitions=1, replication_factor=1)
    publisher = KafkaPublisher(kafka_connection(right))
    await publisher.publish([OutboundRecord(names.mfa_results, b"k", b"v", [], 1)])
    await publisher.close()
    for wrong in (
        chosen(certificates.stranger, PASSWORD),
        chosen(certificates.authority, "another-password"),
    ):
        with pytest.raises(BusUnavailableError):
            await describe_topics(kafka_connection(wrong), names)
