"""Keys pressed while another window has the focus: a real X server, real key presses."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from support.hotkey_program import HANG_S, Program, set_layout, x_server

from engines.errors import OptionsError
from live.control.global_hotkeys import GlobalHotkeys, session_problem


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with x_server() as (name, _):
        yield name


@pytest.fixture
def program(display: str) -> Iterator[Program]:
    made = Program(display)
    try:
        yield made
    finally:
        assert made.end() == ""


@pytest.mark.screen
def test_ctrl_alt_and_a_key_commands_and_typing_does_not(display: str, program: Program) -> None:
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
def test_a_key_held_down_switches_once_but_goes_on_with_strength(display: str, program: Program) -> None:
    set_layout(display, "us")
    program.listen()
    down, up = ("keydown", "ctrl", "keydown", "alt"), ("keyup", "alt", "keyup", "ctrl")
    assert program.commands(*down, "keydown", "b", "sleep", "1.2", "keyup", "b", *up) == ["panic None"]
    assert program.commands(*down, "key", "b", "key", "b", *up) == ["panic None"] * 2
    program.press(*down, "keydown", "bracketleft")
    steps = [program.next_command() for _ in range(3)]
    steps += program.commands("keyup", "bracketleft", *up)
    assert set(steps) == {"strength -"}
    # Shift pressed before Alt turns Alt into Meta, and it comes up again as Alt
    shifted = ("keydown", "shift", *down, "key", "b", "keyup", "shift", *up, "key", "b")
    assert program.commands(*shifted) == ["panic None"]


@pytest.mark.screen
def test_modifiers_whose_release_went_unseen_are_forgotten(display: str) -> None:
    program = Program(display, first="import live.control.global_hotkeys as it; it._HELD_AT_MOST_S = 4.0")
    program.listen()
    down, up = ("keydown", "ctrl", "keydown", "alt"), ("keyup", "alt", "keyup", "ctrl")
    assert program.commands(*down, "sleep", "5", "key", "2", *up) == []
    assert program.commands(*down, "key", "2", *up) == ["look glaze"]
    assert program.end() == ""


@pytest.mark.screen
@pytest.mark.parametrize("layout", ["de", "fr", "es", "us,ru", "de,us"])
def test_brackets_and_digits_behind_a_modifier_are_found(display: str, program: Program, layout: str) -> None:
    set_layout(display, layout)
    program.listen()
    assert program.commands("key", "ctrl+alt+bracketleft", "ctrl+alt+bracketright") == ["strength -", "strength +"]
    assert program.commands("key", "bracketleft", "ctrl+bracketleft") == []
    assert program.commands("key", "ctrl+alt+2", "ctrl+alt+m") == ["look glaze", "mirror None"]
    # the bare key with the 2 on it (keycode 11), whatever sign it gives without Shift
    assert program.commands("keydown", "ctrl", "keydown", "alt", "key", "11", "keyup", "alt", "keyup", "ctrl") == [
        "look glaze"
    ]


@pytest.mark.screen
def test_a_layout_changed_while_it_runs_is_followed(display: str, program: Program) -> None:
    set_layout(display, "us")
    program.listen()
    set_layout(display, "de")
    assert program.commands("key", "ctrl+alt+bracketleft", "ctrl+alt+3") == ["strength -", "look bright"]


@pytest.mark.screen
def test_start_and_stop_can_be_repeated_and_leave_no_thread(program: Program) -> None:
    program.listen()
    assert program.order("start").startswith("done start True")
    idle_threads = "1"
    assert program.order("stop") == f"done stop True {idle_threads}"
    assert program.order("stop") == f"done stop True {idle_threads}"
    program.press("key", "ctrl+alt+2")
    program.listen()
    assert program.commands("key", "ctrl+alt+3") == ["look bright"]  # and the 2 from before was not heard
    for _ in range(10):
        program.order("start")
        assert program.order("stop").splitlines()[-1] == f"done stop True {idle_threads}"


@pytest.mark.screen
def test_a_display_that_goes_away_ends_the_keys_in_one_line() -> None:
    with x_server() as (name, server):
        made = Program(name)
        made.listen()
        server.terminate()
        server.wait(HANG_S)
        assert made.order("stop").splitlines()[-1] == "done stop True 1"
        said = made.end()
        assert "Traceback" not in said
        assert said.count("\n") <= 1


@pytest.mark.screen
def test_a_display_that_does_not_let_itself_be_listened_to_is_refused_without_hanging() -> None:
    with x_server("-extension", "RECORD") as (name, _):
        made = Program(name, first="live.control.global_hotkeys._START_TIMEOUT_S = 2.0")
        assert made.order("start").startswith("refused global hotkeys: the keyboard cannot be listened to - ")
        assert made.order("stop").startswith("done stop True")
        assert "Traceback" not in made.end()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this system has no X display to miss")
def test_a_display_that_cannot_be_reached_is_named() -> None:
    made = Program(":65000")
    assert made.order("start").startswith("refused global hotkeys: display ':65000' cannot be reached - ")
    assert made.order("stop").startswith("done stop True")
    assert made.end() == ""


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
def test_the_session_says_whether_there_can_be_global_keys(environ: dict[str, str], platform: str, says: str) -> None:
    problem = session_problem(environ, platform)
    assert (problem is None) == (says == "")
    if problem is not None:
        assert says in problem.got
        assert "veneer ctl" in problem.do


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this system has no Wayland")
def test_on_wayland_it_names_the_other_way_and_takes_no_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_SESSION_TYPE", "wayland")
    keys = GlobalHotkeys(print, ("none", "glaze"))
    with pytest.raises(OptionsError, match=r"Wayland does not hand keys .*`veneer ctl look glaze`"):
        keys.start()
    keys.stop()


@pytest.mark.parametrize(
    ("modifiers", "says"),
    [("ctlr+alt", "did you mean ctrl"), ("", "choose from"), ("shift", "add ctrl"), ("ctrl+", "choose from")],
)
def test_modifiers_that_make_no_sense_are_refused(modifiers: str, says: str) -> None:
    with pytest.raises(OptionsError) as caught:
        GlobalHotkeys(print, ("none",), modifiers=modifiers)
    assert says in caught.value.do
