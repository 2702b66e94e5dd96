"""Node and Java for tests in other languages than Python: what is installed, what is fetched, once.

Law: a language that isn't installed skips the test; packages that can't be fetched fail it on CI.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import pytest

from countersign.local import Silence, StackError
from countersign.local.jars import cache_directory, ensure_jars, read_jars
from countersign.local.maven import fetch_from_maven

JDK_LEAST: Final = 17
QUIET: Final = ("--no-audit", "--no-fund", "--ignore-scripts")
"""npm installs, and neither calls elsewhere nor runs what it has installed."""


class Node(NamedTuple):
    """The commands of Node."""

    node: str
    npm: str


class Jdk(NamedTuple):
    """The commands of a JDK."""

    java: str
    javac: str


def cannot(reason: str, *, missing: bool) -> NoReturn:
    """Skip the test; on CI only where the language itself is missing."""
    if os.environ.get("CI") == "true" and not missing:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def run(command: Sequence[str], directory: Path) -> str | None:
    """Return None where the command succeeds, else what it said."""
    done = subprocess.run(  # noqa: S603  # the tests' own commands
        command, cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )
    return None if done.returncode == 0 else done.stdout + done.stderr


def installed_node(*, least: int = 0) -> Node:
    """Return Node, of this major version at least; skip where there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        cannot("Node isn't installed", missing=True)
    if major([node, "--version"]) < least:
        cannot(f"Node is older than {least}", missing=True)
    return Node(node, npm)


def installed_jdk() -> Jdk:
    """Return a JDK that is new enough; skip where there is none."""
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        cannot("no JDK is installed", missing=True)
    if major([javac, "-version"]) < JDK_LEAST:
        cannot(f"the JDK is older than {JDK_LEAST}", missing=True)
    return Jdk(java, javac)


def major(command: Sequence[str]) -> int:
    """Return the first number that a command says."""
    said = subprocess.check_output(command, text=True)  # noqa: S603  # of the PATH
    return int(re.findall(r"\d+", said)[0])


def jar_cache() -> Path:
    """Return where jars are kept."""
    return cache_directory() / "jars"


def locked_packages(npm: str, directory: Path) -> Path:
    """Return a `node_modules` with what a directory's `package-lock.json` names, bytes and all.

    It's kept in the user's cache, whole or not at all, under the digest of the lock.
    """
    names = ("package.json", "package-lock.json")
    content = b"".join((directory / name).read_bytes() for name in names)
    kept = cache_directory() / f"npm-{hashlib.sha256(content).hexdigest()[:12]}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".npm-") as name:
            staging = Path(name) / "packages"
            staging.mkdir()
            for file in names:
                shutil.copy(directory / file, staging)
            if said := run([npm, "ci", *QUIET], staging):
                cannot(f"npm can't install what {directory} names: {said}", missing=False)
            try:
                staging.rename(kept)
            except OSError:  # another process was first
                assert kept.exists()
    return kept / "node_modules"


def listed_packages(coordinates: Path) -> list[Path]:
    """Return the jars that a list names, from the user's cache, fetched if they aren't there."""
    jars = read_jars(coordinates.read_text("utf-8"))
    try:
        return ensure_jars(
            jars, jar_cache(), Silence(), aborted=threading.Event(), fetch=fetch_from_maven
        )
    except StackError as error:
        cannot(str(error), missing=False)
