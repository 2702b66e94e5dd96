"""What is built has all that the code reads beside itself."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "services" / "countersign"


def test_templates_catalogs_and_scripts_are_packed(tmp_path: Path) -> None:
    """Every file of the package that is no Python is in the wheel, and is what it is here."""
    programs = Path(sys.executable).parent
    subprocess.run(  # noqa: S603  # the command stands here
        [
            *(programs / "uv", "build", "--wheel", "--no-build-isolation", "--offline", "--quiet"),
            *("--python", sys.executable, "--out-dir", tmp_path, ROOT),
        ],
        check=True,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    due = {
        path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert {Path(name).suffix for name in due} >= {".ftl", ".html", ".css", ".js", ".lua"}
    with zipfile.ZipFile(wheel) as packed:
        assert {name: packed.read(name) for name in due} == due
