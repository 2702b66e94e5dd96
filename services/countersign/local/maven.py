"""Download one jar from Maven's central repository, through the package that speaks its protocol."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from countersign.local.errors import INSTALL, StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from countersign.local.jars import Jar

ANSWER_SECONDS = 30


def fetch_from_maven(jar: Jar, directory: Path, received: Callable[[int], None]) -> Path:
    """Download a jar into an empty directory; see `countersign.local.jars.Fetch`.

    Raises:
        OSError, RuntimeError: The repository can't be reached, or doesn't have the jar.
        StackError: The package that speaks Maven is missing.
    """
    try:
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415  # slow, seldom needed
    except ImportError as exc:
        raise StackError(
            problem="Kafka's jars can't be downloaded: the Python package jgo is missing.",
            remedy=INSTALL,
        ) from exc

    @contextlib.contextmanager
    def report(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield received

    maven = MavenContext(
        resolver=PythonResolver(progress_callback=report),
        repo_cache=directory,
        timeout=ANSWER_SECONDS,
    )
    # The one artifact alone: jgo's resolver picks other versions of what it depends on.
    return Path(maven.create_dependency(jar.coordinate).artifact.resolve())
