"""Law 11: `core` does no I/O, reads no clock and draws no random number; importing opens nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import countersign.core

CORE = Path(countersign.core.__file__).parent
MODULES = sorted(CORE.glob("*.py"))

MAY_IMPORT = {
    *(
        "__future__",
        "base64",
        "collections.abc",
        "datetime",
        "enum",
        "functools",
        "hashlib",
        "hmac",
        "ipaddress",
        "unicodedata",
    ),
    *("re", "struct", "typing", "urllib.parse", "uuid", "msgspec"),
}
"""All that core needs; nothing of it reaches outside of the process but what is named below."""

MAY_NOT_USE = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    *("datetime.fromtimestamp", "datetime.utcfromtimestamp", "date.fromtimestamp"),  # local zones
    *("uuid.uuid1", "uuid.uuid4", "uuid.getnode"),
    *("open", "print", "input", "exec", "eval", "__import__", "breakpoint"),
}

IO = {
    *("asyncio", "socket", "ssl", "select", "selectors", "http", "http.client", "urllib.request"),
    *("subprocess", "multiprocessing", "threading", "tempfile", "logging", "random", "secrets"),
    *("aiokafka", "faust", "mode", "redis", "aiohttp", "structlog", "prometheus_client"),
    *("pydantic", "cryptography", "duo_universal", "countersign.ports", "countersign.wire"),
}


@pytest.mark.law(11)
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_core_uses_nothing_from_outside(path: Path) -> None:
    """Law 11: no module of core imports or calls what does I/O, tells the time or draws numbers."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                imported = {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                imported = {module}
                assert not {f"{module}.{alias.name}" for alias in names} & MAY_NOT_USE
            case ast.Attribute() | ast.Name():
                used = ast.unparse(node)
                assert used not in MAY_NOT_USE, f"{path.name}:{node.lineno} uses {used}"
                continue
            case _:
                continue
        ours = {name for name in imported if name.startswith("countersign.core")}
        assert imported - ours <= MAY_IMPORT, f"{path.name}:{node.lineno} imports {imported}"


def in_a_new_process(program: str) -> str:
    """Return what a program prints in a process of its own."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-I", "-B", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.law(11)
def test_importing_core_brings_no_io_along() -> None:
    """Law 11: a process that has imported all of core has no socket, loop, bus, store or log in it."""
    imports = "".join(f"import countersign.core.{path.stem}\n" for path in MODULES)
    program = f"import json, sys\n{imports}print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(in_a_new_process(program)))
    assert "countersign.core.decision" in loaded
    assert not loaded & IO


WATCHED_IMPORT = """
import importlib, pkgutil, sys

opened = []

def watch(event, args):
    if event == "subprocess.Popen" and args[0] == "file":
        return  # croniter, which Faust brings along, asks for the machine's word size
    if event == "socket.bind" and args[1] == ("::1", 0):
        return  # urllib3, which Duo's SDK brings along, asks whether the machine has IPv6
    if event in {"socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.fork"}:
        opened.append((module, event))
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        opened.append((module, event, str(args[0])))

module = "countersign"
package = importlib.import_module(module)
sys.addaudithook(watch)
for found in pkgutil.walk_packages(package.__path__, "countersign."):
    module = found.name
    if not module.endswith("__main__"):
        importlib.import_module(module)
for what in opened:
    print(what)
"""


@pytest.mark.law(11)
def test_importing_any_module_opens_nothing() -> None:
    """Law 11: no connection, no process and no file to write comes of importing a module."""
    assert in_a_new_process(WATCHED_IMPORT) == ""
