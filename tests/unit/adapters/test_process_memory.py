from __future__ import annotations

import sys

import numpy as np
import pytest

from shoald.adapters.process_memory import ProcessMemory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts this way")
def test_what_was_taken_and_given_back_is_counted() -> None:
    meter = ProcessMemory()
    assert meter.peak_bytes() is None
    meter.start()
    np.ones(8_000_000).sum()
    first = meter.peak_bytes()
    assert first is not None
    assert 60e6 < first < 90e6
    meter.start()
    again = meter.peak_bytes()
    assert again is not None
    assert again < 20e6
