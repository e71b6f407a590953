"""The camera, size and frame rate of a run: what this machine offers, and what is selected."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.errors import OptionsError
from live.option_values import Size, parse_size
from live.options import LiveOptions
from live.sinks.virtual_camera_help import loopback_devices
from live.sources.base import FrameSource
from live.sources.camera_devices import CameraDevices
from live.sources.camera_modes import camera_modes
from live.sources.source_factory import open_source

DEMO = "demo"
_NUMBERED = 4  # cameras that are offered on systems without a list of them
_FPS_RANGE = 1, 240


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """A source, and the size and frame rate that are requested from it."""

    source: str
    size_wh: Size
    fps: float

    @classmethod
    def of(cls, options: LiveOptions) -> SourceChoice:
        """Return that of the options."""
        return cls(options.source, Size(*options.size_wh), options.fps)

    @property
    def is_camera(self) -> bool:
        """Whether it names a camera or the demo, and no file."""
        return self.source == DEMO or self.source.isdecimal() or self.source.startswith("/dev/")

    def open(self, *, paced: bool) -> FrameSource:
        """Create the source; see `open_source`."""
        return open_source(self.source, size_wh=self.size_wh, fps=self.fps, pace=paced)

    def changed(self, argument: str, names: Sequence[str]) -> SourceChoice:
        """Return the choice after a command: NAME, WxH and a frame rate ("30fps"), each of which may be missing.

        Args:
            names: Of the sources that are offered.

        Raises:
            OptionsError: The name is not offered, or a value is out of range.
        """
        choice = self
        for word in argument.split():
            if "x" in word.lower() and word[:1].isdigit():
                choice = dataclasses.replace(choice, size_wh=parse_size(word))
            elif word.lower().endswith("fps"):
                choice = dataclasses.replace(choice, fps=_rate(word[:-3]))
            else:
                choice = dataclasses.replace(choice, source=_offered(word, names))
        return choice

    def __str__(self) -> str:
        """As the command takes it."""
        return f"{self.source} {self.size_wh} {self.fps:g}fps"


def offers(current: str = "") -> list[dict[str, Any]]:
    """Return the name, label and modes of each camera, then the demo; `current` is always among them.

    A mode is [width, height, [frame rates]].
    """
    nodes = CameraDevices().nodes()
    found: list[dict[str, Any]] = []
    if nodes is None:
        numbers = range(_NUMBERED)
        found += [{"name": str(number), "label": f"Camera {number}", "modes": []} for number in numbers]
    else:
        names = {node.path: f"{node.name or 'Camera'} ({node.path})" for node in nodes}
        found += [{"name": path, "label": label, "modes": _modes(path)} for path, label in names.items()]
    found.append({"name": DEMO, "label": "Demo portrait", "modes": []})
    if current and as_offered(current) not in [one["name"] for one in found]:
        label = f"Camera {current}" if current.isdecimal() else Path(current).name
        found.insert(0, {"name": as_offered(current), "label": label, "modes": []})
    return found


def as_offered(source: str) -> str:
    """Return the name under which a source is offered: of camera 2 on Linux "/dev/video2"."""
    return f"/dev/video{source}" if source.isdecimal() and sys.platform.startswith("linux") else source


def first_camera() -> str:
    """Return the name of the first camera that is no virtual one, else of the first; "0" without any."""
    nodes = [node.path for node in CameraDevices().nodes() or []]
    virtual = {str(path) for path in loopback_devices()} if nodes else set()
    return next((path for path in nodes if path not in virtual), nodes[0] if nodes else "0")


def is_there(source: str) -> bool:
    """Whether a remembered source can be tried; on systems without a list of cameras always."""
    nodes = CameraDevices().nodes()
    return source == DEMO or nodes is None or as_offered(source) in [node.path for node in nodes]


def _modes(path: str) -> list[list[Any]]:
    return [[width, height, rates] for (width, height), rates in camera_modes(path).items()]


def _offered(name: str, names: Sequence[str]) -> str:
    if as_offered(name) not in names:
        raise OptionsError(f"camera {name[:60]}", "there is no such camera", f"choose from: {', '.join(names)}")
    return name


def _rate(text: str) -> float:
    low, high = _FPS_RANGE
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not low <= fps <= high:
        raise OptionsError(f"camera {text[:20]}fps", "out of range", f"use {low}fps to {high}fps")
    return fps
