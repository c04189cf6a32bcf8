"""`shoal map` from a file to the picture: seconds, processor seconds and memory by stage.

The file has planted groups and a text of words for each row. Client and installation are looked at four times a second:
memory is what their processes hold in sum (shared pages counted in parts), processor seconds those of all of them.
`--rows` takes another number than 100,000. The second run finds its file unchanged.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._clustering import Report, planted_vectors
from benchmarks._installation import installed

ROWS = 100_000
DIMENSION = 384
GROUPS = 40
WORDS = 30
EVERY_SECONDS = 0.25
_ENDED = re.compile(r"^(.*): ([\d.]+) s$")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Stage:
    """What one stage took; memory in MiB, at its highest."""

    name: str
    wall: float = 0.0
    cpu: float = 0.0
    client: float = 0.0
    installation: float = 0.0


@dataclass
class Watch:
    """Looks at two trees of processes until it is stopped, and books what it sees to the stage of the moment."""

    client: int
    installation: int
    stage: Stage
    spent: dict[int, float] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look, until `over`."""
        while not self.over.wait(EVERY_SECONDS):
            self.look()

    def look(self) -> None:
        """Look once."""
        stage = self.stage
        for kind, root in (("client", self.client), ("installation", self.installation)):
            pids = tree_of(root)
            setattr(stage, kind, max(getattr(stage, kind), sum(map(held, pids))))
            for pid in pids:
                if now := used(pid):
                    stage.cpu += now - self.spent.get(pid, 0.0)
                    self.spent[pid] = now


def tree_of(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def held(pid: int) -> float:
    """Return the memory of a process in MiB, 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def used(pid: int) -> float:
    """Return the processor seconds of a process, 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def file_of(rows: int, folder: Path) -> Path:
    """Write the vectors with a text for each row; the texts of a group share some words."""
    vectors = np.load(planted_vectors(rows, GROUPS, DIMENSION))
    labels = np.load(planted_vectors(rows, GROUPS, DIMENSION).with_suffix(".labels.npy"))
    random = np.random.default_rng(0)
    syllables = ["ka", "lo", "mi", "ren", "sut", "vo", "bel", "dan", "fir", "gos"]
    words = np.array([f"{a}{b}{c}" for a in syllables for b in syllables for c in syllables])
    own = random.integers(0, len(words), (GROUPS + 1, 12))
    drawn = random.integers(0, len(words), (rows, WORDS))
    drawn[:, ::3] = own[labels, :][:, random.integers(0, 12, drawn[:, ::3].shape[1])]
    file = folder / "planted.parquet"
    columns = {
        "id": [f"row{at:07d}" for at in range(rows)],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION),
        "text": [" ".join(line) for line in words[drawn].tolist()],
    }
    pq.write_table(pa.table(columns), file)
    return file


def mapped(file: Path, data: str, output: Path) -> tuple[list[Stage], str]:
    """Run the command and return its stages and what it printed."""
    command = [sys.executable, "-u", "-m", "shoald", "map", str(file), "--text", "text", "--data", data]
    client = subprocess.Popen([*command, "--output", str(output)], stdout=subprocess.PIPE, text=True)
    watch = Watch(client=client.pid, installation=supervisor(data), stage=Stage("starting"))
    for pid in tree_of(watch.installation):
        watch.spent[pid] = used(pid)
    looking = threading.Thread(target=watch.run)
    looking.start()
    stages, printed, began = [watch.stage], [], time.perf_counter()
    for line in client.stdout or ():
        printed.append(line)
        if line.endswith(" …\n"):
            stages[-1].wall = stages[-1].wall or time.perf_counter() - began
            watch.stage = Stage(line.removesuffix(" …\n"))
            stages.append(watch.stage)
        elif (ended := _ENDED.match(line)) and ended[1] == watch.stage.name:
            watch.look()
            watch.stage.wall = float(ended[2])
    watch.over.set()
    looking.join()
    if client.wait():
        raise RuntimeError("".join(printed))
    return stages, "".join(printed)


def supervisor(data: str) -> int:
    """Return the process that all parts of an installation descend from."""
    from shoald.supervisor.installation import Installation

    pid = Installation(Path(data)).supervisor_pid()
    if pid is None:
        raise RuntimeError(f"nothing runs on {data}")
    return pid


def main() -> None:
    """Map a file twice and print what each stage took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    report = Report("mapping", f"shoal map: {rows:,} vectors of {DIMENSION} numbers, from the file to the picture")
    with tempfile.TemporaryDirectory(prefix="shoal-map-bench-") as folder, installed() as (_, data):
        file, output = file_of(rows, Path(folder)), Path(folder) / "map"
        report.say(
            f"The file: {file.stat().st_size / 1e6:.1f} MB. Groups planted: {GROUPS}, a tenth of the rows in none."
        )
        for title in ("first run", "second run, the file unchanged"):
            stages, printed = mapped(file, data, output)
            told(report, title, stages, printed)
        for ending in ("parquet", "html"):
            size = output.with_suffix(f".{ending}").stat().st_size
            report.say(f"\nThe {ending}: {size / 1e6:.2f} MB.")


def told(report: Report, title: str, stages: list[Stage], printed: str) -> None:
    """Write the table of one run, and the first groups that it named."""
    report.say(f"\n{title.capitalize()}:")
    report.head("stage", "wall s", "cpu s", "client MiB", "installation MiB")
    for stage in stages:
        report.row(stage.name, stage.wall, stage.cpu, stage.client, stage.installation)
    walls, cpus = sum(stage.wall for stage in stages), sum(stage.cpu for stage in stages)
    client, installation = (max(getattr(stage, kind) for stage in stages) for kind in ("client", "installation"))
    report.row("together", walls, cpus, client, installation)
    groups = re.findall(r"^ +[\d,]+  (.+)$", printed, re.MULTILINE)
    report.say(f"\nThe largest groups: {'; '.join(groups[:5])}.")


if __name__ == "__main__":
    main()
