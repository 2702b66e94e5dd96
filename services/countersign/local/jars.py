"""Have jars, Kafka's above all, in the user's cache: each downloaded once, used only if its digest is right.

Law: a jar stands under its name in the cache only when it's whole. It's downloaded beside its
place, checked and renamed; and it's checked again before every use, so a damaged one is replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from countersign.local.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from countersign.local.progress import Progress

CONNECTIONS = 4
ATTEMPTS = 3
LOCK_POLL_SECONDS = 0.1
STAGING = ".fetching-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One jar of the list: where it comes from and what it must be."""

    coordinate: str
    """Maven's `group:artifact:version`."""
    size: int
    """In bytes."""
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def is_whole(self, path: Path) -> bool:
        """Return whether a file is this jar, to the last byte."""
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:  # not there, or of no use
            return False


class Fetch(Protocol):
    """How a jar is downloaded: the seam where tests put their own source."""

    def __call__(self, jar: Jar, directory: Path, received: Callable[[int], None]) -> Path:
        """Download a jar into an empty directory and return its path.

        `received` is called with the bytes of each piece; what it raises ends the download.

        Raises:
            OSError, RuntimeError: The source can't be reached, or doesn't have the jar.
        """


class AbortedError(Exception):
    """The caller no longer wants the jars."""


def listed_jars() -> list[Jar]:
    """Return the jars that Kafka needs, from the list in this package."""
    return read_jars(
        files("countersign.local").joinpath("kafka-coordinates.txt").read_text("utf-8")
    )


def read_jars(text: str) -> list[Jar]:
    """Return the jars of a list: one a line, its coordinate, its size and its SHA-256."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return [
        Jar(coordinate=coordinate, size=int(size), sha256=sha256)
        for coordinate, size, sha256 in rows
    ]


def cache_directory() -> Path:
    """Return the directory where this user's programs keep what can be made again."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "countersign"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "countersign"
    return Path.home() / ".cache" / "countersign"


def ensure_jars(
    jars: Sequence[Jar],
    cache: Path,
    progress: Progress,
    *,
    aborted: threading.Event,
    fetch: Fetch,
) -> list[Path]:
    """Return the paths of the jars in the cache, after downloading those that are missing.

    It blocks for as long as that takes; processes that do it at the same time wait for each other.

    Args:
        jars: What is needed.
        cache: Where it's kept.
        progress: Hears of a download; nothing when all is there.
        aborted: Set by another thread to end a download before its time.
        fetch: How to download one.

    Raises:
        StackError: A jar can't be downloaded, or the cache can't be written.
        AbortedError: `aborted` was set.
    """
    paths = {jar: cache / jar.name for jar in jars}
    if all(jar.is_whole(path) for jar, path in paths.items()):
        return list(paths.values())
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache, aborted):
            # Another process may have brought them while this one waited.
            missing = [jar for jar in jars if not jar.is_whole(paths[jar])]
            if missing:
                download(missing, cache, progress, aborted, fetch)
    except OSError as exc:
        raise StackError(
            problem=f"Jars can't be kept in {cache}: {exc}",
            remedy="make that directory writable, or set XDG_CACHE_HOME to another one.",
        ) from exc
    return list(paths.values())


@contextlib.contextmanager
def locked(cache: Path, aborted: threading.Event) -> Iterator[None]:
    """Keep other processes from downloading into the cache meanwhile; the system frees the lock."""
    with (cache / ".lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if aborted.wait(LOCK_POLL_SECONDS):
                    raise AbortedError from None
            else:
                break
        yield


def download(
    jars: Sequence[Jar], cache: Path, progress: Progress, aborted: threading.Event, fetch: Fetch
) -> None:
    """Download jars into the cache, a few at a time; the caller holds the lock."""
    for left in cache.glob(f"{STAGING}*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    stop = threading.Event()

    def received(count: int) -> None:
        if aborted.is_set() or stop.is_set():
            raise AbortedError
        progress.advance(size=count)

    def bring(jar: Jar) -> None:
        download_one(jar, cache, fetch, received)
        progress.advance(jars=1)

    progress.start(jars=len(jars), size=sum(jar.size for jar in jars))
    try:
        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="jars") as pool:
            futures = [pool.submit(bring, jar) for jar in jars]
            done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
            stop.set()
            for future in waiting:
                future.cancel()
            errors = [error for future in done if (error := future.exception()) is not None]
        if errors:
            raise errors[0]
    finally:
        progress.end()


def download_one(jar: Jar, cache: Path, fetch: Fetch, received: Callable[[int], None]) -> None:
    """Download one jar beside its place, check it, and put it there."""
    problem = ""
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(dir=cache, prefix=STAGING) as staging:
            try:
                path = fetch(jar, Path(staging), received)
            except (OSError, RuntimeError) as exc:
                problem = f"{type(exc).__name__}: {exc}"
                continue
            if jar.is_whole(path):
                path.replace(cache / jar.name)
                return
            problem = "what was downloaded has another SHA-256 than the list says"
    raise StackError(
        problem=f"The jar {jar.coordinate} can't be downloaded ({problem}).",
        remedy="see whether this machine reaches Maven's central repository (a proxy is taken "
        "from HTTPS_PROXY), then start again: the jars that are there already are kept.",
    )
