"""The table of keys."""

from __future__ import annotations

import pytest

from live.control.controls import Command, Controls, ControlState
from live.control.hotkeys import KEYS, command_for_key, help_lines

LOOKS = ("none", "glaze", "bright")


def test_number_keys_select_looks() -> None:
    assert [command_for_key(str(n), LOOKS) for n in range(1, 5)] == [*(Command("look", name) for name in LOOKS), None]
    assert command_for_key("0", LOOKS) is None


@pytest.mark.parametrize(
    ("key", "verb"),
    [("m", "mirror"), ("F", "freeze"), ("b", "panic"), ("S", "snapshot"), ("r", "record"), ("h", "help")]
    + [(key, "quit") for key in ("q", "Q", "esc", "Escape", "\x1b")]
    + [(key, "strength") for key in "[]"],
)
def test_key_gives_its_command_in_either_case(key: str, verb: str) -> None:
    command = command_for_key(key, LOOKS)
    assert command is not None
    assert command.verb == verb


@pytest.mark.parametrize("key", ["x", "", " ", "ä", "123", "f1", "\x00", "²"])
def test_other_keys_have_no_command(key: str) -> None:
    assert command_for_key(key, LOOKS) is None


def test_every_key_changes_a_setting() -> None:
    looks = tuple(f"look-{n}" for n in range(10))
    for key in KEYS:
        controls = Controls(looks, look="look-9", strength=0.5)
        command = command_for_key(key, looks)
        assert command is not None
        controls.apply(command)
        assert controls.read() != ControlState("look-9", 0.5), key


def test_brackets_change_the_strength() -> None:
    controls = Controls(LOOKS, look="glaze", strength=0.5)
    for key, strength in (("[", 0.4), ("]", 0.5), ("]", 0.6)):
        command = command_for_key(key, LOOKS)
        assert command is not None
        controls.apply(command)
        assert controls.read().strength == pytest.approx(strength)


def test_help_lists_each_look_and_key_once() -> None:
    lines = help_lines(LOOKS)
    assert lines[:3] == ("1  none", "2  glaze", "3  bright")
    assert [line[0] for line in lines[3:]] == list("[]MFBSRHQ")
    assert any("Esc" in line for line in lines)
    assert len(help_lines(tuple(f"look-{n}" for n in range(20)))) == 9 + 9
