"""What the services log, read as it grows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Logs:
    """The logs of processes.

    Args:
        files: where each one's log is.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._read = dict.fromkeys(files, 0)
        self._lines: dict[str, list[dict[str, Any]]] = {name: [] for name in files}

    def lines(self) -> dict[str, list[dict[str, Any]]]:
        """Return what each has logged so far, a mapping a line.

        Raises:
            ValueError: a line is no JSON.
        """
        for name, file in self._files.items():
            with file.open("rb") as log:
                log.seek(self._read[name])
                added, end, _ = log.read().rpartition(b"\n")
            self._read[name] += len(added) + len(end)
            self._lines[name] += [json.loads(line) for line in added.splitlines()]
        return self._lines
