"""Idling without viewers: the camera is released, rendering stops, and no old frame is shown afterwards."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.fakes import FakeSource, FakeTracker, KeepingSink
from support.fakes_loopback import FakeLoopback
from support.fakes_virtualcam import FakeVirtualCameras
from support.pipeline_parts import in_background, numbered, pipeline

from engines.errors import OptionsError, SourceError
from engines.looks_file import load_looks
from live.control.controls import Command, Controls
from live.options import LiveOptions
from live.pipeline.frame import Frame
from live.pipeline.viewer_presence import ViewerPresence, can_idle
from live.render.privacy_fallback import card
from live.session import Session
from live.sinks.virtual_camera import VirtualCameraSink
from live.sources.base import SourceInfo
from live.sources.idle_source import IdleSource


class Clock:
    """A clock that tests set."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _controls() -> Controls:
    return Controls(("none",), look="none")


def _until(true: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    end_s = time.monotonic() + timeout_s
    while not true() and time.monotonic() < end_s:
        time.sleep(0.01)
    return true()


def test_watched_until_the_grace_period_has_passed() -> None:
    clock = Clock()
    viewers = ViewerPresence(_controls(), grace_period_s=3.0, clock=clock)
    assert viewers.watched(), "unknown counts as watched"
    viewers.report("/dev/video10", 1)
    viewers.report("/dev/video11", 0)
    clock.now_s += 100
    assert viewers.watched()
    viewers.report("/dev/video10", 0)
    clock.now_s += 2.9
    assert viewers.watched(), "within the grace period"
    clock.now_s += 0.2
    assert not viewers.watched()
    assert not viewers.wait(0.01)
    viewers.report("/dev/video11", None)
    assert viewers.watched(), "unknown counts as a reader"


def test_recording_and_snapshot_keep_the_output_watched() -> None:
    clock, controls = Clock(), _controls()
    viewers = ViewerPresence(controls, grace_period_s=3.0, clock=clock)
    viewers.report("/dev/video10", 0)
    clock.now_s += 10
    assert not viewers.watched()
    controls.apply(Command("record", "on"))
    assert viewers.watched()
    controls.apply(Command("record", "off"))
    clock.now_s += 10
    assert not viewers.watched()
    controls.apply(Command("snapshot"))
    assert viewers.watched()
    clock.now_s += 10
    assert not viewers.watched()


@pytest.mark.parametrize(
    ("options", "live", "system", "why"),
    [
        (LiveOptions(), True, "darwin", "only Linux's v4l2loopback reports"),
        (LiveOptions(sinks=("virtual-camera", "window")), True, "linux", "window always counts as watched"),
        (LiveOptions(sinks=("file:a.mp4",)), True, "linux", "file:a.mp4 always counts as watched"),
        (LiveOptions(frames=10), True, "linux", "--frames needs frames"),
        (LiveOptions(source="clip.mp4"), False, "linux", "clip.mp4 is not a camera"),
    ],
)
def test_reason_why_a_run_cannot_idle(options: LiveOptions, live: bool, system: str, why: str) -> None:
    assert not can_idle(options, live=live, system=system)
    asked = LiveOptions(source=options.source, sinks=options.sinks, frames=options.frames, idle=True)
    with pytest.raises(OptionsError, match=f"^--idle: {why}"):
        can_idle(asked, live=live, system=system)


def test_idle_by_default_unless_disabled() -> None:
    assert can_idle(LiveOptions(sinks=("virtual-camera:/dev/video10",)), live=True, system="linux")
    assert can_idle(LiveOptions(idle=True), live=True, system="linux")
    assert not can_idle(LiveOptions(idle=False), live=True, system="linux")


def _idle_source(viewers: ViewerPresence, messages: list[str], **how: object) -> tuple[IdleSource, list[FakeSource]]:
    made = [FakeSource(numbered, live=True)]

    def again() -> FakeSource:
        source = FakeSource(numbered, live=True)
        if how.get("busy"):
            how["busy"] = False
            source = _Busy()
        made.append(source)
        return source

    return IdleSource(made[0], new_source=again, viewers=viewers, say=messages.append), made


class _Busy(FakeSource):
    def __init__(self) -> None:
        super().__init__(numbered, live=True)

    def open(self) -> SourceInfo:
        raise SourceError("camera 0", "busy, another program holds it", "close it")


def test_camera_is_released_and_frame_ids_continue() -> None:
    viewers, messages = ViewerPresence(_controls(), grace_period_s=0.0), []
    source, made = _idle_source(viewers, messages)
    source.open()
    assert [source.read().frame_id for _ in range(3)] == [0, 1, 2]
    viewers.report("/dev/video10", 0)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            source.read()
    assert (made[0].closed, len(made)) == (1, 1)
    assert len(messages) == 1
    assert "--no-idle" in messages[0]
    viewers.report("/dev/video10", 1)
    assert [source.read().frame_id for _ in range(3)] == [3, 4, 5]
    assert (made[1].opened, made[1].index) == (1, 3)
    source.close()
    assert made[1].closed == 1
    assert source.read() is None


def test_busy_camera_is_awaited_after_idling() -> None:
    viewers, messages = ViewerPresence(_controls(), grace_period_s=0.0), []
    source, made = _idle_source(viewers, messages, busy=True)
    source.open()
    viewers.report("/dev/video10", 0)
    with pytest.raises(TimeoutError):
        source.read()
    viewers.report("/dev/video10", 1)
    with pytest.raises(TimeoutError, match="busy"):
        source.read()
    assert source.read().frame_id == 0
    assert "busy, another program holds it" in messages[-1]
    assert made[1].closed == 1


def test_closing_ends_idling_at_once() -> None:
    viewers = ViewerPresence(_controls(), grace_period_s=0.0)
    source, _ = _idle_source(viewers, [])
    source.open()
    viewers.report("/dev/video10", 0)
    source.close()
    assert source.read() is None


def _frame(level: int, captured_s: float) -> Frame:
    return Frame(np.full((48, 64, 3), level, np.uint8), 0, captured_s)


def test_new_reader_sees_the_card_then_only_new_frames(tmp_path: Path) -> None:
    viewers, cameras = ViewerPresence(_controls(), grace_period_s=0.0), FakeVirtualCameras()
    sink = VirtualCameraSink(camera=cameras, lock_dir=tmp_path)
    sink.set_viewers(viewers, lambda line: None)
    sink.open(size_wh=(64, 48), fps=30)
    old = _frame(100, time.monotonic())
    sink.send(old)
    viewers.report("/dev/video10", 0)
    for _ in range(3):
        sink.send(old)
    frames = cameras.opened[0].frames
    assert len(frames) == 2, "one card, then no frames"
    assert (frames[-1] == card((64, 48))).all()
    viewers.report("/dev/video10", 1)
    sink.send(old)  # repeated by the pipeline
    assert (frames[-1] == card((64, 48))).all()
    sink.send(_frame(200, time.monotonic()))
    assert (frames[-1] == 200).all()
    sink.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="v4l2loopback needs Linux")
