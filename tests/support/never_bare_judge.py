"""Scenes with known faces, and a judge that detects bare faces on output frames.

The stand-in for the engine draws the negative. So a drawn face resembles its own negative, a bare face itself, and a
blur or a card neither: the judge does not depend on how the program made the frame.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from support.head_parts import portrait_face

from engines.looks import Look
from engines.regions.upright import FACE_OVAL
from live.control.controls import Controls, ControlState
from live.pipeline.frame import Face, Frame, ImageU8
from live.render.privacy_fallback import card
from live.sinks.base import FrameSink

SMALL_WH, LARGE_WH = (320, 240), (400, 300)
PLACES = 8  # positions of the portrait; frame i shows position i modulo 8
_LEAST_LIKENESS = 0.55


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture of the camera, and the faces on it."""

    bgr: ImageU8
    faces: tuple[Face, ...]


@cache
def scenes(size_wh: tuple[int, int], people: int) -> tuple[Scene, ...]:
    """Return the portrait at several positions, once or twice on the frame."""
    portrait, face = portrait_face()
    made = []
    for place in range(PLACES):
        scale = size_wh[1] / 512 * (1.25 if people == 1 else 0.8) * (1 + 0.1 * np.sin(place))
        bgr = np.full((size_wh[1], size_wh[0], 3), (168, 176, 170), np.uint8)
        faces = []
        for person in range(people):
            middle = (0.5 if people == 1 else 0.25 + 0.5 * person) + 0.04 * np.sin(2.1 * place + person)
            down = (0.03 + 0.015 * np.cos(place)) * size_wh[1]
            matrix = np.array([[scale, 0, middle * size_wh[0] - 224 * scale], [0, scale, down]], np.float32)
            half = slice(None) if people == 1 else slice(person * size_wh[0] // 2, (person + 1) * size_wh[0] // 2)
            bgr[:, half] = cv2.warpAffine(portrait, matrix, size_wh, borderMode=cv2.BORDER_REPLICATE)[:, half]
            xy = face.landmarks_xy @ matrix[:, :2].T + matrix[:, 2]
            faces.append(Face(person, xy.astype(np.float32)))
        made.append(Scene(bgr, tuple(faces)))
    return tuple(made)


def _detail(bgr: ImageU8) -> NDArray[np.float32]:
    grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), 3), np.float32)


@cache
def _windows(size_wh: tuple[int, int]) -> tuple[tuple[tuple[slice, slice], NDArray[np.float32]], ...]:
    """Return the boxes of all faces at this frame size, straight and mirrored, and their fine detail."""
    windows = []
    for scene in scenes(size_wh, 1) + scenes(size_wh, 2):
        detail = _detail(scene.bgr)
        for face in scene.faces:
            low, high = (np.rint(edge(face.landmarks_xy[FACE_OVAL], axis=0)).astype(int) for edge in (np.min, np.max))
            rows, columns = slice(max(0, low[1] + 8), high[1] - 4), slice(low[0] + 6, high[0] - 6)
            windows.append(((rows, columns), detail[rows, columns]))
            turned = slice(size_wh[0] - columns.stop, size_wh[0] - columns.start)
            windows.append(((rows, turned), detail[rows, columns][:, ::-1]))
    return tuple(windows)


def bareness(bgr: ImageU8) -> tuple[float, float]:
    """Return how the least and the most hidden face looks: 1 as captured, -1 as its negative, 0 no face."""
    detail, seen = _detail(bgr), [0.0]
    for where, face in _windows((bgr.shape[1], bgr.shape[0])):
        part = detail[where]
        power = float((face * face).sum())
        shared = float((part * face).sum())
        likeness = shared / (np.sqrt(power * float((part * part).sum())) + 1e-6)
        if abs(likeness) > _LEAST_LIKENESS:
            seen.append(shared / power)
    return max(seen), min(seen)


def _is_card(bgr: ImageU8) -> bool:
    """Whether it is the card, up to video compression."""
    return float(np.abs(bgr.astype(np.int16) - card((bgr.shape[1], bgr.shape[0]))).mean()) < 2.0


def is_smooth(bgr: ImageU8) -> bool:
    """Whether the picture has no detail finer than the blur's."""
    return float(np.abs(_detail(bgr)).max()) < 12.0


@dataclass
class Judge:
    """Checks each output frame against the control state at that time."""

    looks: dict[str, Look]
    violations: list[str] = field(default_factory=list)
    judged: dict[str, int] = field(default_factory=lambda: {"card": 0, "blur": 0, "drawn": 0, "free": 0})
    _known: dict[int, tuple[ImageU8, str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, where: str, bgr: ImageU8, state: ControlState, *, gated: bool = True) -> None:
        kind, seen = self._kind(bgr)
        look = self.looks[state.look]
        with self._lock:
            if gated and state.panic:
                self._count("card", where, kind == "card", f"{kind} instead of the card")
            elif not _guarded(look) or state.strength < 0.5:
                self.judged["free"] += 1
            elif kind in ("card", "blur"):
                self.judged[kind] += 1
            else:  # at strength s the negative is seen at 1 - 2 s
                well = seen < 1.35 - 2 * state.strength
                self._count("drawn", where, well, f"a face at {seen:+.2f} under {state.look} at {state.strength}")

    def _count(self, kind: str, where: str, well: bool, what: str) -> None:
        self.judged[kind] += 1
        if not well:
            self.violations.append(f"{where}: {what}")

    def _kind(self, bgr: ImageU8) -> tuple[str, float]:
        known = self._known.get(id(bgr))
        if known is not None and known[0] is bgr:
            return known[1], known[2]
        most, least = bareness(bgr)
        if _is_card(bgr):
            kind, seen = "card", 0.0
        elif is_smooth(bgr):
            kind, seen = "blur", most
        else:
            kind, seen = "drawn", most if most > 0.0 else least
        self._known[id(bgr)] = bgr, kind, seen
        return kind, seen


def _guarded(look: Look) -> bool:
    return look.covers and look.final_fallback != "raw"


class WatchedControls(Controls):
    """Records what each thread read last, so that a sink knows the state its sender used."""

    def __init__(self, look_names: Sequence[str], **start: Any) -> None:
        self.seen = threading.local()
        super().__init__(look_names, **start)

    def read(self) -> ControlState:
        state = super().read()
        self.seen.state, self.seen.reads = state, getattr(self.seen, "reads", 0) + 1
        return state


class JudgedSink(FrameSink):
    """Judges every frame; with `main_thread` like a window, otherwise like a camera."""

    def __init__(self, judge: Judge, controls: WatchedControls, *, name: str, live: bool, main_thread: bool) -> None:
        self.name, self.live, self.main_thread = name, live, main_thread
        self._judge, self._controls, self._reads = judge, controls, 0
        self.frames = 0
        self.opened = self.closed = 0

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        self.opened += 1

    def send(self, frame: Frame) -> None:
        reads = self._controls.seen.reads
        if reads == self._reads:
            self._judge.violations.append(f"{self.name}: the controls were not read for this frame")
        self._reads = reads
        self.frames += 1
        self._judge.judge(self.name, frame.bgr, self._controls.seen.state)

    def close(self) -> None:
        self.closed += 1
