"""Frames' memory is used again, and never under somebody who still looks at it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from live.pipeline.frame_pool import FramePool

SHAPE = (72, 128, 3)


def test_a_picture_that_is_let_go_comes_again() -> None:
    pool = FramePool()
    address = pool.take(SHAPE).ctypes.data
    assert pool.take(SHAPE).ctypes.data == address


def test_a_picture_that_somebody_holds_even_as_a_view_does_not() -> None:
    pool = FramePool()
    view = pool.take(SHAPE)[2:4, 5:9]
    view[:] = 9
    others = [pool.take(SHAPE) for _ in range(30)]  # more than it keeps
    for other in others:
        other[:] = 1
    assert (view == 9).all()
    assert not any(np.shares_memory(other, view) for other in others)
    assert len({other.ctypes.data for other in others}) == len(others)


def test_another_size_is_given_as_asked() -> None:
    pool = FramePool()
    held = pool.take(SHAPE)
    assert pool.take((36, 64, 3)).shape == (36, 64, 3)
    assert pool.take(SHAPE).shape == SHAPE and held.shape == SHAPE


def test_threads_never_get_the_same_picture() -> None:
    pool, mixed = FramePool(), threading.Event()

    def work(mark: int) -> None:
        for _ in range(300):
            picture = pool.take((16, 16))
            picture[:] = mark
            if (picture != mark).any():
                mixed.set()

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not mixed.is_set()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="page faults are counted on Linux only")
@pytest.mark.parametrize("look", ["glaze", "toon"])
def test_frames_go_through_memory_that_is_there(look: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.allocations", "--child", look, "--frames", "100"]
    environment = {**os.environ, "VENEER_HOME": str(tmp_path), "MALLOC_MMAP_THRESHOLD_": "500000"}
    made_mb = float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert made_mb < 1.5 * 1280 * 720 * 3 / 1e6, "about one frame's worth, inside the libraries; it was 3 and 10"
