"""The table of keys."""

from __future__ import annotations

import pytest

from engines.errors import LookError
from engines.looks import Look
from engines.looks_file import load_looks
from live.control.controls import Command, Controls, ControlState
from live.control.hotkeys import KEYS, command_for_key, help_lines, look_keys

LOOKS = {"1": "none", "2": "glaze", "3": "bright"}


def looks(*names: str, **keys: str) -> dict[str, Look]:
    return {name: Look(name, "", (), key=keys.get(name, ""), key_place=f"look {name!r}") for name in names}


def test_number_keys_select_looks() -> None:
    numbers = look_keys(looks("none", "glaze", "bright"))
    assert [command_for_key(key, numbers) for key in "1234"] == [*(Command("look", n) for n in LOOKS.values()), None]
    assert command_for_key("0", numbers) is None


def test_look_selects_its_own_key() -> None:
    keys = look_keys(looks("none", "toon", "evening", evening="e", toon="1"))
    assert keys == {"1": "toon", "2": "none", "3": "evening", "e": "evening"}
    assert command_for_key("E", keys) == Command("look", "evening")


def test_the_first_shipped_look_has_the_first_key() -> None:
    keys = look_keys(load_looks())
    assert (keys["0"], keys["1"], keys["2"]) == ("none", "toon", "comic") and list(keys.values()).count("none") == 1


def test_look_beyond_the_ninth_gets_a_letter_of_its_name() -> None:
    keys = look_keys(looks(*(f"{n}" for n in range(9)), "Mine", "bright", "hq", "tint", "tin"))
    assert {key: name for key, name in keys.items() if not key.isdigit()} == {
        "i": "Mine",
        "g": "bright",
        "t": "tint",
        "n": "tin",
    }
    assert "hq" not in keys.values(), "H and Q have commands"


@pytest.mark.parametrize(("key", "message"), [("m", "mirror the picture"), ("e", "selects look 'first'")])
def test_key_in_use_is_refused_in_one_line(key: str, message: str) -> None:
    with pytest.raises(LookError, match=message) as caught:
        look_keys(looks("first", "second", first="e", second=key))
    assert "second" in str(caught.value) and "\n" not in str(caught.value)


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
    for key in (*KEYS, *LOOKS):
        controls = Controls((*LOOKS.values(), "other"), look="other", strength=0.5)
        command = command_for_key(key, LOOKS)
        assert command is not None
        controls.apply(command)
        assert controls.read() != ControlState("other", 0.5), key


def test_brackets_change_the_strength() -> None:
    controls = Controls(tuple(LOOKS.values()), look="glaze", strength=0.5)
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
