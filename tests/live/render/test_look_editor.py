"""Commands that change a look while it runs, and the file they write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.errors import VeneerError
from engines.looks_file import load_looks
from live.control.controls import Command, Controls, parse_command
from live.render.look_editor import LookEditor
from live.render.look_loader import LookLoader

OWN = """# my looks, in the order of the evening
order = ["night", "none"]

[looks.night]  # with the black coat
about = "dark red"
layers = [
  { style = "shade", color = "#6e0f1f", finish = "gloss", strength = 0.8 },  # the lipstick
]
no_face = "hold"  # never bare
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "looks.toml"
    path.write_text(OWN)
    return path


@pytest.fixture
def controls(file: Path) -> Controls:
    """Controls with an editor, and the look night."""
    looks = load_looks(file)
    controls = Controls(tuple(looks), look="night")
    loader = LookLoader(looks, runtime="auto", say=lambda line: None)
    controls.set_looks(loader.looks)
    LookEditor(controls, loader, file, finished=lambda look: look, on_change=lambda name: None)
    return controls


def apply(controls: Controls, *words: str) -> str:
    return controls.apply(parse_command(words))


def strength_of(controls: Controls) -> float:
    look = controls.look_of(controls.read())
    assert look is not None
    return look.layers[0].strength


def test_a_layer_is_changed_and_the_change_taken_back(controls: Controls) -> None:
    assert apply(controls, "layer", "1", "strength", "0.4") == "night, layer 1: strength 0.4"
    assert strength_of(controls) == 0.4
    apply(controls, "layer", "1", "strength", "0.2")
    apply(controls, "undo")
    assert strength_of(controls) == 0.4
    apply(controls, "undo")
    assert strength_of(controls) == 0.8
    with pytest.raises(VeneerError, match="nothing was changed"):
        apply(controls, "undo")


def test_the_rule_without_a_face_is_changed(controls: Controls) -> None:
    apply(controls, "fallback", "hold", "1.5", "card")
    look = controls.look_of(controls.read())
    assert look is not None and (look.no_face, look.hold_s, look.then) == ("hold", 1.5, "card")


@pytest.mark.parametrize(
    "words",
    [
        ("layer", "2", "strength", "0.5"),
        ("layer", "1", "strength", "2"),
        ("layer", "1", "color", "blue"),
        ("layer", "1", "finish", "wet"),
        ("layer", "1"),
        ("fallback", "sometimes"),
        ("save", ""),
        ("save", "none"),
        ("order", "[]"),
        ("order", "night"),
    ],
    ids=" ".join,
)
def test_wrong_changes_are_one_line_and_change_nothing(controls: Controls, file: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(VeneerError) as error:
        apply(controls, *words)
    assert "\n" not in str(error.value)
    assert strength_of(controls) == 0.8 and file.read_text() == OWN


def test_a_saved_look_keeps_the_comments_of_the_others(controls: Controls, file: Path) -> None:
    apply(controls, "layer", "1", "color", "#102030")
    assert apply(controls, "save", "blue") == f"saved blue in {file}"
    assert file.read_text().startswith(OWN)
    assert controls.read().look == "blue" and "blue" in controls.look_names
    saved = load_looks(file)["blue"]
    assert saved.layers == (controls.look_of(controls.read()) or saved).layers
    controls.apply(Command("look", "night"))
    look = controls.look_of(controls.read())
    assert look is not None and look.layers == load_looks(file)["night"].layers, "the first look is as in its file"


def test_a_look_saved_under_its_name_changes_only_its_values(controls: Controls, file: Path) -> None:
    apply(controls, "layer", "1", "strength", "0.5")
    apply(controls, "save", "night")
    assert file.read_text() == OWN.replace("strength = 0.8", "strength = 0.5")


def test_the_order_is_written_before_the_tables(controls: Controls, file: Path) -> None:
    names = [*reversed(controls.look_names)]
    apply(controls, "order", json.dumps(names))
    assert list(load_looks(file)) == names == list(controls.look_names)
    assert "# never bare" in file.read_text()
