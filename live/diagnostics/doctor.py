"""The checks of `veneer doctor`: camera, tracker, engines, outputs and control on this machine."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import VeneerError
from engines.looks_file import load_looks, user_file
from engines.runtime.call_times import time_repeatedly
from engines.style_lookup import load_style, own_names, shipped_names, style_names
from engines.styles import Style
from engines.text import one_line
from engines.training.metrics.psnr import psnr_db
from live.control.obs_settings import load_obs_settings
from live.diagnostics import device_checks
from live.diagnostics.device_checks import Finding
from live.options import load_apply_options, load_options
from live.pipeline.report import versions
from live.settings import settings_file


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check: what was found, and the remedy; `needed` if `veneer run` cannot work without it."""

    name: str
    ok: bool
    says: str
    do: str = ""
    needed: bool = True


def check_names() -> list[str]:
    """Return the names of all checks in order."""
    return [name for name, _, _ in _checks()]


def _checks() -> tuple[tuple[str, bool, Callable[[], Finding]], ...]:
    """Return the name of each check, whether `veneer run` needs it, and the check."""
    return (
        ("settings", True, _settings),
        ("styles and looks", True, _styles_and_looks),
        ("camera", True, device_checks.camera),
        ("face model", True, _face_model),
        *((f"engine {name}", True, lambda name=name: _engine(name)) for name in style_names()),
        ("virtual camera", True, device_checks.virtual_camera),
        ("idle", False, device_checks.idle),
        ("window", False, device_checks.window),
        ("global keys", False, device_checks.global_keys),
        ("veneer ctl", False, _ctl),
        ("video files", False, _video_files),
    )


def examine(only: Collection[str] | None = None) -> Iterator[Check]:
    """Run all checks in order, or only those with the given names. An error in a check is its result."""
    for name, needed, check in _checks():
        if only is not None and name not in only:
            continue
        try:
            finding = check()
        except VeneerError as error:
            finding = False, f"{error.asked}: {error.got}", error.do
        except Exception as error:  # any error of a library is a finding
            finding = False, one_line(error), "reinstall veneer, or report this line"
        yield Check(name, *finding, needed=needed)


def as_report(checks: list[Check]) -> dict[str, Any]:
    """Return the checks and library versions for `--json`; "ok" if every needed check passed."""
    ok = all(check.ok or not check.needed for check in checks)
    return {"ok": ok, "checks": [asdict(check) for check in checks], "versions": versions()}


def _settings() -> Finding:
    load_options({})
    load_apply_options({})
    load_obs_settings()
    return True, f"{settings_file()} ({'read' if settings_file().is_file() else 'none yet'})", ""


def _styles_and_looks() -> Finding:
    """Name the user's own styles and looks that are used instead of shipped ones."""
    looks, own = load_looks(), own_names()
    says = f"{len(looks)} looks, {user_file()} ({'read' if user_file().is_file() else 'none yet'}); "
    says += f"{len(style_names())} styles, {len(own)} of them your own"
    replaced = [name for name in own if name in shipped_names()]
    for what in (
        *(f"style {name!r}" for name in replaced),
        *(f"look {one.name!r}" for one in looks.values() if one.replaces_shipped),
    ):
        says += f"; your {what} is used instead of the shipped one"
    do = f"to go back: veneer styles restore {replaced[0]}" if replaced else ""
    return True, says, do


def _face_model() -> Finding:
    from live.pipeline.frame import Frame
    from live.portrait import portrait_bgr
    from live.tracking.face_mesh import FaceMeshTracker

    picture_bgr, durations_ms, faces = portrait_bgr(), [], 0
    with contextlib.closing(FaceMeshTracker()) as tracker:
        tracker.open()
        for index in range(10):
            started_s = time.perf_counter()
            faces = len(tracker.track(Frame(picture_bgr, index, time.monotonic())))
            durations_ms.append((time.perf_counter() - started_s) * 1e3)
    says = f"{faces} face found on the built-in portrait in {np.median(durations_ms):.1f} ms"
    return faces == 1, says, "" if faces == 1 else "reinstall mediapipe==0.10.21"


