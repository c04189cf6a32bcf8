from __future__ import annotations

import numpy as np

from shoald.application.kept_arrays import KeptArrays


def test_what_was_used_last_is_kept() -> None:
    kept, made = KeptArrays(most_bytes=20 * 8), []

    def get(key: str, size: int = 10) -> int:
        def make() -> np.ndarray:
            made.append(key)
            return np.zeros(size, np.int64)

        return len(kept.get(key, make))

    for key in ("a", "b", "a", "c", "a", "b"):
        assert get(key) == 10
    assert made == ["a", "b", "c", "b"]
    assert get("too large", 21) == get("too large", 21) == 21
    assert made[4:] == ["too large", "too large"]
