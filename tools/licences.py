"""Fails on a run-time dependency under GPL or AGPL, or without a licence that is known.

Walks from pyproject.toml's dependencies and extras through what is installed. What a package says of itself comes from
its metadata: the licence expression, else its classifiers, else its free text.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

# SPDX identifiers that may be shipped beside Apache-2.0; LGPL and MPL oblige nobody who only imports the package
ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "LGPL-3.0-only"),
    *("LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
}
# how packages without an expression write the same
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The MIT License (MIT)": "MIT",
}
# read by hand, where the metadata is too vague or the package is not installed on machines without its hardware
REVIEWED = {
    "cuml-cu12": "Apache-2.0",  # the extra `gpu-cu12`; LICENSE of the sources
    "cuml-cu13": "Apache-2.0",  # the extra `gpu-cu13`; the same
    "cupy-cuda12x": "MIT",  # the extra `gpu-cu12`; LICENSE of the sources
    "cupy-cuda13x": "MIT",  # the extra `gpu-cu13`; the same
    "faiss-gpu": "MIT",  # the extra `gpu-cu12`; the same sources as faiss-cpu
    "faiss-gpu-cuvs": "MIT",  # the extra `gpu-cu13`; the same
    "hdbscan": "BSD-3-Clause",  # LICENSE in the wheel
    "pypdfium2": "BSD-3-Clause AND Apache-2.0",  # the binding; PDFium and its parts in the wheel are permissive too
    "umap-learn": "BSD-3-Clause",  # LICENSE.txt in the wheel
}


def is_allowed(expression: str) -> bool:
    """Say whether an SPDX expression can be satisfied with allowed licences alone.

    >>> is_allowed("MPL-2.0 AND (GPL-2.0-only OR MIT)"), is_allowed("MIT AND AGPL-3.0-only")
    (True, False)
    """
    tokens = re.findall(r"\(|\)|\bAND\b|\bOR\b|[A-Za-z0-9.+-]+(?: WITH [A-Za-z0-9.+-]+)?", expression)
    verdict, rest = _either(tokens)
    return verdict and not rest


def _either(tokens: Sequence[str]) -> tuple[bool, Sequence[str]]:
    verdict, tokens = _both(tokens)
    while tokens and tokens[0] == "OR":
        other, tokens = _both(tokens[1:])
        verdict = verdict or other
    return verdict, tokens


def _both(tokens: Sequence[str]) -> tuple[bool, Sequence[str]]:
    verdict, tokens = _one(tokens)
    while tokens and tokens[0] == "AND":
        other, tokens = _one(tokens[1:])
        verdict = verdict and other
    return verdict, tokens


def _one(tokens: Sequence[str]) -> tuple[bool, Sequence[str]]:
    if not tokens:
        return False, tokens
    if tokens[0] == "(":
        verdict, rest = _either(tokens[1:])
        return verdict and rest[:1] == [")"], rest[1:]
    return tokens[0].partition(" WITH ")[0] in ALLOWED, tokens[1:]


def said_licence(package: metadata.PackageMetadata) -> str:
    """Return what a package's metadata says, as an SPDX expression where it can be told."""
    expression = package.get_all("License-Expression")
    if expression:
        return str(expression[0])
    classifiers = [
        c.rpartition("::")[2].strip() for c in package.get_all("Classifier") or [] if c.startswith("License")
    ]
    known = [SPELLINGS[name] for name in classifiers if name in SPELLINGS]
    if known:
        return " OR ".join(known)
    text = next(iter(package.get_all("License") or []), "").strip().partition("\n")[0].strip()
    return SPELLINGS.get(text, text)


def licence_of(name: str) -> str:
    """Return the licence of a package as an expression; nothing when it is unknown."""
    if name in REVIEWED:
        return REVIEWED[name]
    try:
        return said_licence(metadata.metadata(name))
    except metadata.PackageNotFoundError:
        return ""


def declared() -> list[Requirement]:
    """Return what pyproject.toml asks for at run time, every extra included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(text) for requirements in lists for text in requirements]


def needed_by(requirement: Requirement) -> Iterator[Requirement]:
    """Yield what a package needs here, with the extras that were asked for."""
    try:
        texts = metadata.requires(requirement.name) or []
    except metadata.PackageNotFoundError:
        return
    for needed in map(Requirement, texts):
        extras = ["", *requirement.extras]
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
            yield needed


def closure() -> set[str]:
    """Return the names of everything that is installed with Shoal."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = declared()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            waiting.extend(needed_by(requirement))
    return {name for name, _ in seen}


def main() -> int:
    """Check every package; return the exit status."""
    names = sorted(closure())
    licences = {name: licence_of(name) for name in names}
    refused = {name: licence for name, licence in licences.items() if not is_allowed(licence)}
    for name, licence in refused.items():
        print(
            f"{name}: {licence[:80] or 'no licence known'}; if that is fine, say so in tools/licences.py",
            file=sys.stderr,
        )
    if not refused:
        print(f"{len(names)} run-time dependencies, all under licences that are allowed")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
