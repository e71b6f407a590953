"""Stand-ins for the boundaries of a run: camera, tracker, network, driver, window; with faults on request.

The person finder is replaced too, because its models load longer than a run lasts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.fakes_virtualcam import FakeVirtualCamera
from support.head_parts import NegativeEngine, portrait_face

from engines.looks import Look
from engines.runtime.hot_swap import HotSwapEngine
from engines.style_lookup import load_style
from live.pipeline.frame import Face, Frame, ImageU8
from live.render.look_loader import LoadedLayer, LoadedLook, LookLoader
from live.sinks.base import FrameSink
from live.sources.base import FrameSource, SourceInfo

Action = Callable[[Any], Any]


class Orders:
    """One fault per place, applied to the next call there, or to all later calls."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}
        self._lasting: dict[str, Action] = {}
        self.met = threading.Event()

    def give(self, place: str, action: Action, *, lasts: bool = False) -> None:
        self.met.clear()
        (self._lasting if lasts else self._actions)[place] = action

    def calm(self) -> None:
        """End all lasting faults."""
        self._lasting.clear()

    def meet(self, place: str, value: Any = None) -> Any:
        action = self._actions.pop(place, None) or self._lasting.get(place)
        if action is None:
            return value
        self.met.set()
        return action(value)


@dataclass
class Ledger:
    """What was opened and closed."""

    opened: int = 0
    closed: int = 0


class Source(FrameSource):
    """A tiny camera, or with `frames` a film of so many."""

    def __init__(self, orders: Orders, *, frames: int | None) -> None:
        self.live, self._frames, self._orders = frames is None, frames, orders
        self.ledger = Ledger()
        self._frame_id = 0
        self._closed = threading.Event()
        portrait, _ = portrait_face()
        self._bgr = np.ascontiguousarray(portrait[:384:6, :384:6])

    def open(self) -> SourceInfo:
        self.ledger.opened += 1
        info: SourceInfo = self._orders.meet("source.open", SourceInfo("tiny", (64, 64), 30.0, self._frames))
        return info

    def read(self) -> Frame | None:
        if self._closed.wait(0.004 if self.live else 0.0) or self._frame_id == self._frames:
            return None
        pts_s = None if self.live else self._frame_id / 30
        frame = Frame(self._bgr.copy(), self._frame_id, time.monotonic(), pts_s)
        self._frame_id += 1
        answer: Frame | None = self._orders.meet("source.read", frame)
        return answer

    def close(self) -> None:
        self._closed.set()
        self.ledger.closed += 1


class Tracker:
    """Gives the face at its known position."""

    def __init__(self, orders: Orders) -> None:
        self._orders, self.ledger = orders, Ledger()
        _, face = portrait_face()
        self._face = replace(face, landmarks_xy=face.landmarks_xy / 6)

    def open(self) -> None:
        self.ledger.opened += 1
        self._orders.meet("tracker.open")

    def track(self, frame: Frame) -> tuple[Face, ...]:
        faces: tuple[Face, ...] = self._orders.meet("tracker.track", (self._face,))
        return faces

    def close(self) -> None:
        self.ledger.closed += 1


class Persons:
    """Finds a person everywhere."""

    orders: Orders
    untracked_heads, outlined, heads = False, None, ()

    def __init__(self, *, still: bool = False) -> None:
        """Ignore the mode."""

    def mask(self, frame_bgr: ImageU8) -> ImageU8:
        mask: ImageU8 = self.orders.meet("segmenter", np.full((32, 32), 255, np.uint8))
        return mask

    def begin(self, frame_bgr: ImageU8, at_s: float) -> None:
        """Do nothing: the segmentation waits for `persons`."""

    def search_due(self) -> None:
        """Do nothing."""

    def persons(self, frame_bgr: ImageU8, faces: Sequence[Face], at_s: float) -> ImageU8:
        return self.mask(frame_bgr)

    def close(self) -> None:
        """Release nothing."""


class Engine(NegativeEngine):
    """Gives the negative, with faults."""

    def __init__(self, orders: Orders) -> None:
        super().__init__("picture")
        self._orders, self.ledger = orders, Ledger(opened=1)

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        made: NDArray[np.float32] = self._orders.meet("engine", super().infer(regions_bgr))
        return made

    def close(self) -> None:
        self.ledger.closed += 1


class TinyLookLoader(LookLoader):
    """Loads looks with tiny crops."""

    def __init__(self, looks: dict[str, Look], orders: Orders, say: Callable[[str], None]) -> None:
        super().__init__(looks, runtime="auto", say=say)
        self._orders, self.engine = orders, Engine(orders)

    def load(self, name: str) -> LoadedLook:
        if name not in self._loaded:
            self._orders.meet("looks")
            regions = ("person", "head") if name == "toon" else ()
            styles = [replace(load_style("toon"), region=region, size_wh=(32, 32)) for region in regions]
            layers = tuple(LoadedLayer(style, 1.0, HotSwapEngine(self.engine)) for style in styles)
            self._loaded[name] = LoadedLook(self._looks[name], layers)
        return self._loaded[name]

    def close(self) -> None:
        super().close()
        self.engine.close()


class Driver(FakeVirtualCamera):
    """The virtual camera's driver."""

    orders: Orders
    ledger: Ledger

    def __init__(self, *size: Any, **keywords: Any) -> None:
        self.orders.meet("driver.open")
        super().__init__(*size, **keywords)
        self.ledger.opened += 1

    def send(self, frame: NDArray[np.uint8]) -> None:
        self.orders.meet("driver.send")
        super().send(frame)
        self.sent = getattr(self, "sent", 0) + 1
        del self.frames[:-1]

    def close(self) -> None:
        self.ledger.closed += 1
        self.orders.meet("driver.close")


class Window(FrameSink):
    """A sink that requires the main thread."""

    name, live, main_thread = "window", True, True

    def __init__(self, orders: Orders) -> None:
        self._orders, self.ledger = orders, Ledger()

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        self.ledger.opened += 1
        self._orders.meet("window.open")

    def send(self, frame: Frame) -> None:
        self._orders.meet("window.send")

    def pump(self) -> None:
        self._orders.meet("window.pump")

    def close(self) -> None:
        self.ledger.closed += 1
        self._orders.meet("window.close")
