"""One of Duo's SDKs in its own language, in a process that is asked over its standard streams.

Law: the SDK is Duo's own, as its registry has it, byte by byte; only whom it trusts is told.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)

from tests.languages import installed_jdk, installed_node, listed_packages, locked_packages, run

HERE: Final = Path(__file__).parent
NODE_LEAST: Final = 20
"""What Duo's SDK for Node asks for (`engines` of its package)."""
PATIENCE: Final = 60.0
"""Seconds that an SDK may take for an answer."""
TRUSTED: Final = "a-made-up-password"


class Answer(NamedTuple):
    """What an SDK returned or raised.

    Attributes:
        result: what it returned; None: it raised something.
        error: the name of what it raised.
        message: what that says.
        cause: what its cause says, if there is one.
    """

    result: Any = None
    error: str | None = None
    message: str | None = None
    cause: str | None = None

    @property
    def said(self) -> str:
        """The error in one line, for comparison."""
        return f"{self.error}: {self.message}" + (f" ({self.cause})" if self.cause else "")


class Said(NamedTuple):
    """Part of what each SDK says; None: it notices nothing.

    Attributes:
        node: the SDK for Node.
        java: the SDK for Java.
    """

    node: str | None
    java: str | None

    def by(self, name: str) -> str | None:
        """Return what the SDK of a language says."""
        said: str | None = getattr(self, name)
        return said


NO_BODY: Final = (
    "NullPointerException: Cannot invoke"
    ' "com.duosecurity.model.HealthCheckResponse.wasSuccess()" because "response" is null'
)
"""Duo's SDK for Java reads no body of a health check that fails, and forgets that there is none then."""


class Sdk:
    """A running harness.

    Args:
        name: of its language.
        process: answers each line with a line.
        trust: the options of a client that make it trust the simulator.
        says_port: whether it can call a host with a port.
    """

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[str],
        trust: Mapping[str, object],
        *,
        says_port: bool,
    ) -> None:
        self.name = name
        self.trust = trust
        self.says_port = says_port
        self._process = process

    def says(self, answer: Answer, said: Said) -> None:
        """Assert that this SDK answers as it's known to."""
        expected = said.by(self.name)
        if expected is None:
            assert answer.error is None, answer.said
        else:
            assert answer.result is None, answer.result
            assert expected in answer.said

    async def ask(self, call: str, options: Mapping[str, object], **given: object) -> Answer:
        """Call a method of a client of the SDK's with these options; return what came of it."""
        command = json.dumps({"call": call, "options": options, **given})
        try:
            async with asyncio.timeout(PATIENCE):
                line = await asyncio.to_thread(self._ask, command)
        except TimeoutError:
            self._process.kill()  # the thread waits for its answer
            raise
        assert line, f"the harness in {self.name} has ended"
        return Answer(**json.loads(line))

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def node_command(directory: Path, _: Path) -> list[str]:
    """Lay the Node harness beside its packages; return the command that runs it."""
    node, npm = installed_node(least=NODE_LEAST)
    packages = locked_packages(npm, HERE / "node")
    harness = directory / "harness.mjs"
    harness.write_bytes((HERE / "node" / "harness.mjs").read_bytes())
    (directory / "node_modules").symlink_to(packages)
    return [node, str(harness)]


def node_trust(authority: Path) -> Mapping[str, object]:
    """Return the option that the Node harness makes the SDK trust an authority by."""
    return {"ca_file": str(authority)}


def java_command(directory: Path, authority: Path) -> list[str]:
    """Compile the Java harness; return the command that runs it with an authority to trust."""
    java, javac = installed_jdk()
    jars = os.pathsep.join(map(str, listed_packages(HERE / "java" / "duo-coordinates.txt")))
    source = str(HERE / "java" / "Harness.java")
    said = run([javac, "-Xlint:all", "-Werror", "-d", ".", "-cp", jars, source], directory)
    assert said is None, said
    store = directory / "trusted.p12"
    trusted = PKCS12Certificate(_certificate(authority), b"simulator")
    store.write_bytes(
        serialize_java_truststore([trusted], BestAvailableEncryption(TRUSTED.encode()))
    )
    options = [
        f"-Djavax.net.ssl.trustStore={store}",
        f"-Djavax.net.ssl.trustStorePassword={TRUSTED}",
    ]
    return [java, *options, "-cp", os.pathsep.join([str(directory), jars]), "Harness"]


def java_trust(authority: Path) -> Mapping[str, object]:
    """Return the pin of an authority's key, as OkHttp writes it."""
    key = _certificate(authority).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {"pins": [f"sha256/{base64.b64encode(hashlib.sha256(spki).digest()).decode()}"]}


class Language(NamedTuple):
    """How an SDK is run, and how it's made to trust the simulator."""

    command: Callable[[Path, Path], Sequence[str]]
    trust: Callable[[Path], Mapping[str, object]]
    says_port: bool


LANGUAGES: Final[Mapping[str, Language]] = {
    "node": Language(node_command, node_trust, says_port=True),
    "java": Language(java_command, java_trust, says_port=False),
}


@contextmanager
def running(name: str, directory: Path, authority: Path) -> Iterator[Sdk]:
    """Run a language's harness, with its files in an empty directory."""
    language = LANGUAGES[name]
    process = subprocess.Popen(  # noqa: S603  # the harness's own command
        language.command(directory, authority),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with process:
        try:
            yield Sdk(name, process, language.trust(authority), says_port=language.says_port)
        finally:
            process.kill()


def _certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())
