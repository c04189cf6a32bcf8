"""`shoal` and `python -m shoald`: one entry for all commands and processes."""

from __future__ import annotations

from shoald.cli.app import main

if __name__ == "__main__":
    main()
