"""Tries every link of the chain on this machine, and says of each what it found and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engines.errors import VeneerError
from engines.looks import load_looks, user_file
from engines.styles import load_style, style_names
from live import doctor_camera
from live.options import load_options, settings_file
from live.report import versions


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


_OPTIONAL = ("window", "global keys", "veneer ctl", "video files")


def examine() -> Iterator[Check]:
    """All checks, one after the other; none raises."""
    checks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("settings", _settings),
        ("camera", lambda: Check("camera", *doctor_camera.camera())),
        ("face model", _face_model),
        *((f"engine {name}", lambda name=name: _engine(name)) for name in style_names()),
        ("virtual camera", lambda: Check("virtual camera", *doctor_camera.virtual_camera())),
        ("window", lambda: Check("window", *doctor_camera.window(), needed=False)),
        ("global keys", lambda: Check("global keys", *doctor_camera.global_keys(), needed=False)),
        ("veneer ctl", _ctl),
        ("video files", _video_files),
    )
    for name, check in checks:
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
    from live.frame import Frame
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
    """The engine that live would use, held against the FP32 reference on noise."""
    from engines.runtime.choose import open_engine
    from engines.runtime.torch_reference import TorchEngine

    style = load_style(name)
    width, height = style.size_wh
    regions_bgr = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    engine = open_engine(style)
    took_ms = []
    for _ in range(20):
        started_s = time.perf_counter()
        got = engine.infer(regions_bgr)
        took_ms.append((time.perf_counter() - started_s) * 1e3)
    off = float(np.abs(got - TorchEngine(style, why="").infer(regions_bgr)).max())
    info = engine.info
    engine.close()
    says = f"{info.runtime} {info.precision} on {info.device}, {np.median(took_ms):.2f} ms, "
    says += f"at most {off:.3f}/255 off the FP32 reference ({info.why})"
    ok = off < 1.0
    return Check(f"engine {name}", ok, says, "" if ok else "run with --runtime torch, and report this line")


def _ctl() -> Check:
    from live.controls import Controls
    from live.ctl import ControlServer

    server = ControlServer(Controls(("none",), look="none"), status=dict)
    server.start()
    server.close()
    return Check("veneer ctl", True, "a control socket can be opened", needed=False)


def _video_files() -> Check:
    import av

    names = [name for name in ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf") if name in av.codecs_available]
    says = f"H.264 by {names[0]}" if names else "no H.264 encoder in PyAV"
    return Check("video files", bool(names), says, "" if names else "reinstall av from its wheel", needed=False)
