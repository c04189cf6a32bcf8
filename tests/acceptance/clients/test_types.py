"""The Python client and its example, as type checkers see them in their strict form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.nightly
def test_pyright_finds_nothing() -> None:
    checker = Path(sys.executable).with_name("basedpyright")
    done = subprocess.run(
        [checker, "-p", "clients/python", "--pythonpath", sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.nightly
def test_the_wheel_holds_everything_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT / "clients" / "python", capture_output=True, check=True)
    (wheel,) = tmp_path.glob("shoal_client-*.whl")
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]];"
        "import shoal.client, shoal.services, shoal.rag.v1.project_service_pb2_grpc as stubs;"
        "assert all(sys.argv[1] in module.__file__ for module in (shoal.client, shoal.services, stubs));"
        "shoal.client.connect('http://127.0.0.1:1').close();"
        "import zipfile; print(sorted({n.split('/')[0] for n in zipfile.ZipFile(sys.argv[1]).namelist()}))"
    )
    unpacked = tmp_path / "unpacked"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(unpacked)], check=True)
    code = code.replace("zipfile.ZipFile(sys.argv[1])", f"zipfile.ZipFile({str(wheel)!r})")
    done = subprocess.run([sys.executable, "-c", code, str(unpacked)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['buf', 'shoal', 'shoal_client-0.1.0.dist-info']", done.stderr
