"""A program that reads a camera (ffmpeg), with the arrival time of each picture."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vm.guest.devices import VIRTUAL
from vm.guest.shell import LONG_S, await_true, has_open, run

Picture = NDArray[np.uint8]


def format_of(device: str) -> tuple[int, int, str]:
    """Return width, height and pixel format of a device, from v4l2-ctl."""
    output = run("v4l2-ctl", "-d", device, "--get-fmt-video")
    size, letters = re.search(r"(\d+)/(\d+)", output), re.search(r"'(....)'", output)
    if size is None or letters is None:
        raise RuntimeError(f"v4l2-ctl reports for {device}: {output}")
    return int(size[1]), int(size[2]), letters[1]


class Reader:
    """Reads a camera until it is closed.

    Attributes:
        came_s: Arrival times of all pictures, in monotonic seconds.
        changed_s: Arrival times of pictures that differ from their predecessor.
        pictures: The last pictures, (H, W, 3) uint8 BGR.
    """

    def __init__(self, device: str = VIRTUAL) -> None:
        width, height, _ = format_of(device)
        started_s = time.monotonic()
        command = ["ffmpeg", "-v", "error", "-nostdin", "-fflags", "nobuffer", "-f", "v4l2", "-i", device]
        command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.came_s: list[float] = []
        self.changed_s: list[float] = []
        self.pictures: deque[Picture] = deque(maxlen=8)
        self._shape = height, width, 3
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        self._await_opening(device)
        self.opened_s = time.monotonic()
        self.start_s = self.opened_s - started_s

    def _await_opening(self, device: str) -> None:
        """Wait for the opening: programs take seconds to start here, which is not the camera's latency."""
        opened = lambda: has_open(self.process.pid, device) or self._ended()  # noqa: E731
        await_true(opened, LONG_S, f"ffmpeg opens {device}", every_s=0.01)
        self._check_running()

    def _follow(self) -> None:
        assert self.process.stdout is not None
        length = int(np.prod(self._shape))
        while len(data := self.process.stdout.read(length)) == length:
            picture = np.frombuffer(data, np.uint8).reshape(self._shape)
            now_s = time.monotonic()
            if not self.pictures or not np.array_equal(picture, self.pictures[-1]):
                self.changed_s.append(now_s)
            self.pictures.append(picture)
            self.came_s.append(now_s)

    def await_pictures(self, count: int, timeout_s: float = LONG_S) -> None:
        """Wait until `count` more pictures have arrived."""
        target = len(self.came_s) + count
        await_true(lambda: len(self.came_s) >= target or self._ended(), timeout_s, f"{count} more pictures")
        self._check_running()

    def await_change(self, since_s: float, timeout_s: float = LONG_S) -> float:
        """Wait for a changed picture after a time; return its arrival time."""
        await_true(
            lambda: (self.changed_s and self.changed_s[-1] > since_s) or self._ended(), timeout_s, "a new picture",
            every_s=0.01,
        )  # fmt: skip
        self._check_running()
        return next(at_s for at_s in self.changed_s if at_s > since_s)

    def _ended(self) -> bool:
        return self.process.poll() is not None

    def _check_running(self) -> None:
        if self._ended():
            assert self.process.stderr is not None
            raise RuntimeError(f"the reader has ended: {self.process.stderr.read().decode()[-800:]}")

    def save(self, path: Path) -> None:
        """Write the newest picture as a NumPy file."""
        np.save(path, self.pictures[-1])

    def facts(self) -> dict[str, Any]:
        """Return size, number of pictures and of changed ones, and the mean rate."""
        spent_s = self.came_s[-1] - self.came_s[0]
        height, width, _ = self._shape
        return {
            "size_wh": [width, height],
            "pictures": len(self.came_s),
            "new": len(self.changed_s),
            "fps": (len(self.came_s) - 1) / max(1e-6, spent_s),
            "longest_gap_s": float(np.diff(self.came_s).max()) if len(self.came_s) > 1 else 0.0,
            "first_s": self.came_s[0] - self.opened_s,
        }

    def close(self) -> None:
        """Close the camera."""
        self.process.terminate()
        self._thread.join(10)
        self.process.communicate()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
