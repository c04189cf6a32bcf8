"""A supervisor over parts of a few lines each, run as `python small_installation.py DATA PARTS` in tests.

PARTS is a JSON list of {"name", "after", "code", "ends", "ready_seconds", "stop_seconds",
"farewell_seconds"}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from shoald.supervisor.installation import Installation
from shoald.supervisor.part import Part
from shoald.supervisor.supervisor import Addresses, Supervisor


def part_of(described: dict[str, Any], folder: Path) -> Part:
    """Make a part that runs a piece of Python with `folder` as its argument."""
    ready = folder / f"{described['name']}.ready"
    return Part(
        name=described["name"],
        command=(sys.executable, "-S", "-c", described["code"], str(folder)),
        after=tuple(described.get("after", ())),
        uses=tuple(described.get("uses", ())),
        awaited=described.get("awaited", True),
        ends=described.get("ends", False),
        is_ready=ready.exists,
        prepare=lambda: ready.unlink(missing_ok=True),
        ready_seconds=described.get("ready_seconds", 10.0),
        stop_seconds=described.get("stop_seconds", 5.0),
        before_stop=lambda: time.sleep(described.get("farewell_seconds", 0.0)),
    )


def main(data: Path, parts: list[dict[str, Any]]) -> int:
    """Supervise until stopped."""
    installation = Installation(data)
    installation.prepare()
    installation.lock()
    made = [part_of(described, installation.run) for described in parts]
    return Supervisor(
        installation, made, addresses=Addresses(http="", metrics=""), report=lambda line: print(line, flush=True)
    ).run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
