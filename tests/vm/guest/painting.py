"""A webcam whose pictures are known (v4l2loopback, fed by ffmpeg), real paint, and a writer that dies."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from typing import Any

import numpy as np
from vm.guest import devices
from vm.guest.program import Program, running, stop_all
from vm.guest.reader import Reader, format_of
from vm.guest.shell import EXCHANGE, LONG_S, await_true


def _painting(look: str, size: str) -> Program:
    words = ("run", "--source", devices.FED, "--look", look, "--size", size, "--fps", "10")
    return running(*words, "--sink", f"virtual-camera:{devices.VIRTUAL}")


def painted_chart(picture: str, look: str, size: str) -> dict[str, Any]:
    """A portrait among the patches of a colour chart, painted, and read by ffmpeg."""
    devices.make_ready()
    devices.feed_with(picture)
    program = _painting(look, size)
    with Reader() as reader:
        reader.await_pictures(1)
        _await_still(reader)
        reader.save(EXCHANGE / "painted.npy")
        facts = reader.facts()
    return {**facts, "webcam": format_of(devices.FED), "said": program.said()}


def _await_still(reader: Reader) -> None:
    """Wait until the pictures have stopped changing much: the card is over, the paint has settled."""

    def is_still() -> bool:
        pictures = list(reader.pictures)
        moved = len(reader.changed_s) > 3 and len(pictures) == reader.pictures.maxlen
        return moved and float(np.abs(pictures[-1].astype(int) - pictures[0]).mean()) < 0.5

    time.sleep(8)  # the card, then the camera
    await_true(is_still, LONG_S, "the picture is still")


def webcam_changes_size(first: str, then: str, look: str, size: str) -> dict[str, Any]:
    """The webcam stops, and comes back with pictures of another size; then with the first ones again."""
    devices.make_ready()
    devices.feed_with(first, anew=False)
    program = _painting(look, size)
    rounds = []
    with Reader() as reader:
        reader.await_pictures(1)
        _await_still(reader)
        for picture in (then, first):
            before = format_of(devices.FED)
            devices.feed_with(picture)
            # Until then, what moves may be the last of the old pictures, and what is still the one that is held.
            fed_s = await_true(lambda old=before: _is_other(old), LONG_S, "the webcam has another size")
            live_s = reader.await_change(fed_s)
            _await_still(reader)
            reader.save(EXCHANGE / f"after-{picture}.npy")
            rounds.append({"webcam": format_of(devices.FED), "virtual": format_of(devices.VIRTUAL)})
            rounds[-1]["live_s"] = live_s - fed_s
    return {"rounds": rounds, "said": program.said(), "alive": program.process.poll() is None}


def _is_other(before: tuple[int, int, str]) -> bool:
    """Whether the webcam gives another format now; while nothing is fed, it tells none."""
    with contextlib.suppress(RuntimeError):
        return format_of(devices.FED) != before
    return False


def writer_is_killed(first: str, look: str, size: str) -> dict[str, Any]:
    """kill -9, while somebody reads: what he is left with, who opens the camera beside him, and who comes last."""
    devices.make_ready()
    devices.feed_with(first, anew=False)
    program = _painting(look, size)
    with Reader() as reader:
        reader.await_pictures(10)
        _await_still(reader)
        painted = reader.pictures[-1].astype(int)
        program.process.send_signal(signal.SIGKILL)
        killed_s = time.monotonic()
        program.process.wait(LONG_S)
        another = lambda: np.abs(reader.pictures[-1] - painted).mean() > 10  # noqa: E731
        carded_s = await_true(another, LONG_S, "another picture than the painted one")
        reader.save(EXCHANGE / "after-kill.npy")
        with Reader() as late:
            late.await_pictures(3)
            np.save(EXCHANGE / "opened-after-kill.npy", np.stack(list(late.pictures)))  # from its first picture on
    stop_all()
    return {"carded_s": carded_s - killed_s, "to_the_last": _read_once()}


def _read_once() -> dict[str, Any]:
    """What a program gets that opens the camera when nobody has it open any more."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "v4l2", "-i", devices.VIRTUAL]
    command += ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired as waited:
        return {"bytes": len(waited.stdout or b""), "said": "it waits"}
    return {"bytes": len(done.stdout), "said": done.stderr.decode(errors="replace")[-300:]}
