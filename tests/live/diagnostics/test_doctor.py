"""The doctor tries each thing for real, and judges an engine as the engine judged itself."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engines.errors import OptionsError, SinkError
from engines.runtime import selector
from engines.runtime.probe import probe_bgr, within_tolerance
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
    for other in ("_settings", "_face_model", "_engine", "_ctl", "_video_files"):
        if other != name:
            monkeypatch.setattr(doctor, other, lambda *_: Check("left out", True, ""))
    for device in ("camera", "virtual_camera", "idle", "window", "global_keys"):
        monkeypatch.setattr(device_checks, device, lambda: (True, "", ""))
    monkeypatch.setattr(doctor, "style_names", lambda: ["lips-glaze"])
    (found,) = (check for check in examine() if check.name != "left out" and check.says)
    return found


def test_an_answer_holds_as_long_as_nobody_could_see_the_difference() -> None:
    reference = np.full((1, 8, 8, 3), 100, np.float32)
    small = reference + np.float32(0.4)
    small[0, 0, 0, 0] += 6  # one value of a probe much harsher than any picture, as BF16 has it
    assert within_tolerance(small, reference)
    assert not within_tolerance(reference + np.float32(0.6), reference)
    small[0, 0, 0, 0] += 3
    assert not within_tolerance(small, reference)
    assert not within_tolerance(np.where(reference > 0, np.nan, reference).astype(np.float32), reference)


class _Off:
    """The real engine, its answers shifted a little on a few places, as BF16 arithmetic does."""

    def __init__(self, engine: Any, off: float) -> None:
        self._engine, self._off, self.info = engine, off, engine.info

    def infer(self, regions_bgr: Any) -> Any:
        got = self._engine.infer(regions_bgr).copy()
        got[:, ::8, ::8] += self._off
        return got

    def close(self) -> None:
        self._engine.close()


@pytest.mark.parametrize(("off", "ok"), [(0.0, True), (3.0, True), (40.0, False)])
def test_an_engine_that_its_own_check_accepts_is_well(monkeypatch: pytest.MonkeyPatch, off: float, ok: bool) -> None:
    real = selector.open_engine
    monkeypatch.setattr(selector, "open_engine", lambda style: _Off(real(style), off))
    check = only("_engine", monkeypatch)
    assert check.name == "engine lips-glaze" and check.ok == ok, check.says
    assert "on average" in check.says and "at most" in check.says
    assert bool(check.do) != ok


def test_the_probe_is_the_same_every_time() -> None:
    assert probe_bgr((40, 24)).shape == (1, 24, 40, 3)
    assert np.array_equal(probe_bgr((40, 24)), probe_bgr((40, 24)))


def test_a_film_is_really_written_and_read_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    check = only("_video_files", monkeypatch)
    assert check.ok and "6 came back" in check.says, check.says
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_an_encoder_that_writes_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: VideoFileSink, frame: object) -> None:
        raise SinkError("writing film.mp4", "the encoder is broken", "use another")

    monkeypatch.setattr(VideoFileSink, "send", refuse)
    check = only("_video_files", monkeypatch)
    assert not check.ok and "broken" in check.says and check.do and not check.needed


def test_a_command_is_really_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    check = only("_ctl", monkeypatch)
    assert check.ok and "arrived" in check.says, check.says
    with pytest.raises(OptionsError):
        control_socket.send_command(["status"], pid=os.getpid())  # it is closed again


def test_a_control_socket_that_nobody_answers_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket.ControlServer, "_obey", lambda self, words: {"ok": False, "error": "deaf"})
    check = only("_ctl", monkeypatch)
    assert not check.ok and "deaf" in check.says


def test_only_what_is_asked_for_is_examined() -> None:
    assert [check.name for check in examine(only=("veneer ctl",))] == ["veneer ctl"]


class _Webcam:
    """In place of the camera: opens, and gives so many pictures before it falls silent."""

    pictures = 100
    measured_fps = None

    def __init__(self, device: int) -> None:
        self.left = self.pictures

    def open(self) -> SourceInfo:
        return SourceInfo("camera 0", (640, 360), 30.0)

    def read(self) -> object:
        self.left -= 1
        if self.left < 0:
            raise TimeoutError("camera 0 sends no picture; waiting for it to come back")
        return object()

    def close(self) -> None:
        pass


@pytest.mark.parametrize("pictures", [0, 3, 100])
def test_a_camera_that_falls_silent_is_a_finding_with_a_remedy(monkeypatch: pytest.MonkeyPatch, pictures: int) -> None:
    monkeypatch.setattr(_Webcam, "pictures", pictures)
    monkeypatch.setattr(camera_module, "CameraSource", _Webcam)
    (check,) = examine(only=("camera",))
    assert check.ok == (pictures == 100) and "640x360" in check.says
    if not check.ok:
        assert f"silent after {pictures + 1} pictures" in check.says and "plug" in check.do


class _VirtualCamera:
    """In place of the virtual camera: takes everything."""

    device = "/dev/video10"

    def open(self, **_: object) -> None:
        pass

    def send(self, frame: object) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("mere", "says", "do"),
    [
        (True, "exclusive_caps is on", ""),
        (False, "loaded without exclusive_caps", "exclusive_caps=1"),
        (None, "takes frames", ""),
    ],
)
def test_a_virtual_camera_that_chrome_will_not_list_is_found_out(
    monkeypatch: pytest.MonkeyPatch, mere: bool | None, says: str, do: str
) -> None:
    monkeypatch.setattr(virtual_camera, "VirtualCameraSink", _VirtualCamera)
    monkeypatch.setattr(camera_devices, "is_capture_only", lambda path: mere)
    (check,) = examine(only=("virtual camera",))
    assert check.ok and says in check.says and "/dev/video10" in check.says
    assert do in check.do and bool(do) == ("Chrome" in check.do)


@pytest.mark.parametrize(
    ("system", "devices_there", "says", "do"),
    [
        ("darwin", [], "only Linux's v4l2loopback tells whether somebody reads the virtual camera", "end veneer"),
        ("win32", [], "only Linux's v4l2loopback tells whether somebody reads the virtual camera", "end veneer"),
        ("linux", [], "the kernel module v4l2loopback is not ", "modprobe v4l2loopback"),
        ("linux", [Path("/dev/video10")], "the webcam is released while nobody reads", ""),
    ],
)
def test_whether_the_webcam_can_rest_while_nobody_watches_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, devices_there: list[Path], says: str, do: str
) -> None:
    folders = virtual_camera_help.LinuxPaths(tmp_path / "dev", tmp_path / "sys", tmp_path / "proc", tmp_path / "lib")
    monkeypatch.setattr(virtual_camera_help, "LinuxPaths", lambda: folders)
    monkeypatch.setattr(virtual_camera_help, "loopback_devices", lambda: devices_there)
    monkeypatch.setattr(device_checks, "sys", SimpleNamespace(platform=system))
    (check,) = examine(only=("idle",))
    assert says in check.says and do in check.do
    assert check.ok == (not do) == (not check.do) and not check.needed
    assert check.ok or check.says.endswith("so the webcam stays on")
