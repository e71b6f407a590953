"""The report of a run, and what it ran on."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import OptionsError

if TYPE_CHECKING:
    from live.pipeline.pipeline import Pipeline

_LIBRARIES = ("veneer", "torch", "mediapipe", "openvino", "opencv-contrib-python", "numpy", "av", "pyvirtualcam")


def versions() -> dict[str, str]:
    """Versions of Python, the system and the libraries that matter, without importing them."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def run_report(pipeline: Pipeline) -> dict[str, Any]:
    """The report of one finished (or running) pipeline."""
    numbers = pipeline.timings.report()
    look = pipeline.parts.controls.read().look
    return {
        "frames_in": numbers["frames_in"],
        "frames_out": numbers["frames_out"],
        "dropped": pipeline.dropped,
        "faces_found": numbers["faces_found"],
        "fps": numbers["fps"],
        "latency_ms": numbers["latency_ms"],
        "stages_ms": numbers["stages_ms"],
        "engines": [info.as_dict() for info in pipeline.parts.look_loader.engines(look)],
        "look": look,
        "versions": versions(),
    }


def check_writable(path: Path) -> None:
    """Say before the work that the report cannot be written after it.

    Raises:
        OptionsError: no such folder, or no right to write there.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OptionsError(f"--report {path}", f"there is no folder {folder}", "make it first")
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise OptionsError(f"--report {path}", "it cannot be written", "name a file in a folder of yours")


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write JSON aside and rename it.

    Raises:
        OptionsError: the disk does not take it.
    """
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        why = error.strerror or str(error)
        raise OptionsError(f"--report {path}", why, "free some room or name another file") from error
