"""Makes src/shoald/cli/data/map_page.html, the page of `shoal map`, from tools/map_page; `--check` compares instead."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "tools" / "map_page"
PAGE = ROOT / "src" / "shoald" / "cli" / "data" / "map_page.html"
_BUNDLED = ("build.mjs", "package.json", "package-lock.json", "INLINED.txt", "src")


def main() -> None:
    """Bundle the page, or fail when the committed one is another than the sources give."""
    if not (shutil.which("node") and shutil.which("npm")):
        sys.exit("the page of maps is bundled by node 20 or newer and npm, which are not on PATH")
    with tempfile.TemporaryDirectory() as folder:
        made = bundle(Path(folder))
        if "--check" not in sys.argv[1:]:
            shutil.copyfile(made, PAGE)
        elif not filecmp.cmp(made, PAGE, shallow=False):
            sys.exit(f"{PAGE.relative_to(ROOT)} is not what tools/map_page gives: run `make map-page`")


def bundle(folder: Path) -> Path:
    """Bundle the page in a folder of its own and return where it lies; node brings what the lock file names."""
    for name in _BUNDLED:
        source = SOURCES / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
    subprocess.run(npm, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["node", "build.mjs", "map_page.html"], cwd=folder, check=True)
    return folder / "map_page.html"


if __name__ == "__main__":
    main()
