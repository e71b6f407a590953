"""The preview window on a real X server: picture, keys, closing, and missing screens."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.cli_parts import WITH_TESTS
from support.root import ROOT
from support.screen import need, press_close_button, wait_for_window, x_server, xdotool

from engines.errors import SinkError
from live.pipeline.frame import ImageU8
from live.sinks import display as display_module
from live.sinks.display import check_screen
from live.sinks.preview_meter import MeterText
from live.sinks.window import INITIAL_SIZE_WH, MAX_SIZE_WH, MIN_SIZE_WH, WindowSink, _scaled_into, key_name

PROGRAM = ROOT / "tests" / "support" / "window_program.py"
HANG_S = 60


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An X server with a screen of 1600x900 pixels."""
    need("Xvfb", "xdotool")
    with x_server() as name:
        yield name


class _Window:
    """The program with the window, and the lines it has printed."""

    def __init__(self, process: subprocess.Popen[str], display: str) -> None:
        self.process, self.display = process, display
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.id = 0

    def appear(self) -> None:
        self.wait_for("open")
        self.id = wait_for_window(self.display, "Veneer")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, line: str, *, times: int = 1) -> None:
        deadline_s = time.monotonic() + HANG_S
        while self.lines.count(line) < times:
            assert time.monotonic() < deadline_s, f"no '{line}' among {self.lines}"
            assert self.reader.is_alive() or self.lines.count(line) >= times, self.lines
            time.sleep(0.05)

    def press(self, name: str, *, expected: str | None = None) -> None:
        """Press a key; wait for the line `expected`, because OpenCV reports only the last of several keys at once."""
        times = self.lines.count(expected) + 1 if expected else 0
        xdotool(self.display, "windowfocus", str(self.id))
        time.sleep(0.15)
        xdotool(self.display, "key", name)
        time.sleep(0.15)
        if expected:
            self.wait_for(expected, times=times)


@contextlib.contextmanager
def _window(
    display: str, size_wh: tuple[int, int] = (640, 480), environment: dict[str, str] | None = None
) -> Iterator[_Window]:
    command = [*WITH_TESTS, sys.executable, str(PROGRAM), str(size_wh[0]), str(size_wh[1])]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "DISPLAY": display, **(environment or {})}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables
    ) as process:
        window = _Window(process, display)
        try:
            window.appear()
            yield window
        finally:
            process.kill()
            window.reader.join(HANG_S)  # before its pipe is closed


def _screenshot(display: str) -> ImageU8:
    from PIL import ImageGrab, features

    if not features.check("xcb"):
        pytest.skip("this Pillow cannot capture an X screen")
    return np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"))[:, :, ::-1].astype(np.uint8)


def _screenshot_with_picture(display: str) -> ImageU8:
    """Return the screen once both lower corners of the picture are visible, or after the timeout."""
    deadline_s = time.monotonic() + HANG_S
    while True:
        screen_bgr = _screenshot(display)
        corners = screen_bgr[[465, 465], [15, 625]].astype(int)
        if np.abs(corners - [(200, 60, 20), (20, 210, 230)]).max() <= 3 or time.monotonic() > deadline_s:
            return screen_bgr
        time.sleep(0.1)


@pytest.mark.serial
@pytest.mark.screen
def test_window_shows_picture_and_meter(display: str) -> None:
    with _window(display) as window:
        screen_bgr = _screenshot_with_picture(display)
        window.press("q")
        window.wait_for("end")
    shown = screen_bgr[:480, :640].astype(int)
    assert np.abs(shown[300:470, 10:310] - (200, 60, 20)).max() <= 3
    assert np.abs(shown[300:470, 330:630] - (20, 210, 230)).max() <= 3
    strip = shown[0:45, 0:150]
    assert strip.max() > 200 and np.median(strip) < 110  # light text on a dark strip
    red = (shown[:, :, 2] > 190) & (shown[:, :, 1] < 100) & (shown[:, :, 0] < 100)
    assert red[:80, 400:].any()  # the dot of "recording"


@pytest.mark.serial
@pytest.mark.screen
def test_keys_are_reported_by_name(display: str) -> None:
    keys = {"1": "1", "9": "9", "bracketleft": "[", "bracketright": "]", "m": "m", "M": "m", "question": "?", "H": "h",
             "F1": None, "Left": None, "Shift_L": None, "Escape": "esc", "q": "q"}  # fmt: skip
    with _window(display) as window:
        for name, line in keys.items():
            window.press(name, expected=line)
        window.wait_for("closed")
        window.process.wait(HANG_S)
        lines = window.lines
    assert lines == ["open", "1", "9", "[", "]", "m", "m", "?", "h", "esc", "q", "end", "closed"]