def _engine(name: str) -> Finding:
    """Compare the engine that `veneer run` would use with FP32 on the built-in face, by calibration's measures."""
    from engines.build.failed_builds import all_failures
    from engines.cache.cache_entry import read_verdict
    from engines.runtime.selector import open_engine, reference_engine
    from live.upgrades.engine_acceptance import acceptance_regions

    style = load_style(name)
    regions_bgr = acceptance_regions(style)
    with contextlib.closing(open_engine(style)) as engine:
        answers = engine.infer(regions_bgr).copy()  # the engine reuses its array
        durations_ms = time_repeatedly(lambda: engine.infer(regions_bgr[:1]), least=20)
        info = engine.info
    with contextlib.closing(reference_engine(style)) as reference:
        deviation = measure_deviation(style, regions_bgr, answers, reference.infer(regions_bgr))
    ok = deviation.psnr_db >= min_psnr_db(info.precision)
    says = f"{info.runtime} {info.precision} on {info.device}, {np.median(durations_ms):.2f} ms; "
    verdict = f"calibration {info.verdict}"
    why = "; ".join(reason for reason in info.why.split("; ") if reason != verdict)
    says += f"on the built-in face {deviation}" + (f" ({why})" if why else "")
    if info.verdict:
        scores = (read_verdict(info.key) or {}).get("scores", {}).get("cases", {}).get("all")
        says += f"; {verdict}"
        if scores:
            says += f": {Deviation(scores['psnr_db'], scores['mean_error'], scores['max_error'])}"
    says += "".join(f"; {failure}, next attempt {failure.until}" for failure in all_failures() if failure.style == name)
    return ok, says, "" if ok else "report this line; with 'veneer[train]' installed, --runtime torch works without it"


@dataclass(frozen=True, slots=True)
class Deviation:
    """The deviation of an engine from FP32, in the measures of `veneer calibrate`.

    Attributes:
        psnr_db: PSNR of the finished pictures, peak 255; 0 if an answer is NaN or infinite.
        mean_error: Mean absolute error of the network's answers, in levels of 255.
        max_error: Largest absolute error of the answers, in levels of 255.
    """

    psnr_db: float
    mean_error: float
    max_error: float

    def __str__(self) -> str:
        """As `veneer calibrate` prints it."""
        return f"PSNR {self.psnr_db:.1f} dB, error {self.mean_error:.2f} and at most {self.max_error:.1f} of 255"


def min_psnr_db(precision: str) -> float:
    """Return the PSNR limit of an engine's precision in dB, the same as in calibration."""
    return 34.0 if precision == "int8" else 40.0


def measure_deviation(
    style: Style, regions_bgr: NDArray[np.uint8], answers: NDArray[np.float32], reference: NDArray[np.float32]
) -> Deviation:
    """Compare an engine's answers with those of FP32, (N, H, W, 3) float32 BGR in levels of 255; the input is uint8."""
    error = np.abs(answers - reference)
    if not np.isfinite(error).all():
        return Deviation(0.0, float("inf"), float("inf"))
    base = regions_bgr.astype(np.float32) if style.output == "change" else np.float32(0)
    finished, expected = (np.clip(np.rint(base + change), 0, 255).astype(np.uint8) for change in (answers, reference))
    return Deviation(psnr_db(finished, expected), float(error.mean()), float(error.max()))


def _ctl() -> Finding:
    from live.control.control_socket import ControlServer, send_command
    from live.control.controls import Controls

    controls = Controls(("none",), look="none")
    with ControlServer(controls, status=dict):
        send_command(["strength", "0.25"], pid=os.getpid())
    ok = controls.read().strength == 0.25
    says = "a command sent to this process " + ("was executed" if ok else "was answered, but changed nothing")
    return ok, says, "" if ok else "reinstall veneer, or report this line"


def _video_files() -> Finding:
    """Write a short video and read it back."""
    from live.pipeline.frame import Frame
    from live.sinks.video_file import VideoFileSink
    from live.sources.video_source import film_frames

    shades = [20, 60, 100, 140, 180, 220]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        with contextlib.closing(VideoFileSink(path)) as sink:
            sink.open(size_wh=(64, 48), fps=30.0)
            for index, shade in enumerate(shades):
                sink.send(Frame(np.full((48, 64, 3), shade, np.uint8), index, time.monotonic(), index / 30))
        read = [float(frame.bgr.mean()) for frame in film_frames(path)]
    ok = len(read) == len(shades) and bool(np.abs(np.subtract(read, shades)).max() < 8)
    says = f"{sink.encoder_name} wrote {len(shades)} frames, {len(read)} were read back"
    says += ("" if ok else ", with other content") + (f" ({sink.warning})" if sink.warning else "")
    return ok, says, "" if ok else "reinstall av from its wheel"
