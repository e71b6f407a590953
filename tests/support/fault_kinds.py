"""All faults at the boundaries, and the expected outcome: the run continues, or ends with one line."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from support.fault_standins import Action

from engines.errors import EngineError, SinkError, SourceError, TrackingError
from live.pipeline.frame import Frame
from live.recording.recording_file import RecordingFile

ALL = ("camera", "camera and window", "camera and film", "film")
LIVE = ALL[:3]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        place: The call that fails.
        does: Replaces the value that the call returns.
        ends: True if the run must end, False if it must continue, None for either.
        kinds: Kinds of runs in which the place is called.
        says: Part of the expected line; empty if no line is expected.
        before: The action that comes first, if any ("record").
        lasts: Repeat the fault until the next fault at a boundary.
    """

    name: str
    place: str
    does: Action
    ends: bool | None = False
    kinds: tuple[str, ...] = ALL
    says: str = ""
    before: str = ""
    lasts: bool = False


def raises(error: BaseException) -> Action:
    def work(_: Any) -> Any:
        raise error

    return work


def late(seconds: float) -> Action:
    def work(value: Any) -> Any:
        time.sleep(seconds)
        return value

    return work


def picture(change: Callable[[Any], Any]) -> Action:
    return lambda frame: replace(frame, bgr=change(frame.bgr))


def times(**change: Any) -> Action:
    def work(frame: Frame) -> Frame:
        return replace(frame, **{name: getattr(frame, name) + by for name, by in change.items()})

    return work


def points(change: Callable[[Any], Any]) -> Action:
    return lambda faces: tuple(replace(face, landmarks_xy=change(face.landmarks_xy)) for face in faces)


def _library(rng: random.Random) -> Exception:
    kinds: list[Exception] = [
        RuntimeError("driver\nbug"), ValueError(), KeyError("x"), OSError(errno.EIO, "Input/output error"),
        MemoryError(), AttributeError("no\n\nsuch"), ZeroDivisionError("division by zero"), IndexError(),
    ]  # fmt: skip
    return rng.choice(kinds)


def _torn(bgr: Any) -> Any:
    torn = bgr.copy()
    torn[20:] = np.roll(torn[20:], 31, axis=1)
    torn[50:] = 0
    return torn


def source_faults(rng: random.Random) -> Iterator[Fault]:
    """Yield failing and late reads; torn and empty frames; changes of size, format, rate and clock."""
    yield Fault("camera gone", "source.read", raises(SourceError("camera 0", "it is gone")), True, says="it is gone")
    yield Fault("camera's library", "source.read", raises(_library(rng)), True, says="source: failed")
    yield Fault("no such thing", "source.read", lambda _: "a frame", True, says="source: failed")
    yield Fault("end of film", "source.read", lambda _: None, True)
    yield Fault("not just now", "source.read", raises(TimeoutError()))
    yield Fault("late", "source.read", late(rng.choice([0.02, 0.1])))
    for name, change in {
        "torn": _torn,
        "empty": lambda bgr: bgr[:0],
        "one row": lambda bgr: bgr[:1].copy(),
        "one pixel": lambda bgr: bgr[:1, :1].copy(),
        "grey": lambda bgr: bgr[..., 0],
        "four channels": lambda bgr: np.dstack([bgr, bgr[..., 0]]),
        "floats": lambda bgr: bgr / 255.0,
        "16 bits": lambda bgr: bgr.astype(np.uint16),
        "nothing": lambda bgr: None,
        "bytes": lambda bgr: bgr.tobytes(),
        "larger": lambda bgr: bgr.repeat(2, 0).repeat(2, 1),
        "turned": lambda bgr: np.ascontiguousarray(bgr[:48].swapaxes(0, 1)),
        "odd": lambda bgr: bgr[:33, :51].copy(),
        "not in a row": lambda bgr: bgr[:, ::-1],
    }.items():
        yield Fault(f"picture {name}", "source.read", picture(change))
    yield Fault("stamped later", "source.read", times(captured_s=rng.choice([1e3, 1e6])))
    yield Fault("stamped earlier", "source.read", times(captured_s=-rng.choice([1e3, 1e6])))
    yield Fault("no time", "source.read", times(captured_s=float("nan")))
    yield Fault("film's clock back", "source.read", times(pts_s=-5.0), kinds=("film",))
    yield Fault("film's clock ahead", "source.read", times(pts_s=500.0), kinds=("film",))
    yield Fault("numbered anew", "source.read", times(frame_id=-1000000), ends=None, kinds=("film",))
    for name, does in {
        "larger": picture(lambda bgr: bgr.repeat(2, 0).repeat(2, 1)),
        "turned": picture(lambda bgr: np.ascontiguousarray(bgr[:48].swapaxes(0, 1))),
        "slower": late(0.012),
        "not in a row": picture(lambda bgr: bgr[:, ::-1]),
    }.items():
        yield Fault(f"{name} permanently", "source.read", does, lasts=True)