def test_pipeline_idles_without_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, cameras, viewers = (
        FakeLoopback(has_event=True),
        FakeVirtualCameras(),
        ViewerPresence(_controls(), grace_period_s=0.1),
    )
    tracked: list[int] = []
    tracker = FakeTracker(lambda frame: tracked.append(frame.frame_id) or ())
    sink = VirtualCameraSink(camera=cameras, lock_dir=tmp_path, loopback=driver.opener)
    sink.set_viewers(viewers, lambda line: None)
    driver.write_frame((64, 48))
    made: list[FakeSource] = []

    def again() -> FakeSource:
        made.append(FakeSource(numbered, live=True, interval_s=0.01))
        return made[-1]

    source = IdleSource(again(), new_source=again, viewers=viewers, say=lambda line: None)
    run = pipeline(source, [sink], tracker=tracker)
    thread, errors = in_background(run)
    assert _until(lambda: made[0].closed > 0), "the camera is released without readers"
    assert driver.timeout_ms == 1000
    assert driver.timeout_picture is not None
    assert _until(lambda: tracked[-1:] == [made[0].index - 1]), "the remaining frames are processed"
    assert _until(lambda: np.array_equal(cameras.opened[0].frames[-1], card((64, 48))))
    before = len(tracked), len(cameras.opened[0].frames)
    time.sleep(0.6)
    assert (len(tracked), len(cameras.opened[0].frames)) == before, "no inference and no frames"
    assert (cameras.opened[0].frames[-1] == card((64, 48))).all()
    driver.set_readers(1)
    assert _until(lambda: len(made) == 2 and made[1].index > 5 and len(cameras.opened[0].frames) > before[1] + 5)
    run.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert errors == []
    assert _until(lambda: (driver.timeout_ms, driver.openers) == (0, {}))
    assert (cameras.opened[0].frames[-1] == card((64, 48))).all(), "the last picture for readers is the card"


def test_session_idles_and_status_reports_watching() -> None:
    session = Session(LiveOptions(source="demo"))
    able = sys.platform.startswith("linux")
    assert (session._viewers is not None) == able
    assert session._status()["watched"] is True
    session = Session(LiveOptions(source="demo", idle=False))
    assert session._viewers is None


def test_idle_with_a_window_is_refused() -> None:
    with pytest.raises(OptionsError, match=r"^--idle: (window always counts as watched|only Linux)"):
        Session(LiveOptions(source="demo", sinks=("virtual-camera", "window"), idle=True))


def test_run_reports_the_picture_latency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[str] = []
    monkeypatch.setenv("PATH", str(tmp_path))  # no pactl
    monkeypatch.setattr("live.session.say", messages.append)
    monkeypatch.setattr(
        "live.sinks.delayed_microphone.DELAY_CHANGE_MS", float("inf")
    )  # one message, however uneven the latency is
    sink = KeepingSink(live=True)
    options = LiveOptions(source="demo", look="none", sinks=("null",), size_wh=(320, 240), fps=60, mic_delay=True)
    session = Session(options, sinks=[sink], looks={"none": load_looks()["none"]}, ctl=False)
    run = session.pipeline
    ends = threading.Thread(
        target=lambda: (_until(lambda: any("mic delay" in line for line in messages), 60), run.stop())
    )
    ends.start()
    session.run()
    ends.join()
    (line,) = (line for line in messages if "mic delay" in line)
    assert " ms later than the sound" in line
