"""`python -m countersign` is the command line."""

from __future__ import annotations

from countersign.cli import main

if __name__ == "__main__":
    main()
