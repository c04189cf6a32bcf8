"""The documentation of the Python standard library on this machine: what the demo ingests.

The modules are imported by a child process that runs this file alone, because an import may warn, print, or change the
process that does it.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

TIMEOUT_SECONDS = 60
LEAST_CHARACTERS = 26

# what opens a window, runs tests, changes the process or plays jokes when it is imported
LEFT_OUT = frozenset(
    {"antigravity", "distutils", "encodings", "idlelib", "lib2to3", "rlcompleter", "test", "tests", "this", "tkinter"}
    | {"turtle", "turtledemo"}
)


def standard_library_texts() -> dict[str, list[dict[str, str]]]:
    """Return for each module the first paragraphs of what it documents, as `{"name", "kind", "text"}`.

    The same installation of Python gives the same texts in the same order. Raises `RuntimeError` when the child fails.
    """
    command = [sys.executable, "-I", "-S", "-W", "ignore", __file__]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=False, env={})
    if done.returncode != 0:
        raise RuntimeError(f"the standard library could not be read: {done.stderr.decode(errors='replace')[-500:]}")
    texts: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return texts


def _collect() -> dict[str, list[dict[str, str]]]:
    seen: set[int] = set()
    texts = {name: list(_texts(module, seen)) for name, module in _modules()}
    return {name: found for name, found in texts.items() if found}


def _modules() -> Iterator[tuple[str, ModuleType]]:
    """Yield the public modules that can be imported here, each package before what is in it."""
    for name in sorted(sys.stdlib_module_names):
        yield from _module_and_within(name, name)


def _module_and_within(full_name: str, name: str) -> Iterator[tuple[str, ModuleType]]:
    if name.startswith("_") or name in LEFT_OUT:
        return
    module = _imported(full_name)
    if module is not None:
        yield full_name, module
        for inner in sorted(info.name for info in pkgutil.iter_modules(getattr(module, "__path__", ()))):
            yield from _module_and_within(f"{full_name}.{inner}", inner)


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit):  # noqa: BLE001 - a module of another system, or without its C library
        return None


def _texts(module: ModuleType, seen: set[int]) -> Iterator[dict[str, str]]:
    """Yield a text for each class, method and function that the module has and no module before it had."""
    for name, value in sorted(vars(module).items()):
        if name.startswith("_") or id(value) in seen or not _is_own(value, module):
            continue
        seen.add(id(value))
        full_name = f"{module.__name__}.{name}"
        if inspect.isclass(value):
            yield from _text(full_name, "class", value)
            for method, function in sorted(vars(value).items()):
                if not method.startswith("_") and inspect.isroutine(inspect.unwrap(_bare(function))):
                    yield from _text(f"{full_name}.{method}", "method", function)
        elif inspect.isroutine(value):
            yield from _text(full_name, "function", value)


def _is_own(value: Any, module: ModuleType) -> bool:
    """Say whether a value belongs to the module, its package, or its private half in C."""
    home = getattr(value, "__module__", None)
    if not isinstance(home, str):
        return False
    top = module.__name__.split(".", 1)[0]
    return home.split(".", 1)[0].lstrip("_") in {top, "posix" if top == "os" else top}


def _bare(function: Any) -> Any:
    return function.__func__ if isinstance(function, classmethod | staticmethod) else function


def _text(name: str, kind: str, value: Any) -> Iterator[dict[str, str]]:
    documentation = getattr(_bare(value), "__doc__", None)
    if isinstance(documentation, str):
        first = " ".join(inspect.cleandoc(documentation).split("\n\n", 1)[0].split())
        if len(first) >= LEAST_CHARACTERS:
            yield {"name": name, "kind": kind, "text": first}


def _print_texts() -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        texts = _collect()
    json.dump(texts, sys.stdout)


if __name__ == "__main__":
    _print_texts()
