"""`veneer demo` and contact sheets: with and without a screen, complete and stopped."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.apply_parts import files
from support.cli_parts import call
from support.sink_clips import read_pictures

from live.commands import demo_command
from live.options import LiveOptions
from live.pipeline.frame import Frame, ImageU8
from live.pipeline.pipeline import Pipeline
from live.render import look_sheet


def test_unreachable_screen_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux names a screen that may not be there")
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not demo_command.has_screen()


def test_demo_without_a_screen_writes_a_video(tmp_path: Path) -> None:
    done = call("demo", "--seconds", "0.2", cwd=tmp_path, env={"DISPLAY": ":987", "WAYLAND_DISPLAY": ""})
    assert done.returncode == 0, done.stderr
    assert "no screen here" in done.stderr and "6 frames" in done.stderr
    assert len(read_pictures(tmp_path / "veneer-demo.mp4")[0]) == 6


def test_demo_shows_every_look_if_frames_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    import live.session
    from engines.looks_file import load_looks

    requested = []

    class Recorded:
        """A session on a slow machine: only every seventh frame is shown."""

        def __init__(self, options: LiveOptions, *, on_frame: Callable[[Frame], None]) -> None:
            self._on_frame, self.controls = on_frame, self

        def apply(self, command: object) -> None:
            requested.append(command.argument)  # type: ignore[attr-defined]

        def run(self) -> dict[str, float]:
            for frame_id in range(1, 540, 7):
                self._on_frame(Frame(np.zeros((2, 2, 3), np.uint8), frame_id, 0.0))
            return {"frames_out": 77, "fps": 4.0}

    monkeypatch.setattr(live.session, "Session", Recorded)
    monkeypatch.setattr(demo_command, "has_screen", lambda: True)
    demo_command.demo(look=None, output=None, seconds=20.0)
    names = [name for name in load_looks() if name != "none"]
    assert requested == [names[at % len(names)] for at in range(9)]


def test_the_film_of_the_demo_shows_every_look_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import live.session
    from engines.looks_file import load_looks

    requested = []

    class Recorded:
        """A session that renders every frame of the film."""

        def __init__(self, options: LiveOptions, *, on_frame: Callable[[Frame], None]) -> None:
            self._frames, self._on_frame, self.controls, self.pipeline = options.frames, on_frame, self, self
            self.parts = self.look_loader = self

        def load_all(self) -> None: ...

        def apply(self, command: object) -> None:
            requested.append(command.argument)  # type: ignore[attr-defined]

        def run(self) -> dict[str, float]:
            for frame_id in range(self._frames or 0):
                self._on_frame(Frame(np.zeros((2, 2, 3), np.uint8), frame_id, 0.0))
            return {"frames_out": self._frames or 0, "fps": 4.0}

    monkeypatch.setattr(live.session, "Session", Recorded)
    monkeypatch.setattr(demo_command, "has_screen", lambda: False)
    demo_command.demo(look=None, output=None, seconds=20.0)
    assert requested == [name for name in load_looks() if name != "none"]


def test_demo_stopped_at_once_names_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = Pipeline.run

    def stopped(pipeline: Pipeline) -> None:
        pipeline.interrupt()
        run(pipeline)

    monkeypatch.setattr(Pipeline, "run", stopped)
    done = call("demo", "--look", "none", "--output", tmp_path / "d.mp4")
    assert "stopped before the first frame" in done.stderr and "see " not in done.stderr, done.stderr
    assert not files(tmp_path)


def test_sheet_stops_between_two_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    labelled, painted = look_sheet._labelled, []

    def stop_after_one(tile_bgr: ImageU8, name: str) -> ImageU8:
        painted.append(name)
        os.kill(os.getpid(), signal.SIGINT)
        return labelled(tile_bgr, name)

    monkeypatch.setattr(look_sheet, "_labelled", stop_after_one)
    done = call("looks", "--sheet", tmp_path / "sheet.png")
    assert done.returncode == 130, done.stderr
    assert len(painted) == 1
    assert not files(tmp_path)
