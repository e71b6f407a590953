"""Tries every link of the chain on this machine, and says of each what it found and what to do."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import VeneerError
from engines.looks import load_looks, user_file
from engines.styles import load_style, style_names
from live.diagnostics import device_checks
from live.options import load_options, settings_file
from live.pipeline.report import versions


@dataclass(frozen=True, slots=True)
class Check:
    """One link of the chain.

    Attributes:
        name: which link.
        ok: it was tried and works.
        says: what was found.
        do: the remedy where it does not work.
        needed: the program cannot do its main job without it.
    """

    name: str
    ok: bool
    says: str
    do: str = ""
    needed: bool = True


_OPTIONAL = ("idle", "window", "global keys", "veneer ctl", "video files")


def examine(only: Collection[str] | None = None) -> Iterator[Check]:
    """All checks, one after the other, or those of these names; none raises."""
    checks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("settings", _settings),
        ("camera", lambda: Check("camera", *device_checks.camera())),
        ("face model", _face_model),
        *((f"engine {name}", lambda name=name: _engine(name)) for name in style_names()),
        ("virtual camera", lambda: Check("virtual camera", *device_checks.virtual_camera())),
        ("idle", lambda: Check("idle", *device_checks.idle(), needed=False)),
        ("window", lambda: Check("window", *device_checks.window(), needed=False)),
        ("global keys", lambda: Check("global keys", *device_checks.global_keys(), needed=False)),
        ("veneer ctl", _ctl),
        ("video files", _video_files),
    )
    for name, check in checks:
        if only is not None and name not in only:
            continue
        try:
            yield check()
        except VeneerError as error:
            yield Check(name, False, f"{error.asked}: {error.got}", error.do, name not in _OPTIONAL)
        except Exception as error:  # the doctor's own patient may fail in any way: it is a finding
            says = f"{type(error).__name__}: {error}"
            yield Check(name, False, says, "reinstall veneer, or report this line", name not in _OPTIONAL)


def as_report(checks: list[Check]) -> dict[str, Any]:
    """For `--json`."""
    fit = all(check.ok or not check.needed for check in checks)
    return {"ok": fit, "checks": [asdict(check) for check in checks], "versions": versions()}


def _settings() -> Check:
    load_options({})
    looks = load_looks()
    where = f"{settings_file()} ({'read' if settings_file().is_file() else 'none yet'}), "
    where += f"{user_file()} ({'read' if user_file().is_file() else 'none yet'})"
    return Check("settings", True, f"{len(looks)} looks; {where}")


def _face_model() -> Check:
    from live.pipeline.frame import Frame
    from live.portrait import portrait_bgr
    from live.tracking.face_mesh import FaceMeshTracker

    tracker = FaceMeshTracker()
    try:
        tracker.open()
        picture_bgr = portrait_bgr()
        took_ms, faces = [], 0
        for index in range(10):
            started_s = time.perf_counter()
            faces = len(tracker.track(Frame(picture_bgr, index, time.monotonic())))
            took_ms.append((time.perf_counter() - started_s) * 1e3)
    finally:
        tracker.close()
    says = f"finds {faces} face on the built-in portrait in {np.median(took_ms):.1f} ms"
    return Check("face model", faces == 1, says, "" if faces == 1 else "reinstall mediapipe==0.10.21")


def _engine(name: str) -> Check:
    """The engine that live would use, held against the FP32 reference on the probe that chose its precision."""
    from engines.build.failed_builds import all_failures
    from engines.runtime.probe import probe_bgr, within_tolerance
    from engines.runtime.selector import open_engine
    from engines.runtime.torch.reference_engine import TorchEngine

    style = load_style(name)
    regions_bgr = probe_bgr(style.size_wh)
    engine = open_engine(style)
    took_ms = []
    try:
        for _ in range(20):
            started_s = time.perf_counter()
            got = engine.infer(regions_bgr)
            took_ms.append((time.perf_counter() - started_s) * 1e3)
        got = got.copy()  # the engine's own memory
        info = engine.info
    finally:
        engine.close()
    reference = TorchEngine(style, why="").infer(regions_bgr)
    off = np.abs(got - reference)
    says = f"{info.runtime} {info.precision} on {info.device}, {np.median(took_ms):.2f} ms, "
    says += f"{off.mean():.3f} on average and {off.max():.3f} at most of 255 off the FP32 reference ({info.why})"
    says += f"; calibration: {info.verdict}" if info.verdict else ""
    says += "".join(f"; {one}, tried again from {one.until} on" for one in all_failures() if one.style == name)
    # The probe is harsher than any picture, and beyond the ranges of INT8, which calibration has judged on pictures.
    ok = info.verdict == "passed" or within_tolerance(got, reference)
    return Check(f"engine {name}", ok, says, "" if ok else "run with --runtime torch, and report this line")


def _ctl() -> Check:
    from live.control.control_socket import ControlServer, send_command
    from live.control.controls import Controls

    controls = Controls(("none",), look="none")
    with ControlServer(controls, status=dict):
        send_command(["strength", "0.25"], pid=os.getpid())
    ok = controls.read().strength == 0.25
    says = "a command sent to this very program " + ("arrived" if ok else "was answered, but changed nothing")
    return Check("veneer ctl", ok, says, "" if ok else "reinstall veneer, or report this line", needed=False)


def _video_files() -> Check:
    """Write a small film and read it back."""
    from live.pipeline.frame import Frame
    from live.sinks.video_file import VideoFileSink
    from live.sources.video_source import VideoSource

    shades = [20, 60, 100, 140, 180, 220]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        sink = VideoFileSink(path)
        try:
            sink.open(size_wh=(64, 48), fps=30.0)
            for index, shade in enumerate(shades):
                sink.send(Frame(np.full((48, 64, 3), shade, np.uint8), index, time.monotonic(), index / 30))
        finally:
            sink.close()
        source, read = VideoSource(path), []
        try:
            source.open()
            while (frame := source.read()) is not None:
                read.append(float(frame.bgr.mean()))
        finally:
            source.close()
    ok = len(read) == len(shades) and bool(np.abs(np.subtract(read, shades)).max() < 8)
    says = f"{sink.encoder_name} wrote {len(shades)} frames, {len(read)} came back" + ("" if ok else ", not the same")
    says += f" ({sink.warning})" if sink.warning else ""
    return Check("video files", ok, says, "" if ok else "reinstall av from its wheel", needed=False)
