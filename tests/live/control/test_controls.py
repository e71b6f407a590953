"""Commands and the settings that they change."""

from __future__ import annotations

import dataclasses
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import OptionsError, VeneerError
from live.control.controls import VERBS, Command, Controls, ControlState, parse_command

LOOKS = ("none", "glaze", "bright", "matte-red", "Nude Satin")


def controls(**start: object) -> Controls:
    return Controls(LOOKS, **{"look": "none", **start})  # type: ignore[arg-type]


def execute(*words: str, of: Controls) -> str:
    return of.apply(parse_command(words))


@pytest.mark.parametrize(
    ("words", "says", "field", "value"),
    [
        (["look", "glaze"], "look glaze", "look", "glaze"),
        (["LOOK", "Glaze"], "look glaze", "look", "glaze"),
        (["look", "3"], "look bright", "look", "bright"),
        (["look", "nude", "satin"], "look Nude Satin", "look", "Nude Satin"),
        (["strength", "0.25"], "strength 0.25", "strength", 0.25),
        (["strength", "0"], "strength 0", "strength", 0.0),
        (["mirror"], "mirror on", "mirror", True),
        (["mirror", "off"], "mirror off", "mirror", False),
        (["freeze", "on"], "freeze on", "frozen", True),
        (["panic"], "panic on", "panic", True),
        (["record", "ON"], "record on", "recording", True),
        (["help"], "help on", "help_shown", True),
        (["snapshot"], "snapshot 1", "snapshots", 1),
        (["quit"], "quit", "quit", True),
    ],
)
def test_command_changes_one_setting(words: list[str], says: str, field: str, value: object) -> None:
    it = controls()
    assert execute(*words, of=it) == says
    changed = {field: value} if getattr(ControlState("none"), field) != value else {}
    assert dataclasses.asdict(it.read()) == dataclasses.asdict(ControlState("none")) | changed


def test_look_named_like_a_number_is_found_by_name() -> None:
    it = Controls(("none", "1"), look="none")
    assert execute("look", "1", of=it) == "look 1"
    assert it.read().look == "1"


def test_switch_without_argument_toggles() -> None:
    it = controls()
    for verb in ("mirror", "freeze", "panic", "record", "help"):
        assert execute(verb, of=it) == f"{verb} on"
        assert execute(verb, "on", of=it) == f"{verb} on"
        assert execute(verb, of=it) == f"{verb} off"
    assert it.read() == ControlState("none")


def test_strength_steps_by_tenths_within_its_range() -> None:
    it = controls(strength=1.0)
    down = [execute("strength", "-", of=it) for _ in range(11)]
    assert down == [f"strength {n / 10:g}" for n in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)]
    assert it.read().strength == 0.0
    for _ in range(11):
        execute("strength", "+", of=it)
    assert it.read().strength == 1.0


def test_status_lists_settings_and_changes_nothing() -> None:
    it = controls(look="glaze", strength=0.5, mirror=True)
    before = it.read()
    assert execute("status", of=it) == "look glaze, strength 0.5, mirror on"
    assert it.read() is before


@pytest.mark.parametrize(
    ("words", "requested", "hint"),
    [
        ([], "command", "look"),
        (["lok", "glaze"], "'lok'", "did you mean 'look'"),
        (["look"], "'look'", "choose from: none, glaze"),
        (["look", "glase"], "look 'glase'", "did you mean 'glaze'"),
        (["look", "NUDE-SATIN"], "look 'NUDE-SATIN'", "did you mean 'Nude Satin'"),
        (["look", "zzz"], "look 'zzz'", "choose from: none, glaze"),
        (["look", "6"], "look '6'", "choose from"),
        (["look", "0"], "look '0'", "choose from"),
        (["look", "²"], "look '²'", "choose from"),
        (["look", "1" * 5000], "look '111", "choose from"),
        (["strength"], "strength", "use 0 (none) to 1"),
        (["strength", "1.5"], "strength '1.5'", "use 0 (none) to 1"),
        (["strength", "nan"], "strength 'nan'", "use 0 (none) to 1"),
        (["strength", "0,5"], "strength '0,5'", "use 0 (none) to 1"),
        (["mirror", "yes"], "mirror 'yes'", "on or off"),
        (["snapshot", "now"], "'snapshot now'", "use just 'snapshot'"),
    ],
)
def test_wrong_command_gives_one_line_with_a_hint(words: list[str], requested: str, hint: str) -> None:
    with pytest.raises(OptionsError) as caught:
        execute(*words, of=controls())
    assert requested in caught.value.asked
    assert hint in caught.value.do
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_look_is_checked_when_the_command_is_applied() -> None:
    command = parse_command(["look", "2"])
    it = controls()
    assert it.apply(command) == "look glaze"
    with pytest.raises(OptionsError, match="did you mean 'glaze'"):
        it.apply(parse_command(["look", "glas"]))
    assert it.read().look == "glaze"


@pytest.mark.parametrize(
    "command", [Command("fly"), Command("strength", 2.0), Command("strength"), Command("look"), Command("panic", "x")]
)
def test_command_object_is_checked(command: Command) -> None:
    it = controls()
    with pytest.raises(OptionsError):
        it.apply(command)
    assert it.read() == ControlState("none")


@pytest.mark.parametrize("start", [{"look": "glase"}, {"strength": 1.01}, {"strength": float("nan")}])
def test_wrong_initial_setting_is_refused(start: dict[str, object]) -> None:
    with pytest.raises(OptionsError):
        controls(**start)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*VERBS, *LOOKS, "on", "off", "+", "-", "0.3"]), st.text()), max_size=4))
def test_any_words_give_a_command_or_one_line(words: list[str]) -> None:
    it = controls()
    try:
        says = execute(*words, of=it)
    except VeneerError as error:
        says = str(error)
        assert it.read() == ControlState("none")
    assert says
    assert says.isprintable()


def test_commands_from_many_threads_are_all_applied() -> None:
    it = controls()
    threads = [
        threading.Thread(target=lambda: [execute("snapshot", of=it) and execute("panic", of=it) for _ in range(200)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert it.read().snapshots == 1600
    assert it.read().panic is False  # an even number of switches


def test_state_is_immutable() -> None:
    it = controls()
    before = it.read()
    execute("panic", of=it)
    assert before.panic is False
    assert it.read().panic is True
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.panic = True  # type: ignore[misc]


def test_a_number_is_the_digit_of_a_key() -> None:
    controls = Controls(("none", "toon", "comic"), look="none")
    controls.keys = {"0": "none", "1": "toon", "2": "comic", "e": "comic"}
    assert [controls.apply(Command("look", digit)) for digit in "102"] == ["look toon", "look none", "look comic"]
    for other in ("3", "e"):
        with pytest.raises(OptionsError, match="there is no such look"):
            controls.apply(Command("look", other))
