"""Stand-ins for camera, tracker and network, with faults that tests switch on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from support.head_parts import NegativeEngine, stand_in_layer
from support.never_bare_judge import PLACES, SMALL_WH, scenes

from engines.errors import EngineError
from engines.looks import Look
from engines.looks_file import load_looks
from engines.regions.upright import FACE_OVAL
from engines.runtime.hot_swap import HotSwapEngine
from live.pipeline.frame import Face, Frame
from live.render.look_loader import LoadedLook, LookLoader
from live.sources.base import FrameSource, SourceInfo


class Troubles:
    """The faults that are switched on; read by the stand-ins."""

    def __init__(self) -> None:
        self.people, self.size_wh = 1, SMALL_WH
        self.faces = "found"
        self.tracker_s = self.engine_s = self.gap_s = 0.0
        self.engine = self.segmenter = self.source = "well"


class TroubledSource(FrameSource):
    """A camera with a moving portrait."""

    live = True

    def __init__(self, troubles: Troubles, *, interval_s: float) -> None:
        self._troubles, self._interval_s = troubles, interval_s
        self._frame_id = 0
        self._closed = threading.Event()

    def open(self) -> SourceInfo:
        return SourceInfo("portrait", SMALL_WH, 1 / self._interval_s)

    def read(self) -> Frame | None:
        if self._closed.wait(self._interval_s):
            return None
        troubles = self._troubles
        if troubles.source == "gone":
            raise TimeoutError
        scene = scenes(troubles.size_wh, troubles.people)[self._frame_id % PLACES]
        self._frame_id += 1
        bgr = scene.bgr.copy()
        if troubles.source == "empty":
            bgr = bgr[:0]
        elif troubles.source == "read-only":
            bgr.flags.writeable = False
        elif troubles.source == "turned":
            bgr = np.asfortranarray(scene.bgr)
        return Frame(bgr, self._frame_id - 1, time.monotonic())

    def close(self) -> None:
        self._closed.set()


class TroubledTracker:
    """Reports the faces of the scene; on request late, wrongly or not at all."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles

    def open(self) -> None:
        """Load nothing."""

    def track(self, frame: Frame) -> tuple[Face, ...]:
        trouble, people = self._troubles.faces, self._troubles.people
        time.sleep(self._troubles.tracker_s)
        true = next(
            (s.faces for n in (people, 3 - people) for s in (scenes(frame.size_wh, n)[frame.frame_id % PLACES],)
             if np.array_equal(s.bgr, frame.bgr)), (),
        )  # fmt: skip
        if trouble == "lost":
            return ()
        if trouble == "one lost":
            return true[:-1]
        return (*true[:-1], _unsure(true[-1], trouble)) if true and trouble != "found" else true

    def close(self) -> None:
        """Release nothing."""


def _unsure(face: Face, how: str) -> Face:
    """Return the face with implausible landmarks."""
    xy = face.landmarks_xy.copy()
    rng = np.random.default_rng(len(how))
    if how == "nan":
        xy[rng.permutation(478)[:40]] = np.nan
        xy[FACE_OVAL[3]] = np.nan
    elif how == "collapsed":
        xy[:] = xy.mean(0)
    elif how == "twisted":
        xy[FACE_OVAL] = xy[FACE_OVAL][rng.permutation(len(FACE_OVAL))]
    elif how == "huge":
        xy *= 1e6
    elif how == "short":
        xy = xy[:300]
    elif how == "away":
        xy += 5000
    elif how == "tiny":
        xy = xy.mean(0) + (xy - xy.mean(0)) * 0.05
    return replace(face, landmarks_xy=xy)


class TroubledEngine(NegativeEngine):
    """Gives the negative, or invalid output."""

    def __init__(self, troubles: Troubles) -> None:
        super().__init__("picture")
        self._troubles = troubles

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        trouble, made = self._troubles.engine, super().infer(regions_bgr)
        time.sleep(self._troubles.engine_s)
        if trouble == "nan":
            made[:, ::7] = np.nan
        elif trouble == "raises":
            raise EngineError("style negative", "the device is gone")
        elif trouble == "breaks":
            raise [RuntimeError("CUDA error"), ValueError(), KeyError("x")][regions_bgr.size % 3]
        elif trouble == "flat":
            made = made[..., 0]
        elif trouble == "narrow":
            made = made[:, :, :4]
        elif trouble == "short":
            made = made[:-1]
        elif trouble == "bytes":
            return regions_bgr  # type: ignore[return-value]
        elif trouble == "nothing":
            return None  # type: ignore[return-value]
        return made


class TroubledLookLoader(LookLoader):
    """Loads looks with the stand-in engine; loading may be slow or fail."""

    def __init__(
        self,
        looks: dict[str, Look],
        troubles: Troubles,
        *,
        slow_s: float,
        broken: str,
        say: Callable[[str], None] = print,
    ) -> None:
        super().__init__(looks, runtime="auto", say=say)
        self._engine, self._slow_s, self._broken = HotSwapEngine(TroubledEngine(troubles)), slow_s, broken

    def load(self, name: str) -> LoadedLook:
        if name in self._loaded:
            return self._loaded[name]
        if self._loaded:  # the first look loads at once
            time.sleep(self._slow_s)
        if name == self._broken:
            raise EngineError(f"look {name}", "it cannot be made here")
        look, layers = self._looks[name], []
        for layer in look.layers:
            if layer.region == "lips":
                return super().load(name)
            layers.append(stand_in_layer(self._engine, layer.region, strength=layer.strength))
        self._loaded[name] = LoadedLook(look, tuple(layers))
        return self._loaded[name]


def the_looks() -> dict[str, Look]:
    """Return a bare look, a make-up look, and covering looks with every kind of fallback."""
    shipped = load_looks()
    toon, sketch = shipped["toon"], shipped["sketch"]
    head = replace(toon, name="head", layers=toon.layers[1:], no_face="card")
    brief = replace(sketch, name="brief", hold_s=0.1, then="card")
    always = replace(toon, name="always", no_face="blur")
    found = (shipped["none"], shipped["matte-red"], toon, sketch, head, brief, always)
    return {look.name: look for look in found}
