"""Jars come into the cache whole or not at all, once, and are replaced when damaged."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import TYPE_CHECKING

import pytest

from countersign.local import Silence, StackError
from countersign.local.jars import (
    ATTEMPTS,
    AbortedError,
    Jar,
    cache_directory,
    ensure_jars,
    listed_jars,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = {f"org.example:part{n}:1.{n}": f"bytes of part {n}".encode() * 100 for n in range(6)}
JARS = [
    Jar(coordinate=coordinate, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    for coordinate, content in CONTENT.items()
]


class Repository:
    """A source of jars that counts what it's asked for, and fails as often as it's told to."""

    def __init__(self, *, failures: int = 0, damaged: int = 0) -> None:
        self.asked: list[str] = []
        self._failures = failures
        self._damaged = damaged

    def __call__(self, jar: Jar, directory: Path, received: Callable[[int], None]) -> Path:
        """Write the jar, or half of it before an error, or something else in its place."""
        self.asked.append(jar.coordinate)
        path = directory / "download"
        content = CONTENT[jar.coordinate]
        path.write_bytes(content[: len(content) // 2])
        received(len(content) // 2)
        if len(self.asked) <= self._failures:
            msg = "connection reset"
            raise ConnectionError(msg)
        path.write_bytes(b"an error page" if len(self.asked) <= self._damaged else content)
        return path


class Counter(Silence):
    """A progress that adds up."""

    def __init__(self) -> None:
        self.announced: tuple[int, int] | None = None
        self.jars = self.size = 0

    def start(self, *, jars: int, size: int) -> None:
        """Note what is announced."""
        self.announced = (jars, size)

    def advance(self, *, jars: int = 0, size: int = 0) -> None:
        """Add."""
        self.jars += jars
        self.size += size


def ensure(cache: Path, repository: Repository, progress: Silence | None = None) -> list[Path]:
    """Have all jars in a cache."""
    return ensure_jars(JARS, cache, progress or Silence(), aborted=Event(), fetch=repository)


def test_list_names_every_jar_once() -> None:
    """Each jar of the list has a file name, a size and a digest of its own."""
    jars = listed_jars()
    assert "kafka_2.13-4.2.2.jar" in {jar.name for jar in jars}
    assert len({jar.name for jar in jars}) == len({jar.sha256 for jar in jars}) == len(jars)
    assert all(jar.size > 0 and len(jar.sha256) == 64 for jar in jars)


def test_missing_jars_are_downloaded_in_the_order_of_the_list(tmp_path: Path) -> None:
    """An empty cache is filled, and the paths come in the list's order, each file whole."""
    paths = ensure(tmp_path / "deep" / "cache", Repository())
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())


def test_cached_jars_are_not_downloaded_and_nothing_is_shown(tmp_path: Path) -> None:
    """With all jars there nothing is asked for and no progress is announced."""
    ensure(tmp_path, Repository())
    repository, progress = Repository(), Counter()
    ensure(tmp_path, repository, progress)
    assert repository.asked == []
    assert progress.announced is None


@pytest.mark.parametrize("damage", [b"", b"wrong bytes", CONTENT[JARS[2].coordinate][:-1]])
def test_damaged_jar_alone_is_replaced(tmp_path: Path, damage: bytes) -> None:
    """A jar in the cache that isn't the listed one is fetched again, and no other is."""
    paths = ensure(tmp_path, Repository())
    paths[2].write_bytes(damage)
    repository = Repository()
    assert ensure(tmp_path, repository)[2].read_bytes() == CONTENT[JARS[2].coordinate]
    assert repository.asked == [JARS[2].coordinate]


def test_progress_counts_jars_and_bytes(tmp_path: Path) -> None:
    """What is announced is what is missing, and each jar is counted once."""
    (tmp_path / JARS[0].name).write_bytes(CONTENT[JARS[0].coordinate])
    progress = Counter()
    ensure(tmp_path, Repository(), progress)
    assert progress.announced == (5, sum(jar.size for jar in JARS[1:]))
    assert progress.jars == 5


def test_download_is_tried_again(tmp_path: Path) -> None:
    """A failure or a wrong file now and then doesn't end the download."""
    repository = Repository(failures=1, damaged=2)
    (path,) = ensure_jars(JARS[:1], tmp_path, Silence(), aborted=Event(), fetch=repository)
    assert len(repository.asked) == 3
    assert path.read_bytes() == CONTENT[JARS[0].coordinate]


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        (Repository(failures=100), "ConnectionError: connection reset"),
        (Repository(damaged=100), "another SHA-256"),
    ],
)
def test_hopeless_download_is_an_error_and_leaves_nothing_in_place(
    tmp_path: Path, repository: Repository, reason: str
) -> None:
    """After the last attempt the error says why and what to do, and no half jar is in the cache."""
    with pytest.raises(StackError, match=reason) as caught:
        ensure_jars(JARS[:1], tmp_path, Silence(), aborted=Event(), fetch=repository)
    assert "What to do: see whether this machine reaches" in str(caught.value)
    assert len(repository.asked) == ATTEMPTS
    assert list(tmp_path.glob("*.jar")) == []
    assert list(tmp_path.glob(".fetching-*")) == []


def test_remains_of_a_killed_download_are_cleared(tmp_path: Path) -> None:
    """What a killed process had half downloaded is neither used nor kept."""
    remains = tmp_path / ".fetching-killed"
    remains.mkdir()
    (remains / JARS[0].name).write_bytes(b"half")
    ensure(tmp_path, Repository())
    assert not remains.exists()


def test_two_at_once_download_once(tmp_path: Path) -> None:
    """Of two that find the cache empty at the same time, one downloads and both get the jars."""
    repository, together = Repository(), Barrier(2)

    def run(_: int) -> list[Path]:
        together.wait(timeout=10)
        return ensure(tmp_path, repository)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(run, range(2))
    assert first == second
    assert sorted(repository.asked) == sorted(CONTENT)


def test_download_ends_when_it_is_no_longer_wanted(tmp_path: Path) -> None:
    """Once aborted, a download ends at its next piece, with nothing put in place."""
    aborted = Event()
    aborted.set()
    with pytest.raises(AbortedError):
        ensure_jars(JARS, tmp_path, Silence(), aborted=aborted, fetch=Repository())
    assert list(tmp_path.glob("*.jar")) == []


def test_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """When the cache's directory can't be made, the error names it and the way out."""
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="XDG_CACHE_HOME"):
        ensure(tmp_path / "file" / "cache", Repository())


def test_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_CACHE_HOME decides where the cache is; without it, it's in the home directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "countersign"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert Path.home() in cache_directory().parents
