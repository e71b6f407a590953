"""A small run with faults at every boundary, and checks for what it leaves open.

The pipeline and its threads, the recording, the virtual camera's sink and the files are real.
"""

from __future__ import annotations

import functools
import gc
import operator
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.fault_standins import Action, Driver, Ledger, Orders, Persons, Source, TinyLookLoader, Tracker, Window
from support.patience import QUICK_S, Patience

from engines.errors import VeneerError
from engines.looks import Look
from engines.looks_file import load_looks
from live.control.controls import Command, Controls, ControlState
from live.pipeline.frame import Frame
from live.pipeline.pipeline import Parts, Pipeline
from live.recording.recorder import Recorder
from live.sinks.base import FrameSink
from live.sinks.video_file import VideoFileSink
from live.sinks.virtual_camera import VirtualCameraSink

FPS = 100.0
real_monotonic = time.monotonic


@functools.cache
def _looks() -> dict[str, Look]:
    """The looks of every run; reading them takes longer than some runs last."""
    return {name: found for name, found in load_looks().items() if name in ("none", "toon")}


class Bench:
    """One run, from start to end."""

    def __init__(self, folder: Path, *, kind: str, look: str, early: tuple[str, Action] | None = None) -> None:
        folder.mkdir(parents=True)
        self.orders, self.folder, self.kind = Orders(), folder, kind
        gc.collect()
        self._threads, self._handles = set(threading.enumerate()), handles()
        self.messages: list[str] = []
        self.errors: list[VeneerError] = []
        self.tracebacks: list[str] = []
        self.frame_id = -1
        Persons.orders = self.orders
        looks = _looks()
        self.controls = Controls(tuple(looks), look=look)
        self.look_loader = TinyLookLoader(looks, self.orders, self.messages.append)
        self.source, self.tracker = Source(self.orders, frames=300 if kind == "film" else None), Tracker(self.orders)
        driver = type("Driver", (Driver,), {"orders": self.orders, "ledger": Ledger()})
        self.driver_ledger, self.window = driver.ledger, Window(self.orders)
        self.files: list[Path] = []
        self.capture = Recorder(
            self.controls, say=self.messages.append, fps=FPS, pictures_dir=folder / "p", videos_dir=folder / "v"
        )
        parts = Parts(self.source, self.tracker, self._sinks(kind, driver), self.look_loader, self.controls)
        self.run = Pipeline(parts, fps=FPS, say=self.messages.append, on_frame=self._on_frame)
        if early is not None:
            self.orders.give(*early)
        self._hook = threading.excepthook
        threading.excepthook = self._note_traceback
        self.thread = threading.Thread(target=self._work, name="run", daemon=True)
        self.thread.start()

    def _sinks(self, kind: str, driver: Any) -> list[FrameSink]:
        camera = VirtualCameraSink("/dev/video10", camera=driver, lock_dir=self.folder)
        suffix = {"film": ".mp4", "camera and film": ".mkv"}.get(kind)
        if suffix is not None:
            self.files.append(self.folder / f"film{suffix}")
        film = [VideoFileSink(path) for path in self.files]
        return film if kind == "film" else [camera, *film, *([self.window] if kind == "camera and window" else [])]

    def _note_traceback(self, args: threading.ExceptHookArgs) -> None:
        self.tracebacks.append(f"{args.thread and args.thread.name}: {args.exc_type.__name__}: {args.exc_value}")

    def _work(self) -> None:
        try:
            self.run.run()
        except VeneerError as error:
            self.errors.append(error)

    def _on_frame(self, frame: Frame, state: ControlState) -> None:
        self.capture(frame, state)
        self.frame_id = frame.frame_id

    @property
    def ended(self) -> bool:
        return not self.thread.is_alive()

    def frames_arrive(self) -> bool:
        """Whether new frames come out within 2 s, at each sink."""
        at, sent = self.frame_id, self._sent()
        return self.wait(lambda: self.frame_id > at + 2 and all(map(operator.gt, self._sent(), sent)))

    def _sent(self) -> list[int]:
        return [sender.sent for sender in self.run.sinks.senders] or [0] * len(self.run.parts.sinks)

    def wait(self, until: Callable[[], Any], timeout_s: float = QUICK_S) -> bool:
        """Whether the condition becomes true in time, before the run ends."""
        patience = Patience(timeout_s)
        while not until() and not self.ended and patience.lasts():
            time.sleep(0.001)
        return bool(until()) and patience.lasts()

    def stop(self, how: str) -> None:
        if how == "quit":
            self.controls.apply(Command("quit"))
        else:
            getattr(self.run, how)()

    def left_behind(self) -> list[str]:
        """What is wrong once the run is over: one line each."""
        self.capture.close()
        threading.excepthook = self._hook
        wrong = [f"traceback in {line}" for line in self.tracebacks]
        patience = Patience()
        while (more := set(threading.enumerate()) - self._threads) and patience.lasts():
            time.sleep(0.001)
        wrong += [f"thread {thread.name} is left" for thread in more]
        for name, ledger in (
            ("source", self.source.ledger),
            ("tracker", self.tracker.ledger),
            ("virtual camera", self.driver_ledger),
            ("window", self.window.ledger),
            ("engine", self.look_loader.engine.ledger),
        ):
            if ledger.opened > ledger.closed:
                wrong.append(f"{name} opened {ledger.opened} times, closed {ledger.closed} times")
        wrong += [f"not one line: {line!r}" for line in [*map(str, self.errors), *self.messages] if "\n" in line]
        wrong += [f"not our error: {error!r}" for error in self.errors if not isinstance(error, VeneerError)]
        gc.collect()
        if handles() > self._handles:
            wrong.append(f"{handles() - self._handles} file handles are left")
        return wrong


def handles() -> int:
    """Open files of this process."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0
