"""Real sentences, and their vectors by the bundled model."""

from __future__ import annotations

import importlib
import inspect
from functools import cache

import numpy as np
import numpy.typing as npt

MODULES = (
    *("calendar", "configparser", "csv", "decimal", "email.message", "fractions", "http.cookiejar", "logging"),
    *("mailbox", "pathlib", "random", "shutil", "smtplib", "statistics", "tarfile", "zipfile"),
)
LEAST = 25
"""Shorter texts say nothing."""


@cache
def texts() -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the first paragraphs of what some modules of the standard library document, and the module of each."""
    found: dict[str, int] = {}
    for at, name in enumerate(MODULES):
        module = importlib.import_module(name)
        for owner in (module, *(one for _, one in sorted(vars(module).items()) if inspect.isclass(one))):
            for _, value in sorted(vars(owner).items()):
                said = (inspect.getdoc(value) or "").split("\n\n")[0] if callable(value) else ""
                if len(said) >= LEAST and getattr(value, "__module__", name) == name:
                    found.setdefault(said, at)
    return list(found), np.array(list(found.values()))


@cache
def text_vectors(n: int = 240) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return n of the texts, evenly apart, as (n, 384) unit rows, and the module of each; about a second, once."""
    from shoald.adapters.embedders.local import LocalEmbedder

    said, modules = texts()
    chosen = np.linspace(0, len(said) - 1, n).astype(np.int64)
    return LocalEmbedder(threads=1).embed_passages([said[at] for at in chosen]), modules[chosen]
