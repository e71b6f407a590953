"""`veneer demo` and contact sheets: with and without a screen, whole and stopped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.apply_parts import environment, files, veneer
from support.cli_parts import HANG_S
from support.sink_clips import read_pictures

from live.commands import demo_command
from live.options import LiveOptions
from live.pipeline.frame import Frame


def test_a_screen_that_cannot_be_reached_means_a_film(monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux names a screen that may not be there")
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not demo_command.has_screen()


def test_a_demo_without_a_screen_shows_every_look_in_a_film(tmp_path: Path) -> None:
    done = veneer("demo", "--seconds", "0.2", cwd=tmp_path, DISPLAY=":987")
    assert done.returncode == 0, done.stderr
    assert "no screen here" in done.stderr and "6 frames" in done.stderr
    assert len(read_pictures(tmp_path / "veneer-demo.mp4")[0]) == 6


def test_a_demo_changes_its_look_even_where_frames_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is asked for once and in turn, though the frame at which it is due never comes."""
    import live.session
    from engines.looks import load_looks

    asked = []

    class Recorded:
        """Stands in for a session on a slow machine: only every seventh frame is shown."""

        def __init__(self, options: LiveOptions, *, on_frame: Callable[[Frame], None]) -> None:
            self._on_frame, self.controls = on_frame, self

        def apply(self, command: object) -> None:
            asked.append(command.argument)  # type: ignore[attr-defined]

        def run(self) -> dict[str, float]:
            for frame_id in range(1, 540, 7):
                self._on_frame(Frame(np.zeros((2, 2, 3), np.uint8), frame_id, 0.0))
            return {"frames_out": 77, "fps": 4.0}

    monkeypatch.setattr(live.session, "Session", Recorded)
    monkeypatch.setattr(demo_command, "has_screen", lambda: True)
    demo_command.demo(look=None, output=None, seconds=20.0)
    names = [name for name in load_looks() if name != "none"]
    assert asked == [names[at % len(names)] for at in range(9)]


_STOPPED_AT_ONCE = """
import sys
from live.cli import main
from live.pipeline.pipeline import Pipeline
run = Pipeline.run
def stopped(pipeline):
    pipeline.interrupt()
    run(pipeline)
Pipeline.run = stopped
sys.argv[1:] = ["demo", "--look", "none", "--output", sys.argv[1]]
main()
"""


def test_a_demo_stopped_before_its_first_frame_names_no_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STOPPED_AT_ONCE, str(tmp_path / "d.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, env=environment())
    assert "stopped before the first frame" in done.stderr and "see " not in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not files(tmp_path)


_STOPPED_IN_A_SHEET = """
import os, signal, sys
from live import sheet
from live.cli import main
labelled = sheet._labelled
def stop_after_one(tile_bgr, name):
    print("painted", name, flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    return labelled(tile_bgr, name)
sheet._labelled = stop_after_one
sys.argv[1:] = ["looks", "--sheet", sys.argv[1]]
main()
"""


def test_a_sheet_is_stopped_between_two_looks(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STOPPED_IN_A_SHEET, str(tmp_path / "sheet.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, env=environment())
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.count("painted") == 1
    assert not files(tmp_path)
