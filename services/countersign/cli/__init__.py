"""The command line: `countersign`."""

from countersign.cli.app import main

__all__ = ["main"]
