"""Calls commands as people do: each a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from countersign.local import Stack
from tests.settings_bus import KEY, SECRET


class Finished(NamedTuple):
    """A process that has ended."""

    status: int | None
    out: str
    err: str


class Shell:
    """Calls `countersign` with an environment of its own."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = {**kept, "COLUMNS": "200", **environment}
        self.directory = directory
        self.canaries = [SECRET]
        """What no command may print."""

    @classmethod
    def of(cls, stack: Stack, settings_topic: str, directory: Path) -> Self:
        """Return a shell for the embedded servers, with topics of its own but for that of the settings."""
        run = uuid.uuid4().hex[:8]
        environment = {
            "COUNTERSIGN_KAFKA_BOOTSTRAP": stack.kafka,
            "COUNTERSIGN_REDIS_URL": stack.redis_url,
            "COUNTERSIGN_SETTINGS_KEY": b64encode(KEY).decode(),
            "COUNTERSIGN_TENANT_SETTINGS_TOPIC": settings_topic,
            "COUNTERSIGN_LOGIN_EVENTS_TOPIC": f"login-events-{run}",
            "COUNTERSIGN_MFA_RESULTS_TOPIC": f"mfa-results-{run}",
            "COUNTERSIGN_DEAD_LETTERS_TOPIC": f"login-events-dlq-{run}",
        }
        return cls(environment, directory)

    async def __call__(self, *arguments: str, **changes: str) -> Finished:
        """Run a command to its end."""
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "countersign"),
            *arguments,
            cwd=self.directory,
            env={**self.environment, **changes},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert not any(canary.encode() in out + err for canary in self.canaries)
        return Finished(process.returncode, out.decode(), err.decode())
