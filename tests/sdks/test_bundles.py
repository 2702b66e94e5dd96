"""The JavaScript bundles are what their sources and pinned packages make, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.languages import installed_node, locked_packages, run

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "bundles"
BUILT = ROOT / "services" / "countersign" / "actions" / "javascript" / "bundles"


def test_the_bundles_are_what_the_pinned_packages_make(tmp_path: Path) -> None:
    """Nobody changed a bundle by hand, and no package differs from the one that was looked at."""
    node, npm = installed_node(least=20)
    packages = locked_packages(npm, SOURCES)
    here, into = tmp_path / "bundles", tmp_path / "built"
    shutil.copytree(SOURCES, here, ignore=shutil.ignore_patterns("node_modules"))
    # A copy: esbuild names what it reads by its real path.
    shutil.copytree(packages, here / "node_modules", symlinks=True)
    into.mkdir()
    said = run([node, "build.mjs", str(into)], here)
    assert said is None, said
    assert {file.name: file.read_bytes() for file in into.iterdir()} == {
        file.name: file.read_bytes() for file in BUILT.iterdir()
    }