def tracker_faults(rng: random.Random) -> Iterator[Fault]:
    """Yield errors, NaN and invalid faces."""
    broken = TrackingError("the face mesh", "it is broken")
    yield Fault("mesh broken", "tracker.track", raises(broken), True, says="it is broken")
    yield Fault("mesh's library", "tracker.track", raises(_library(rng)), True, says="tracker: failed")
    yield Fault("mesh late", "tracker.track", late(rng.choice([0.02, 0.1])))
    for name, change in {
        "NaN": lambda xy: np.full_like(xy, np.nan),
        "one NaN": lambda xy: np.where(np.arange(956).reshape(478, 2) == 20, np.nan, xy),
        "infinite": lambda xy: xy * np.inf,
        "huge": lambda xy: xy * 1e9,
        "few": lambda xy: xy[:68],
        "flat": lambda xy: xy.ravel(),
        "in space": lambda xy: np.dstack([xy, xy])[0],
        "a point": lambda xy: xy * 0 + 20,
        "none": lambda xy: None,
        "outside": lambda xy: xy + 200,
        "whole numbers": lambda xy: xy.astype(int),
    }.items():
        yield Fault(f"landmarks {name}", "tracker.track", points(change))
    yield Fault("no person", "tracker.track", lambda _: ())
    yield Fault("no answer", "tracker.track", lambda _: None)
    yield Fault("no faces", "tracker.track", lambda _: (None, 7))
    yield Fault("twice the same", "tracker.track", lambda faces: faces * 2)
    for name, mask in {"nothing": None, "a word": "x", "three colours": np.ones((8, 8, 3), np.uint8),
                       "empty": np.ones((0, 8), np.uint8), "no person": np.zeros((8, 8), np.uint8),
                       "NaN": np.full((8, 8), np.nan, np.float32)}.items():  # fmt: skip
        yield Fault(f"person {name}", "segmenter", lambda _, mask=mask: mask)
    yield Fault("segmenter's library", "segmenter", raises(_library(rng)))
    yield Fault("segmenter broken for good", "segmenter", raises(_library(rng)), lasts=True)
    yield Fault("no person permanently", "tracker.track", lambda _: (), lasts=True)
    yield Fault("NaN permanently", "tracker.track", points(lambda xy: np.full_like(xy, np.nan)), lasts=True)


def engine_faults(rng: random.Random) -> Iterator[Fault]:
    """Yield errors, NaN, and wrong shapes and types."""
    yield Fault("device gone", "engine", raises(EngineError("style negative", "the device is gone")))
    yield Fault("engine's library", "engine", raises(_library(rng)))
    yield Fault("engine late", "engine", late(rng.choice([0.02, 0.1])))
    yield Fault("device gone for good", "engine", raises(EngineError("style negative", "it is gone")), lasts=True)
    yield Fault("NaN for good", "engine", lambda made: made * np.nan, lasts=True)
    for name, change in {
        "NaN": lambda made: made * np.nan,
        "one infinity": lambda made: np.where(np.arange(made.size).reshape(made.shape) == 9, np.inf, made),
        "enormous": lambda made: made * np.float32(1e30),
        "no colours": lambda made: made[..., 0],
        "too narrow": lambda made: made[:, :, 1:],
        "one too many": lambda made: np.concatenate([made, made]),
        "none": lambda made: made[:0],
        "nothing": lambda made: None,
        "a list": lambda made: made.tolist(),
        "doubles": lambda made: made.astype(np.float64),
        "bytes": lambda made: made.astype(np.uint8),
    }.items():
        yield Fault(f"engine gives {name}", "engine", change)


