"""Puts into README.md what is written elsewhere, examples and settings; `--check` fails on a difference."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from shoald.cli.settings_table import markdown_table

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
_LANGUAGES = {".py": "python", ".sh": "sh", ".mjs": "typescript"}


def render(text: str) -> str:
    """Return the README with every marked block made anew."""
    text = re.sub(r"(<!-- example: (\S+) -->\n).*?(<!-- /example -->)", _example, text, flags=re.DOTALL)
    return re.sub(
        r"(<!-- settings -->\n).*?(<!-- /settings -->)",
        lambda m: f"{m[1]}{markdown_table()}\n{m[2]}",
        text,
        flags=re.DOTALL,
    )


def _example(match: re.Match[str]) -> str:
    path = Path(match[2])
    code = (ROOT / path).read_text().rstrip("\n")
    return f"{match[1]}```{_LANGUAGES[path.suffix]}\n{code}\n```\n{match[3]}"


def main() -> None:
    """Rewrite the README, or check it."""
    written, wanted = README.read_text(), render(README.read_text())
    if "--check" not in sys.argv:
        README.write_text(wanted)
    elif written != wanted:
        sys.exit("README.md is out of step with examples/ or the settings: run `make gen`")


if __name__ == "__main__":
    main()
