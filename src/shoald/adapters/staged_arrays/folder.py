"""Arrays of finished stages as `.npy` files below one folder, a folder for each key."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_KEEP_SECONDS = 3 * 24 * 3600.0


class StagedArrayFolder:
    """`StagedArrays` in a folder; what nobody used for three days is removed when something is added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> Mapping[str, npt.NDArray[Any]] | None:
        """Return the arrays stored under a key, memory-mapped and read-only, or None."""
        place = self._folder / key
        try:
            os.utime(place)
            return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in place.glob("*.npy")} or None
        except (FileNotFoundError, ValueError):
            return None

    def put(self, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Store arrays under a key: a folder becomes visible by its rename, whole."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._clean_up()
        draft = self._folder / f".draft-{secrets.token_hex(8)}"
        try:
            draft.mkdir()
            for name, array in arrays.items():
                np.save(draft / f"{name}.npy", array, allow_pickle=False)
            self._publish(draft, self._folder / key)
        except OSError:
            # no room, or another worker was faster: the stage is done again if it is ever needed
            shutil.rmtree(draft, ignore_errors=True)

    def _publish(self, draft: Path, place: Path) -> None:
        """Put the folder in the place of one that is there; whoever has its arrays mapped keeps them."""
        old = draft.with_name(f"{draft.name}-old")
        with contextlib.suppress(FileNotFoundError):
            place.rename(old)
        draft.rename(place)
        shutil.rmtree(old, ignore_errors=True)

    def _clean_up(self) -> None:
        oldest = time.time() - _KEEP_SECONDS
        for place in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if place.stat().st_mtime < oldest:
                    shutil.rmtree(place, ignore_errors=True)
