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
    """Return the report of a finished or running pipeline.

    `frames_in` = `frames_out` + `dropped` + `in_flight`: those in flight are between the source and the first sink, or
    were when the run ended.
    """
    from live.render.privacy_policy import rule_line  # `versions` needs no library

    look = pipeline.parts.controls.read().look
    selected = pipeline.parts.look_loader.looks.get(look)
    dropped = pipeline.dropped  # first: a frame that is dropped meanwhile still counts as in flight
    timings = pipeline.timings.report()
    return timings | {
        "dropped": dropped,
        "in_flight": timings["frames_in"] - timings["frames_out"] - dropped,
        "sinks": pipeline.sinks.counts(),
        "engines": [asdict(info) for info in pipeline.parts.look_loader.engines(look)],
        "look": look,
        "privacy_rule": rule_line(selected) if selected is not None else "",
        "versions": versions(),
    }
