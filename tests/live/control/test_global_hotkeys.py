"""Keys pressed while another window has the focus: a real X server and real key presses."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from support.hotkey_program import HANG_S, Program, set_layout, x_server

from engines.errors import OptionsError
from live.control import pynput_hotkeys
from live.control.global_hotkeys import listen, session_problem
from live.control.pynput_hotkeys import PynputListener


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with x_server() as (name, _):
        yield name


@pytest.fixture
def program(display: str) -> Iterator[Program]:
    running = Program(display)
    try:
        yield running
    finally:
        assert running.end() == ""


@pytest.mark.screen
def test_ctrl_alt_key_commands_and_typing_does_not(display: str, program: Program) -> None:
    set_layout(display, "us")
    program.listen()
    assert program.commands("key", "ctrl+alt+2") == ["look glaze"]
    assert program.commands("type", "2 Quit before him [3]") == []
    assert program.commands("key", "2", "ctrl+2", "alt+2", "shift+2", "super+ctrl+alt+2") == []
    assert program.commands("key", "ctrl+alt+4", "ctrl+alt+Escape", "ctrl+alt+x", "ctrl+alt+F2") == []
    all_keys = [f"ctrl+alt+{key}" for key in ("1", "bracketleft", "bracketright", "m", "f", "b", "s", "r", "q")]
    assert program.commands("key", *all_keys) == [
        "look none",
        "strength -",
        "strength +",
        *(f"{verb} None" for verb in ("mirror", "freeze", "panic", "snapshot", "record", "quit")),
    ]
    assert program.commands("key", "ctrl+alt+M", "ctrl+alt+KP_3") == ["mirror None", "look bright"]


@pytest.mark.screen
def test_a_held_key_commands_once_but_strength_repeats(display: str, program: Program) -> None:
    set_layout(display, "us")
    program.listen()
    down, up = ("keydown", "ctrl", "keydown", "alt"), ("keyup", "alt", "keyup", "ctrl")
    assert program.commands(*down, "keydown", "b", "sleep", "1.2", "keyup", "b", *up) == ["panic None"]
    assert program.commands(*down, "key", "b", "key", "b", *up) == ["panic None"] * 2
    program.press(*down, "keydown", "bracketleft")
    steps = [program.next_command() for _ in range(3)]
    steps += program.commands("keyup", "bracketleft", *up)
    assert set(steps) == {"strength -"}
    # Shift pressed before Alt turns Alt into Meta; without Alt the key is not a command.
    shifted = ("keydown", "shift", *down, "key", "b", "keyup", "shift", *up, "key", "b")
    assert program.commands(*shifted) == ["panic None"]


@pytest.mark.screen
def test_caps_lock_and_num_lock_do_not_matter(display: str, program: Program) -> None:
    set_layout(display, "us")
    program.listen()
    for lock in ("Caps_Lock", "Num_Lock"):
        program.press("key", lock)
        assert program.commands("key", "ctrl+alt+2", "ctrl+alt+m") == ["look glaze", "mirror None"]
        program.press("key", lock)


@pytest.mark.screen
def test_modifiers_released_elsewhere_are_not_held(display: str, program: Program) -> None:
    set_layout(display, "us")
    program.listen()
    down, up = ("keydown", "ctrl", "keydown", "alt"), ("keyup", "alt", "keyup", "ctrl")
    program.order("stop")
    program.press(*down)
    program.listen()
    assert program.commands("key", "2", *up, "key", "2") == ["look glaze"]


@pytest.mark.screen
@pytest.mark.parametrize("layout", ["de", "fr", "es", "us,ru", "de,us"])
def test_brackets_and_digits_of_other_layouts_are_found(display: str, program: Program, layout: str) -> None:
    set_layout(display, layout)
    program.listen()
    assert program.commands("key", "ctrl+alt+bracketleft", "ctrl+alt+bracketright") == ["strength -", "strength +"]
    assert program.commands("key", "bracketleft", "ctrl+bracketleft") == []
    assert program.commands("key", "ctrl+alt+2", "ctrl+alt+m") == ["look glaze", "mirror None"]
    # The key with the 2 on it (key code 11), whatever character it gives without Shift.
    assert program.commands("keydown", "ctrl", "keydown", "alt", "key", "11", "keyup", "alt", "keyup", "ctrl") == [
        "look glaze"
    ]


@pytest.mark.screen
def test_no_key_is_lost_while_the_layout_changes(display: str, program: Program) -> None:
    set_layout(display, "us")
    program.listen()
    for layout in ["de", "us"] * 12:  # both have the digit 2 on the same key
        set_layout(display, layout)
        assert program.commands("key", "ctrl+alt+2") == ["look glaze"]


@pytest.mark.screen
def test_a_changed_layout_is_followed(display: str, program: Program) -> None:
    set_layout(display, "us")
    program.listen()
    set_layout(display, "de")
    deadline_s = time.monotonic() + HANG_S  # keys that are pressed before the program knows the layout are lost
    while program.commands("key", "ctrl+alt+bracketleft", "ctrl+alt+3") != ["strength -", "look bright"]:
        assert time.monotonic() < deadline_s


@pytest.mark.screen
def test_start_and_stop_repeat_and_leave_no_thread(program: Program) -> None:
    program.listen()
    idle_threads = "1"
    assert program.order("stop") == f"done stop True {idle_threads}"
    assert program.order("stop") == f"done stop True {idle_threads}"
    program.press("key", "ctrl+alt+2")
    program.listen()
    assert program.commands("key", "ctrl+alt+3") == ["look bright"]  # the 2 before it came while stopped
    for _ in range(10):
        program.order("start")
        assert program.order("stop").splitlines()[-1] == f"done stop True {idle_threads}"


@pytest.mark.screen
def test_a_lost_display_ends_the_hotkeys_in_one_line() -> None:
    with x_server() as (name, server):
        program = Program(name)
        program.listen()
        server.terminate()
        server.wait(HANG_S)
        assert program.order("stop").splitlines()[-1] == "done stop True 1"
        errors = program.end()
        assert "Traceback" not in errors
        assert errors.count("\n") <= 1


@pytest.mark.screen
def test_combinations_of_another_program_are_named(display: str, program: Program) -> None:
    set_layout(display, "us")
    program.listen()
    second = Program(display)
    assert second.order("start").startswith("refused global hotkeys: another program holds all of them - ")
    assert second.order("stop") == "done stop True 1"
    assert second.end() == ""
    assert program.commands("key", "ctrl+alt+2") == ["look glaze"]


@pytest.mark.screen
def test_hotkeys_need_no_x_extension() -> None:
    with x_server("-extension", "RECORD", "-extension", "XTEST") as (name, _):
        program = Program(name)
        program.listen()
        assert program.end() == ""


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this system has no X display to miss")
def test_an_unreachable_display_is_named() -> None:
    program = Program(":65000")
    assert program.order("start").startswith("refused global hotkeys: display ':65000' cannot be reached - ")
    assert program.order("stop") == "done stop True 1"
    assert program.end() == ""


@pytest.mark.parametrize(
    ("environ", "platform", "says"),
    [
        ({"XDG_SESSION_TYPE": "wayland", "DISPLAY": ":0"}, "linux", "Wayland"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", "Wayland"),
        ({}, "linux", "DISPLAY is not set"),
        ({"DISPLAY": ":0", "XDG_SESSION_TYPE": "x11"}, "linux", ""),
        ({}, "win32", ""),
        ({}, "darwin", ""),
    ],
)
def test_the_session_shows_whether_hotkeys_are_possible(environ: dict[str, str], platform: str, says: str) -> None:
    problem = session_problem(environ, platform)
    assert (problem is None) == (says == "")
    if problem is not None:
        assert says in problem.got
        assert "veneer ctl" in problem.do


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this system has no Wayland")
def test_on_wayland_a_desktop_shortcut_is_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_SESSION_TYPE", "wayland")
    with pytest.raises(OptionsError, match=r"Wayland does not give keys .*`veneer ctl look glaze`"):
        listen(print, {"1": "none", "2": "glaze"})


class _Key(NamedTuple):
    """A key as pynput reports it."""

    name: str = ""
    char: str = ""


class TestHook:
    """The hook for Windows and macOS, fed with the key events that pynput reports."""

    def _press(self, *keys: _Key) -> list[str]:
        pressed: list[str] = []
        hook = PynputListener(pressed.append, frozenset("2[m"))
        for key in keys:
            hook.press(key)
        return pressed

    def test_ctrl_alt_key_commands_and_typing_does_not(self) -> None:
        ctrl, alt, two = _Key("ctrl_l"), _Key("alt_r"), _Key(char="2")
        assert self._press(ctrl, alt, two) == ["2"]
        assert self._press(ctrl, alt, _Key("shift"), _Key(char="M")) == ["m"]
        assert self._press(two) == self._press(ctrl, two) == self._press(_Key("cmd"), ctrl, alt, two) == []

    def test_alt_gr_is_not_alt(self) -> None:
        assert self._press(_Key("ctrl_l"), _Key("alt_gr"), _Key(char="2")) == []

    def test_a_held_key_commands_once_but_strength_repeats(self) -> None:
        held = (_Key("ctrl_l"), _Key("alt_l"), _Key(char="2"), _Key(char="2"), _Key(char="["), _Key(char="["))
        assert self._press(*held) == ["2", "[", "["]

    def test_modifiers_whose_release_was_missed_expire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now_s = 100.0
        monkeypatch.setattr(pynput_hotkeys.time, "monotonic", lambda: now_s)
        pressed: list[str] = []
        hook = PynputListener(pressed.append, frozenset("2"))
        hook.press(_Key("ctrl_l"))
        hook.press(_Key("alt_l"))
        now_s += 11.0
        hook.press(_Key(char="2"))
        assert pressed == []
