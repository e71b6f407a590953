"""`veneer doctor` tries each device and judges engines as calibration does."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from calibration.engine_checks.tolerances import tolerances_for
from engines.cache.cache_entry import record_verdict
from engines.errors import OptionsError, SinkError
from engines.runtime import selector
from engines.runtime.base import EngineInfo
from engines.runtime.probe import probe_bgr, within_tolerance
from engines.styles import Style
from live.control import control_socket
from live.diagnostics import device_checks, doctor
from live.diagnostics.doctor import Check, examine
from live.sinks import virtual_camera, virtual_camera_help
from live.sinks.video_file import VideoFileSink
from live.sources import camera_devices
from live.sources import camera_source as camera_module
from live.sources.base import SourceInfo


def only(name: str, monkeypatch: pytest.MonkeyPatch) -> Check:
    """One check as `examine` reports it; the others are not run."""
    for other in ("_settings", "_styles_and_looks", "_face_model", "_engine", "_ctl", "_video_files"):
        if other != name:
            monkeypatch.setattr(doctor, other, lambda *_: (True, "", ""))
    for device in ("camera", "virtual_camera", "idle", "window", "global_keys"):
        monkeypatch.setattr(device_checks, device, lambda: (True, "", ""))
    monkeypatch.setattr(doctor, "style_names", lambda: ["lips-glaze"])
    (found,) = (check for check in examine() if check.says)
    return found


def test_small_deviation_on_the_probe_is_within_tolerance() -> None:
    reference = np.full((1, 8, 8, 3), 100, np.float32)
    small = reference + np.float32(0.4)
    small[0, 0, 0, 0] += 6  # one value, as BF16 on the probe
    assert within_tolerance(small, reference)
    assert not within_tolerance(reference + np.float32(0.6), reference)
    small[0, 0, 0, 0] += 3
    assert not within_tolerance(small, reference)
    assert not within_tolerance(np.where(reference > 0, np.nan, reference).astype(np.float32), reference)


class _Deviating:
    """The real engine, with an offset on every 64th pixel."""

    def __init__(self, engine: Any, off: float) -> None:
        self._engine, self._off, self.info = engine, off, engine.info

    def infer(self, regions_bgr: Any) -> Any:
        got = self._engine.infer(regions_bgr).copy()
        got[:, ::8, ::8] += self._off
        return got

    def close(self) -> None:
        self._engine.close()


@pytest.mark.parametrize(("off", "ok"), [(0.0, True), (3.0, True), (40.0, False)])
def test_engine_is_judged_on_the_built_in_face(monkeypatch: pytest.MonkeyPatch, off: float, ok: bool) -> None:
    real = selector.open_engine
    monkeypatch.setattr(selector, "open_engine", lambda style: _Deviating(real(style), off))
    check = only("_engine", monkeypatch)
    assert check.name == "engine lips-glaze" and check.ok == ok, check.says
    assert "on the built-in face PSNR" in check.says and "of 255" in check.says
    assert bool(check.do) != ok


def test_int8_on_the_built_in_face_gets_calibration_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """An INT8 engine deviates widely on blocks of colour, which are outside its calibrated range."""
    scores = {"psnr_db": 41.25, "mean_error": 0.61, "max_error": 12.0}
    info = EngineInfo("lips-glaze", "openvino", "int8", "CPU", "the fastest; calibration passed", "a" * 32, "passed")
    record_verdict(info.key, passed=True, scores={"cases": {"all": scores}})
    real = selector.open_engine

    def open_int8(style: Style) -> _Deviating:
        engine = _Deviating(real(style), 3.0)
        engine.info = info
        return engine

    monkeypatch.setattr(selector, "open_engine", open_int8)
    check = only("_engine", monkeypatch)
    assert check.ok, check.says
    assert "calibration passed: PSNR 41.2 dB, error 0.61 and at most 12.0 of 255" in check.says
    assert "(the fastest)" in check.says and check.says.count("calibration passed") == 1


@pytest.mark.parametrize("precision", ["int8", "bf16", "fp32"])
def test_doctor_and_calibration_share_the_psnr_limit(precision: str) -> None:
    assert doctor.min_psnr_db(precision) == tolerances_for(precision).min_psnr_db


def test_probe_is_the_same_at_each_call() -> None:
    assert probe_bgr((40, 24)).shape == (1, 24, 40, 3)
    assert np.array_equal(probe_bgr((40, 24)), probe_bgr((40, 24)))


def test_video_is_written_and_read_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    check = only("_video_files", monkeypatch)
    assert check.ok and "6 were read back" in check.says, check.says
    assert not list(tmp_path.iterdir())


def test_broken_encoder_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: VideoFileSink, frame: object) -> None:
        raise SinkError("writing film.mp4", "the encoder is broken", "use another")

    monkeypatch.setattr(VideoFileSink, "send", refuse)
    check = only("_video_files", monkeypatch)
    assert not check.ok and "broken" in check.says and check.do and not check.needed


def test_control_command_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    check = only("_ctl", monkeypatch)
    assert check.ok and "was executed" in check.says, check.says
    with pytest.raises(OptionsError):
        control_socket.send_command(["status"], pid=os.getpid())  # the server of the check is closed


def test_refusing_control_socket_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket.ControlServer, "_execute", lambda self, words: {"ok": False, "error": "deaf"})
    check = only("_ctl", monkeypatch)
    assert not check.ok and "deaf" in check.says


def test_only_named_checks_run() -> None:
    assert [check.name for check in examine(only=("veneer ctl",))] == ["veneer ctl"]


class _Webcam:
    """A camera that stops after `pictures` frames."""

    pictures = 100
    measured_fps = None

    def __init__(self, device: int) -> None:
        self.left = self.pictures

    def open(self) -> SourceInfo:
        return SourceInfo("camera 0", (640, 360), 30.0)

    def read(self) -> object:
        self.left -= 1
        if self.left < 0:
            raise TimeoutError("camera 0 sends no picture; waiting for it")
        return object()

    def close(self) -> None:
        pass


@pytest.mark.parametrize("pictures", [0, 3, 100])
def test_camera_that_stops_is_reported_with_a_remedy(monkeypatch: pytest.MonkeyPatch, pictures: int) -> None:
    monkeypatch.setattr(_Webcam, "pictures", pictures)
    monkeypatch.setattr(camera_module, "CameraSource", _Webcam)
    (check,) = examine(only=("camera",))
    assert check.ok == (pictures == 100) and "640x360" in check.says
    if not check.ok:
        assert f"stopped after {pictures + 1} frames" in check.says and "plug" in check.do


class _VirtualCamera:
    """A virtual camera that accepts everything."""

    device = "/dev/video10"

    def open(self, **_: object) -> None:
        pass

    def send(self, frame: object) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("capture_only", "says", "do"),
    [
        (True, "exclusive_caps is on", ""),
        (False, "loaded without exclusive_caps", "exclusive_caps=1"),
        (None, "accepts frames", ""),
    ],
)
def test_virtual_camera_hidden_from_chrome_is_reported(
    monkeypatch: pytest.MonkeyPatch, capture_only: bool | None, says: str, do: str
) -> None:
    monkeypatch.setattr(virtual_camera, "VirtualCameraSink", _VirtualCamera)
    monkeypatch.setattr(camera_devices, "is_capture_only", lambda path: capture_only)
    (check,) = examine(only=("virtual camera",))
    assert check.ok and says in check.says and "/dev/video10" in check.says
    assert do in check.do and bool(do) == ("Chrome" in check.do)


@pytest.mark.parametrize(
    ("system", "devices_there", "says", "do"),
    [
        ("darwin", [], "only Linux's v4l2loopback reports whether a program reads the virtual camera", "end veneer"),
        ("win32", [], "only Linux's v4l2loopback reports whether a program reads the virtual camera", "end veneer"),
        ("linux", [], "the kernel module v4l2loopback is not ", "modprobe v4l2loopback"),
        ("linux", [Path("/dev/video10")], "the webcam is released while no program reads", ""),
    ],
)
def test_doctor_reports_whether_the_webcam_can_idle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, devices_there: list[Path], says: str, do: str
) -> None:
    explain = partial(virtual_camera_help.explain_open_failure, system="linux", root=tmp_path)
    monkeypatch.setattr(virtual_camera_help, "explain_open_failure", explain)
    monkeypatch.setattr(virtual_camera_help, "loopback_devices", lambda: devices_there)
    monkeypatch.setattr(device_checks, "sys", SimpleNamespace(platform=system))
    (check,) = examine(only=("idle",))
    assert says in check.says and do in check.do
    assert check.ok == (not do) == (not check.do) and not check.needed
    assert check.ok or check.says.endswith("so the webcam stays on")
