"""The bundles that are committed are what their packages build, byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import countersign.actions
from tests.languages import QUIET, cannot, installed_node, run

ROOT = Path(__file__).parents[2]
BUNDLES = Path(countersign.actions.__file__).parent / "javascript" / "bundles"
NODE_LEAST = 18
"""What esbuild needs."""


def test_the_bundles_are_what_their_packages_build(tmp_path: Path) -> None:
    """Built anew from the packages of the same hashes, each committed file comes out the same."""
    node = installed_node(least=NODE_LEAST)
    source, built = tmp_path / "source", tmp_path / "built"
    shutil.copytree(
        ROOT / "tools" / "bundles", source, ignore=shutil.ignore_patterns("node_modules")
    )
    built.mkdir()
    if said := run([node.npm, "install", "--no-package-lock", *QUIET], source):
        cannot(f"npm can't fetch the packages: {said[-300:]}", missing=False)
    made = subprocess.run(  # noqa: S603  # this project's own script
        [node.node, "build.mjs"],
        cwd=source,
        env={**os.environ, "BUNDLES_TO": f"{built.as_uri()}/"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert made.returncode == 0, made.stderr
    for name in ("platform.js", "syntax.js", "LICENSES.txt"):
        assert (built / name).read_bytes() == (BUNDLES / name).read_bytes(), name


@pytest.mark.parametrize("name", ["platform.js", "syntax.js"])
def test_a_bundle_names_no_place(name: str) -> None:
    """A bundle holds no map of its source and no path of the machine that built it."""
    text = (BUNDLES / name).read_text(encoding="utf-8")
    assert "sourceMappingURL" not in text
    assert "node_modules" not in text
