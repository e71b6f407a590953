"""The frame pool reuses memory, and never while an array that uses it exists."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from live.pipeline.frame import ImageU8
from live.pipeline.frame_pool import FramePool

SHAPE = (72, 128, 3)


def test_memory_is_reused_after_the_array_is_deleted() -> None:
    pool = FramePool()
    address = pool.take(SHAPE).ctypes.data
    assert pool.take(SHAPE).ctypes.data == address


@pytest.mark.parametrize(
    "derive",
    [
        lambda picture: picture[2:4, 5:9],
        lambda picture: picture[2:9][:, 3:][::2].T,
        lambda picture: picture.reshape(-1).view(np.uint16),
        lambda picture: cv2.flip(np.zeros(SHAPE, np.uint8), 1, dst=picture)[1:],
        memoryview,
    ],
)
def test_memory_is_not_reused_while_a_view_exists(derive: Callable[[ImageU8], Any]) -> None:
    pool = FramePool()
    view = derive(pool.take(SHAPE))
    others = [pool.take(SHAPE) for _ in range(30)]  # more than the pool keeps
    assert not any(np.shares_memory(other, np.asarray(view)) for other in others)
    assert len({other.ctypes.data for other in others}) == len(others)


def test_free_memory_of_another_size_is_not_used() -> None:
    pool = FramePool()
    held = pool.take(SHAPE)
    pool.take(SHAPE)
    assert pool.take((36, 64, 3)).shape == (36, 64, 3)
    assert pool.take((3, *SHAPE)).shape == (3, *SHAPE)
    assert pool.take(SHAPE).shape == SHAPE and held.shape == SHAPE


def test_threads_never_share_memory() -> None:
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


FRESH_MEMORY = """
import os, resource, sys
from engines.looks_file import load_looks
from live.options import LiveOptions
from live.session import Session
looks = {sys.argv[1]: load_looks()[sys.argv[1]]}  # engines of others would be loaded meanwhile
faults = []
def on_frame(frame):
    if frame.frame_id in (80, 120):  # permanent arrays are allocated by then, and the face is in the picture
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
Session(LiveOptions("demo", sys.argv[1], ("null",), frames=130), looks=looks, on_frame=on_frame, ctl=False).run()
print((faults[1] - faults[0]) * resource.getpagesize() / 1e6 / 40, flush=True)
os._exit(0)  # without waiting for an engine build in a library thread
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="page faults are counted on Linux only")
@pytest.mark.parametrize("look", ["glaze", "toon"])
def test_frames_are_processed_in_reused_memory(look: str, tmp_path: Path) -> None:
    """With this threshold of GNU libc every array of a frame's size is a new mapping, so its page faults count."""
    environment = {**os.environ, "VENEER_HOME": str(tmp_path), "MALLOC_MMAP_THRESHOLD_": "500000"}
    command = [sys.executable, "-c", FRESH_MEMORY, look]
    made_mb = float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert made_mb < 1.5 * 1280 * 720 * 3 / 1e6, (
        "about one frame's worth, allocated inside the libraries; it was 3 and 10 before the pool"
    )