def sink_faults(rng: random.Random) -> Iterator[Fault]:
    """Yield blocked, refusing and vanished sinks; full and failing disks."""
    unplugged = raises(RuntimeError("device\nvanished"))
    yield Fault("driver gone", "driver.send", unplugged, True, LIVE, "no longer takes pictures")
    yield Fault("driver slow", "driver.send", late(rng.choice([0.02, 0.15])), kinds=LIVE)
    yield Fault("driver slow permanently", "driver.send", late(0.015), kinds=LIVE, lasts=True)
    closing = raises(RuntimeError("busy"))
    yield Fault("driver will not close", "driver.close", closing, None, LIVE, before="stop")
    yield Fault("window gone", "window.send", raises(_library(rng)), True, ("camera and window",), "window: failed")
    refused = raises(SinkError("preview window", "no screen"))
    yield Fault("window refuses", "window.pump", refused, True, ("camera and window",), "no screen")
    yield Fault("window slow", "window.send", late(0.1), kinds=("camera and window",))
    full, failed = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "Input/output error")
    films = ("camera and film", "film")
    yield Fault("disk full", "disk.write", raises(full), True, films, "no room is left")
    yield Fault("disk fails", "disk.write", raises(failed), True, films, "input/output error")
    yield Fault("disk slow", "disk.write", late(0.1), kinds=films)
    yield Fault("disk full at the end", "disk.finish", raises(full), None, films, "no room is left", "stop")
    calls = ("camera", "camera and window")
    yield Fault("disk full, recording", "disk.write", raises(full), False, calls, before="record")
    yield Fault("disk fails, recording", "disk.write", raises(failed), False, calls, before="record")
    yield Fault("disk full, recording ends", "disk.finish", raises(full), False, calls, before="record, end")


def other_faults(rng: random.Random) -> Iterator[Fault]:
    """Yield clock jumps, blocked folders and user commands."""
    for seconds in (3600.0, -3600.0, 1e7, 0.7, -0.7):
        yield Fault(f"clock jumps by {seconds:g} s", "clock", lambda by, seconds=seconds: by + seconds)
    for what in ("videos is a file", "pictures is a file", "videos vanish", "hurried recordings", "keys", "wrong keys"):
        yield Fault(what, "hand", lambda _: None, kinds=LIVE, before=what)
    for how in ("stop", "quit", "interrupt"):
        yield Fault(how, "hand", lambda _: None, True, before=how)


def starting_faults(rng: random.Random) -> Iterator[Fault]:
    """Yield failures and stops before the first frame."""
    for place, kinds in {"source.open": ALL, "tracker.open": ALL, "looks": ALL, "driver.open": LIVE,
                         "window.open": ("camera and window",)}.items():  # fmt: skip
        says = "" if place == "driver.open" else "failed"
        yield Fault(f"{place} fails", place, raises(_library(rng)), True, kinds, says or "virtual-camera")
        yield Fault(f"{place} slow", place, late(0.1), False, kinds)
    for fps in (0.0, -25.0, 1e9, float("nan"), float("inf")):
        yield Fault(f"reports {fps:g} fps", "source.open", lambda info, fps=fps: replace(info, fps=fps))
    yield Fault("reports another size", "source.open", lambda info: replace(info, size_wh=(0, -1)))
    for how in ("stop", "quit", "interrupt"):
        yield Fault(f"{how} at once", "", lambda _: None, True, before=how)


RUNNING = (source_faults, tracker_faults, engine_faults, sink_faults, other_faults)


def half_written(monkey: Any, meet: Callable[[str], Any]) -> None:
    """Make the disk of recordings fail on request: half of a block is written before the error."""
    real_write, real_finish = RecordingFile._write_all, RecordingFile.finish

    def write(self: RecordingFile, data: bytes) -> None:
        try:
            meet("disk.write")
        except OSError:
            real_write(self, data[: len(data) // 2])
            raise
        real_write(self, data)

    def finish(self: RecordingFile) -> None:
        try:
            meet("disk.finish")
        except OSError as failure:
            self.failure = failure
            raise
        real_finish(self)

    monkey.setattr(RecordingFile, "_write_all", write)
    monkey.setattr(RecordingFile, "finish", finish)


def films_in(folder: Path) -> list[Path]:
    """Return all recordings in the folder, complete or growing."""
    return [path for path in sorted(folder.rglob("*")) if path.suffix in (".mp4", ".mkv", ".mov")]
