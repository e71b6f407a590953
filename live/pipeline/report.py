"""The report of a run."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import OptionsError
from engines.files import atomic_write

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
    look = pipeline.parts.controls.read().look
    dropped = pipeline.dropped  # first: a frame that is dropped meanwhile still counts as in flight
    timings = pipeline.timings.report()
    return timings | {
        "dropped": dropped,
        "in_flight": timings["frames_in"] - timings["frames_out"] - dropped,
        "sinks": pipeline.sink_counts(),
        "engines": [asdict(info) for info in pipeline.parts.look_loader.engines(look)],
        "look": look,
        "versions": versions(),
    }


def check_writable(path: Path) -> None:
    """Check before the run that the report can be written after it.

    Raises:
        OptionsError: The folder is missing or not writeable.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OptionsError(f"--report {path}", f"there is no folder {folder}", "create it first")
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise OptionsError(f"--report {path}", "it cannot be written", "choose a file in a folder you may write to")


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write the report as JSON.

    Raises:
        OptionsError: The file cannot be written.
    """
    try:
        atomic_write(path, json.dumps(report, indent=2) + "\n")
    except OSError as error:
        reason = error.strerror or str(error)
        raise OptionsError(f"--report {path}", reason, "free some disk space or choose another file") from error
