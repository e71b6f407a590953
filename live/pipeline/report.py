"""The report of a run."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from live.pipeline.pipeline import Pipeline

_LIBRARIES = ("veneer", "torch", "mediapipe", "openvino", "opencv-contrib-python", "numpy", "av", "pyvirtualcam")


def versions() -> dict[str, str]:
    """Return the versions of Python, the system and the main libraries, without importing them."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def run_report(pipeline: Pipeline) -> dict[str, Any]:
    """Return the report of a finished or running pipeline."""
    look = pipeline.parts.controls.read().look
    return pipeline.timings.report() | {
        "dropped": pipeline.dropped,
        "engines": [asdict(info) for info in pipeline.parts.look_loader.engines(look)],
        "look": look,
        "versions": versions(),
    }
