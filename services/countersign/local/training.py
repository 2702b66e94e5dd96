"""Let Java learn Kafka's start once, so that every later start takes half the time.

Law: it only ever saves time. Java itself checks that what it learnt fits its version and the jars,
and starts the slow way when it doesn't; a training that fails is not an error.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from countersign.local.errors import StackError
from countersign.local.kafka import kafka_server
from countersign.local.ports import free_port

if TYPE_CHECKING:
    from countersign.local.java import Java
    from countersign.local.progress import Progress


async def trained(java: Java, cache: Path, progress: Progress) -> Java:
    """Return the same Java with what it learnt, after a training if there was none yet.

    A training starts a Kafka in a scratch directory, stops it, and waits for Java to write down
    what it loaded: about ten seconds, and a file of 70 MB in the cache.
    """
    archive = cache / f"kafka-{fingerprint(java)}.aot"
    if not archive.exists():
        await train(java, cache, archive, progress)
    # An empty archive says that the training led to nothing, so that it isn't tried at each start.
    useful = archive.exists() and archive.stat().st_size > 0
    return replace(java, recall=archive) if useful else java


def fingerprint(java: Java) -> str:
    """Return a name for this Java and these jars, as Java compares them: by time and size too."""
    jars = [
        (jar.name, status.st_size, status.st_mtime_ns)
        for jar in java.jars
        if (status := jar.stat())
    ]
    return hashlib.sha256(repr((java.version, jars)).encode()).hexdigest()[:12]


async def train(java: Java, cache: Path, archive: Path, progress: Progress) -> None:
    """Put what Java learns from one start into the archive, if it can be done."""
    # A cache that can't be written is no reason not to start, and whatever else stands in the way
    # is met again, and told, by the start that follows.
    with (
        contextlib.suppress(OSError, StackError),
        (cache / ".training-lock").open("w") as lock,
        tempfile.TemporaryDirectory(dir=cache, prefix=".training-") as name,
    ):
        # While another process trains, this one starts the slow way: the refusal is an OSError.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        progress.note("Preparing Kafka for quick starts, once (about 10 s)")
        scratch = Path(name)
        lesson = scratch / "kafka.aot"
        server = await kafka_server(scratch, free_port(), java, learn=lesson, discard=scratch)
        try:
            await server.start()
        finally:
            await server.stop()
        keep(lesson, archive)


def keep(lesson: Path, archive: Path) -> None:
    """Put a lesson, or an empty one if there is none, in the place of all earlier ones."""
    lesson.touch()
    for old in archive.parent.glob("kafka-*.aot"):
        if old != archive:
            old.unlink(missing_ok=True)
    lesson.replace(archive)