@pytest.mark.serial
@pytest.mark.screen
def test_close_button_reports_q_and_stays_closed(display: str) -> None:
    with _window(display) as window:
        press_close_button(display, window.id)
        window.wait_for("closed")
        window.process.wait(HANG_S)
        lines = window.lines
    assert lines == ["open", "q", "end", "closed"]


@pytest.mark.serial
@pytest.mark.screen
@pytest.mark.parametrize("size_wh", [(1, 1), (160, 120), (3840, 2160), (300, 2000)])
def test_window_size_is_limited_for_any_frame_size(display: str, size_wh: tuple[int, int]) -> None:
    with _window(display, size_wh) as window:
        lines = xdotool(display, "getwindowgeometry", "--shell", str(window.id)).splitlines()
        window.press("q")
        window.wait_for("end")
    geometry = dict(line.split("=") for line in lines)
    assert int(geometry["WIDTH"]) <= INITIAL_SIZE_WH[0] and int(geometry["HEIGHT"]) <= INITIAL_SIZE_WH[1]
    assert int(geometry["WIDTH"]) >= MIN_SIZE_WH[0] - 1 or int(geometry["HEIGHT"]) >= MIN_SIZE_WH[1] - 1


@pytest.mark.serial
@pytest.mark.screen
def test_wayland_variables_do_not_abort_the_program(display: str) -> None:
    desktop = {"QT_QPA_PLATFORM": "wayland", "XDG_SESSION_TYPE": "wayland", "WAYLAND_DISPLAY": "wayland-0"}
    with _window(display, environment=desktop) as window:
        window.press("q")
        window.wait_for("closed")
        assert window.lines == ["open", "q", "end", "closed"]


def _run_without_screen(**environment: str) -> str:
    hidden = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    variables = {**hidden, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "640", "480"],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="screens are checked on Linux only")
@pytest.mark.parametrize(
    ("environment", "got"),
    [
        ({}, "there is no screen (DISPLAY is not set)"),
        (
            {"WAYLAND_DISPLAY": "wayland-0"},
            "this Wayland session has no X11 (DISPLAY is not set), and OpenCV's window needs it",
        ),
        ({"DISPLAY": ":987"}, "the screen DISPLAY=:987 cannot be reached"),
        ({"DISPLAY": "nonsense"}, "the screen DISPLAY=nonsense cannot be reached"),
    ],
)
def test_missing_screen_is_one_line_without_a_crash(environment: dict[str, str], got: str) -> None:
    output = _run_without_screen(**environment)
    assert output.startswith(f"error preview window: {got} - ")
    assert output.count("\n") == 1
    assert "--sink" in output


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libraries are checked on Linux only")
def test_missing_system_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "libqxcb.so"
    broken.write_bytes(b"")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(display_module, "_x11_plugin", lambda: broken)
    with pytest.raises(SinkError, match="system library .* is missing") as caught:
        check_screen()
    assert "apt install" in caught.value.do


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (-1, None),
        (ord("1"), "1"),
        (ord("["), "["),
        (ord("M"), "m"),
        (ord("?"), "?"),
        (27, "esc"),
        (0x100000 | ord("q"), "q"),  # with Num Lock
        (65361, None),  # the left arrow, whose low byte is "Q"
        (65470, None),
        (32, None),
        (13, None),
    ],
)
def test_key_codes(code: int, name: str | None) -> None:
    assert key_name(code) == name


@pytest.mark.parametrize("size_wh", [(1, 1), (640, 480), (1280, 720), (7680, 4320), (1, 5000), (5000, 1)])
def test_preview_size_is_within_limits(size_wh: tuple[int, int]) -> None:
    width, height = _scaled_into(size_wh, MIN_SIZE_WH, MAX_SIZE_WH)
    assert 1 <= width <= MAX_SIZE_WH[0]
    assert 1 <= height <= MAX_SIZE_WH[1]
    assert width >= MIN_SIZE_WH[0] - 1 or height >= MIN_SIZE_WH[1] - 1
    if min(size_wh) > 1:
        assert width / height == pytest.approx(size_wh[0] / size_wh[1], rel=0.01)


def test_unopened_window_ignores_calls() -> None:
    sink = WindowSink(on_key=lambda _: None, meter=lambda: MeterText(()))
    assert (sink.name, sink.live, sink.main_thread) == ("window", True, True)
    sink.pump()
    sink.close()
    sink.close()
