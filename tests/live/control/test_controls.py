"""Commands and the one mutable state."""

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


def told(*words: str, of: Controls) -> str:
    return of.apply(parse_command(words, of.look_names))


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
def test_each_command_does_what_it_says(words: list[str], says: str, field: str, value: object) -> None:
    it = controls()
    assert told(*words, of=it) == says
    changed = {field: value} if getattr(ControlState("none"), field) != value else {}
    assert dataclasses.asdict(it.read()) == dataclasses.asdict(ControlState("none")) | changed  # and nothing else


def test_a_look_called_like_a_number_wins_over_the_number() -> None:
    it = Controls(("none", "1"), look="none")
    assert told("look", "1", of=it) == "look 1"
    assert it.read().look == "1"


def test_a_switch_goes_back_when_said_again() -> None:
    it = controls()
    for verb in ("mirror", "freeze", "panic", "record", "help"):
        assert told(verb, of=it) == f"{verb} on"
        assert told(verb, "on", of=it) == f"{verb} on"
        assert told(verb, of=it) == f"{verb} off"
    assert it.read() == ControlState("none")


def test_strength_steps_in_clean_tenths_and_stops_at_both_ends() -> None:
    it = controls(strength=1.0)
    down = [told("strength", "-", of=it) for _ in range(11)]
    assert down == [f"strength {n / 10:g}" for n in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)]
    assert it.read().strength == 0.0
    for _ in range(11):
        told("strength", "+", of=it)
    assert it.read().strength == 1.0


def test_status_says_how_things_are_and_changes_nothing() -> None:
    it = controls(look="glaze", strength=0.5, mirror=True)
    before = it.read()
    assert told("status", of=it) == "look glaze, strength 0.5, mirror on"
    assert it.read() is before


@pytest.mark.parametrize(
    ("words", "asked", "hint"),
    [
        ([], "a command", "look"),
        (["lok", "glaze"], "'lok'", "did you mean look"),
        (["look"], "'look'", "choose from: none, glaze"),
        (["look", "glase"], "look 'glase'", "did you mean glaze"),
        (["look", "NUDE-SATIN"], "look 'NUDE-SATIN'", "did you mean Nude Satin"),
        (["look", "zzz"], "look 'zzz'", "choose from: none, glaze"),
        (["look", "6"], "look '6'", "choose from"),
        (["look", "0"], "look '0'", "choose from"),
        (["look", "²"], "look '²'", "choose from"),
        (["look", "1" * 5000], "look '111", "choose from"),
        (["strength"], "strength", "say 0 (nothing) to 1"),
        (["strength", "1.5"], "strength '1.5'", "say 0 (nothing) to 1"),
        (["strength", "nan"], "strength 'nan'", "say 0 (nothing) to 1"),
        (["strength", "0,5"], "strength '0,5'", "say 0 (nothing) to 1"),
        (["mirror", "yes"], "mirror 'yes'", "on or off"),
        (["snapshot", "now"], "'snapshot now'", "say just 'snapshot'"),
    ],
)
def test_a_wrong_command_is_refused_in_one_line_with_a_hint(words: list[str], asked: str, hint: str) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_command(words, LOOKS)
    assert asked in caught.value.asked
    assert hint in caught.value.do
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_without_the_looks_a_name_is_left_for_the_controls_to_judge() -> None:
    command = parse_command(["look", "2"])
    it = controls()
    assert it.apply(command) == "look glaze"
    with pytest.raises(OptionsError, match="did you mean glaze"):
        it.apply(parse_command(["look", "glas"]))
    assert it.read().look == "glaze"


@pytest.mark.parametrize(
    "command", [Command("fly"), Command("strength", 2.0), Command("strength"), Command("look"), Command("panic", "x")]
)
def test_a_command_made_by_hand_is_checked_too(command: Command) -> None:
    it = controls()
    with pytest.raises(OptionsError):
        it.apply(command)
    assert it.read() == ControlState("none")


@pytest.mark.parametrize("start", [{"look": "glase"}, {"strength": 1.01}, {"strength": float("nan")}])
def test_a_wrong_start_is_refused(start: dict[str, object]) -> None:
    with pytest.raises(OptionsError):
        controls(**start)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*VERBS, *LOOKS, "on", "off", "+", "-", "0.3"]), st.text()), max_size=4))
def test_any_words_end_in_a_command_or_in_one_clear_line(words: list[str]) -> None:
    it = controls()
    try:
        says = told(*words, of=it)
    except VeneerError as error:
        says = str(error)
        assert it.read() == ControlState("none")
    assert says
    assert says.isprintable()


def test_commands_from_many_threads_all_count() -> None:
    it = controls()
    threads = [
        threading.Thread(target=lambda: [told("snapshot", of=it) and told("panic", of=it) for _ in range(200)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert it.read().snapshots == 1600
    assert it.read().panic is False  # an even number of switches


def test_what_was_read_does_not_change_afterwards() -> None:
    it = controls()
    before = it.read()
    told("panic", of=it)
    assert before.panic is False
    assert it.read().panic is True
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.panic = True  # type: ignore[misc]
