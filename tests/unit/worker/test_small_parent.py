"""What a worker's parent and the scheduler load, and what they go by."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import shoald

SOURCE = Path(shoald.__file__).parent
HEAVY = (
    "numpy",
    "scipy",
    "sklearn",
    "faiss",
    "onnxruntime",
    "umap",
    "hdbscan",
    "numba",
    "pyarrow",
    "grpc",
    "torch",
    "rich",
    "tiktoken",
)


@pytest.mark.parametrize("build", ["build_worker_parent(adapters, ['child'], print)", "build_scheduler(adapters)"])
def test_the_parent_and_the_scheduler_load_no_numerics(build: str) -> None:
    program = (
        "import sys\n"
        "from shoald.entrypoints import schedule, work\n"
        "from shoald.settings import Settings\n"
        "from shoald.wiring import Adapters, build_job_handlers, build_scheduler, build_worker_parent\n"
        "adapters = Adapters(Settings())\n"
        "build_job_handlers(adapters)\n"
        f"{build}\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_a_child_has_loaded_the_code_of_its_jobs_before_it_is_ready(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from shoald.settings import Settings\n"
        "from shoald.wiring import Adapters, Warming, build_job_handlers\n"
        f"adapters = Adapters(Settings(data_dir=Path({str(tmp_path)!r})))\n"
        "build_job_handlers(adapters)\n"
        "Warming(adapters, 'short').begin()\n"
        "modules = ['segmenting', 'chunking', 'joining', 'index_building', 'clustering']\n"
        "print([name for name in modules if f'shoald.application.{name}' in sys.modules])\n"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "['segmenting', 'chunking', 'joining', 'index_building']"  # a pipeline builds, too


def test_no_decision_about_a_job_asks_this_machine_for_the_time() -> None:
    """R8: a clock that jumps cannot end a lease early, because only PostgreSQL's clock and spans of time count."""
    wall_clock = re.compile(r"time\.time\(|datetime\.now|utcnow|date\.today|CURRENT_TIMESTAMP|[^_.]now\(\)")
    files = [
        *SOURCE.glob("application/job*.py"),
        *SOURCE.glob("worker/*.py"),
        *SOURCE.glob("scheduler/*.py"),
        SOURCE / "adapters/postgres/jobs.py",
        SOURCE / "domain/job_states.py",
    ]
    assert len(files) > 10
    found = {path.name: wall_clock.findall(path.read_text()) for path in files}
    assert {name: uses for name, uses in found.items() if uses} == {}
