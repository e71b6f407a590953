"""A webcam with known pictures (v4l2loopback, fed by ffmpeg), a painted look, and a killed writer."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from typing import Any

import cv2
import numpy as np
from vm.chart import CHART_WH, PATCHES_RGB, SMALL_WH, mean_rgb, moved_into, patch_boxes
from vm.guest import devices
from vm.guest.program import Program, running, stop_all
from vm.guest.reader import Picture, Reader, format_of
from vm.guest.shell import EXCHANGE, LONG_S, await_true

_SAME = 8.0  # levels: mean difference of the patches' colours; a card and a blurred chart differ more


def _painting(look: str, size: str) -> Program:
    arguments = ("run", "--source", devices.FED, "--look", look, "--size", size, "--fps", "10")
    # An INT8 engine that is built meanwhile would take the emulated CPU for minutes.
    return running(*arguments, "--no-build", "--sink", f"virtual-camera:{devices.VIRTUAL}")


def painted_chart(picture: str, look: str, size: str) -> dict[str, Any]:
    """Paint the portrait in a colour chart, and read it with ffmpeg."""
    devices.make_ready()
    devices.feed_with(picture)
    program = _painting(look, size)
    with Reader() as reader:
        reader.await_pictures(1)
        _await_chart(reader, CHART_WH)
        reader.save(EXCHANGE / "painted.npy")
        facts = reader.facts()
    return {**facts, "webcam": format_of(devices.FED), "output": program.output()}


def _await_chart(reader: Reader, size_wh: tuple[int, int]) -> float:
    """Wait until the chart of a size is shown, stable, and neither a card nor blurred; return the time."""
    boxes = moved_into(patch_boxes(size_wh), size_wh, CHART_WH)

    def is_shown() -> bool:
        pictures = list(reader.pictures)
        return (
            len(pictures) == reader.pictures.maxlen
            and _difference(pictures[-1], pictures[0]) < 0.5
            and float(np.abs(mean_rgb(pictures[-1], boxes) - np.array(PATCHES_RGB)).mean()) < _SAME
        )

    return await_true(is_shown, LONG_S, f"the chart of {size_wh[0]}x{size_wh[1]}", every_s=0.3)


def _difference(one: Picture, other: Picture) -> float:
    """Return the mean difference of two pictures in levels; NumPy would take a third of a second here."""
    return cv2.norm(one, other, cv2.NORM_L1) / one.size


def webcam_changes_size(first: str, then: str, look: str, size: str) -> dict[str, Any]:
    """Restart the webcam with pictures of another size, then with the first size again."""
    devices.make_ready()
    devices.feed_with(first, restart=False)
    program = _painting(look, size)
    rounds = []
    with Reader() as reader:
        reader.await_pictures(1)
        _await_chart(reader, CHART_WH)
        for picture, size_wh in ((then, SMALL_WH), (first, CHART_WH)):
            before = format_of(devices.FED)
            devices.feed_with(picture)
            # Before that, changes and repetitions may belong to the old pictures.
            fed_s = await_true(lambda old=before: _has_other_format(old), LONG_S, "the webcam has another size")
            live_s = _await_chart(reader, size_wh)
            reader.save(EXCHANGE / f"after-{picture}.npy")
            rounds.append({"webcam": format_of(devices.FED), "virtual": format_of(devices.VIRTUAL)})
            rounds[-1]["live_s"] = live_s - fed_s
    return {"rounds": rounds, "output": program.output(), "alive": program.alive}


def _has_other_format(before: tuple[int, int, str]) -> bool:
    """Return whether the webcam has another format now; it has none while it is not fed."""
    with contextlib.suppress(RuntimeError):
        return format_of(devices.FED) != before
    return False


def writer_is_killed(first: str, look: str, size: str) -> dict[str, Any]:
    """Kill the writer with SIGKILL: what a current reader, a new reader and the last reader get."""
    devices.make_ready()
    devices.feed_with(first, restart=False)
    program = _painting(look, size)
    with Reader() as reader:
        reader.await_pictures(10)
        _await_chart(reader, CHART_WH)
        painted = reader.pictures[-1]
        program.send(signal.SIGKILL)
        killed_s = time.monotonic()
        program.await_end(LONG_S)
        another = lambda: _difference(reader.pictures[-1], painted) > 10  # noqa: E731
        carded_s = await_true(another, LONG_S, "another picture than the painted one")
        reader.save(EXCHANGE / "after-kill.npy")
        with Reader() as late:
            late.await_pictures(3)
            np.save(EXCHANGE / "opened-after-kill.npy", np.stack(list(late.pictures)))  # all of its pictures
    stop_all()
    return {"carded_s": carded_s - killed_s, "to_the_last": _read_once()}


def _read_once() -> dict[str, Any]:
    """Return what a program gets that opens the camera after all others have closed it."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "v4l2", "-i", devices.VIRTUAL]
    command += ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired as waited:
        return {"bytes": len(waited.stdout or b""), "output": "timeout"}
    return {"bytes": len(done.stdout), "output": done.stderr.decode(errors="replace")[-300:]}
