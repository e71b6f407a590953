"""Without viewers nothing is built; a build that was stopped is repeated when viewers return."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from support.fakes_loopback import FakeLoopback
from support.fakes_virtualcam import FakeVirtualCameras
from support.pipeline_parts import in_background
from support.upgrade_parts import Show, gone, keyed, ordered, until

from engines.build import failed_builds
from engines.build.build_process import BuildProcess
from engines.looks_file import load_looks
from engines.style_lookup import load_style
from live.options import LiveOptions
from live.session import Session
from live.sinks.virtual_camera import VirtualCameraSink
from live.upgrades import engine_upgrades

LIPS = "lips-glaze"
TORCH = ["torch fp32"]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The builders that were started."""
    found: list[str] = []

    class Counted(BuildProcess):
        def __init__(self, module: str, arguments: Any, **more: Any) -> None:
            found.append(module)
            super().__init__(module, arguments, **more)

    monkeypatch.setattr(engine_upgrades, "BuildProcess", Counted)
    return found


@pytest.mark.parametrize("mode", ["wait", "hang"])
def test_build_stops_without_viewers_and_restarts_later(
    mode: str, lock: Path, shows: list[Show], begun: list[str]
) -> None:
    watchers: list[str] = []
    mode_now = [mode]

    def builds(*about: Any) -> Any:
        return keyed(mode_now[0], lock, "k")(*about)

    show = Show([load_style(LIPS)], available_builds=builds, has_viewers=lambda: bool(watchers))
    shows.append(show)
    assert show.frames_continue() and show.frames_continue()
    assert begun == [] and show.look_loader.upgrades.progress() == "" and not lock.with_name(f"alive-{LIPS}").exists()

    watchers.append("a call")
    assert show.until(lambda: ": building" in show.look_loader.upgrades.progress())
    watchers.clear()
    assert show.until(lambda: show.look_loader.upgrades.progress() == "")
    assert gone(Path(f"{lock}-{LIPS}")), "the builder and its children are gone"
    assert show.frames_continue() and show.frames_continue()
    assert len(begun) == 1 and show.look_loader.upgrades.is_running()
    assert show.messages == [] and failed_builds.all_failures() == []

    mode_now[0] = "wait"
    Path(f"{lock}-{LIPS}.go").touch()
    watchers.append("the next call")
    assert show.says(", before on torch fp32"), show.messages
    assert len(begun) == 2 and len(show.messages) == 1
    assert show.until(lambda: not show.look_loader.upgrades.is_running()), "no build is left"


def test_close_does_not_wait_for_viewers(lock: Path, begun: list[str]) -> None:
    show = Show([load_style(LIPS)], available_builds=ordered("good", lock), has_viewers=lambda: False)
    assert show.frames_continue() and show.until(show.look_loader.upgrades.is_running)
    show.end()
    assert show.until(lambda: not show.look_loader.upgrades.is_running())
    assert begun == [] and show.messages == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="v4l2loopback needs Linux")
def test_builds_run_only_while_the_camera_is_read(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: list[str]
) -> None:
    messages: list[str] = []
    monkeypatch.setattr("live.session.say", messages.append)
    driver = FakeLoopback(has_event=True)
    sink = VirtualCameraSink(camera=FakeVirtualCameras(), lock_dir=tmp_path / "locks", loopback=driver.opener)
    driver.write_frame((320, 240))
    options = LiveOptions(source="demo", look="glaze", runtime="torch", size_wh=(320, 240))
    session = Session(options, sinks=[sink], looks={"glaze": load_looks()["glaze"]}, ctl=False)
    look_loader, viewers = session.pipeline.parts.look_loader, session._viewers
    assert viewers is not None
    monkeypatch.setattr(viewers, "_grace_period_s", 0.1)
    monkeypatch.setattr(look_loader.upgrades, "_available_builds", ordered("wait", lock))
    driver.set_readers(1)
    thread, errors = in_background(session.pipeline)
    try:
        assert until(lambda: ": building" in look_loader.upgrades.progress())
        driver.set_readers(0)
        assert until(lambda: look_loader.upgrades.progress() == "")
        assert gone(Path(f"{lock}-{LIPS}")) and not viewers.watched()
        driver.set_readers(1)
        Path(f"{lock}-{LIPS}.go").touch()
        assert until(lambda: any("now runs on" in line for line in messages)), messages
        assert len(begun) == 2
    finally:
        session.pipeline.stop()
        thread.join(20)
    assert not thread.is_alive() and errors == []
