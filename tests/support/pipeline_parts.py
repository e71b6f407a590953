"""Small pipelines for tests: numbered frames, and a run in the background."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from support.fakes import FakeTracker
from support.patience import ends_soon

from engines.errors import VeneerError
from engines.looks_file import load_looks
from live.control.controls import Controls
from live.pipeline.frame import Frame, ImageU8
from live.pipeline.pipeline import Parts, Pipeline
from live.render.look_loader import LookLoader

__all__ = ["ends_soon", "in_background", "number_of", "numbered", "pipeline"]


def numbered(index: int) -> ImageU8:
    """Return a small frame that encodes its number."""
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, :, 0] = index % 256
    frame[:, :, 1] = index // 256
    return frame


def number_of(frame: Frame) -> int:
    return int(frame.bgr[0, 0, 0]) + 256 * int(frame.bgr[0, 0, 1])


def pipeline(
    source: Any, sinks: list[Any], *, tracker: Any = None, look: str = "none", looks: Any = None, **more: Any
) -> Pipeline:
    found = looks or load_looks()
    controls = Controls(tuple(found), look=look)
    look_loader = more.pop("look_loader", None) or LookLoader(found, runtime="auto", say=lambda line: None)
    parts = Parts(source, tracker or FakeTracker(), sinks, look_loader, controls)
    return Pipeline(parts, say=more.pop("say", lambda line: None), **more)


def in_background(run: Pipeline) -> tuple[threading.Thread, list[VeneerError]]:
    errors: list[VeneerError] = []

    def work() -> None:
        try:
            run.run()
        except VeneerError as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, errors
