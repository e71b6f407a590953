"""Looks: what the wearer picks. Ordered layers of (style, strength), and what is shown when no face is found."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines import paths, toml
from engines.errors import LookError
from engines.generators.shade import Shade
from engines.styles import Style, load_style
from engines.untrusted_files import shown

SHIPPED = Path(__file__).with_name("looks.toml")
NO_FACE = ("raw", "hold", "blur", "card")
_LONGEST_NAME = 60
_MOST_LAYERS = 32
_LONGEST_HOLD_S = 1e9
_HOLD_S = 0.5  # how long a covering look shows its last frame, unless it says otherwise


@dataclass(frozen=True, slots=True)
class Layer:
    """One style of a look.

    Attributes:
        style: a network style, or a lipstick shade.
        strength: 0..1.
    """

    style: Style | Shade
    strength: float


@dataclass(frozen=True, slots=True)
class Look:
    """A look.

    Attributes:
        name: as the user says it.
        about: one line for people.
        layers: from bottom to top.
        no_face: "raw", "hold", "blur" or "card".
        hold_s: how long "hold" lasts; infinity where nothing follows.
        then: what follows it.
    """

    name: str
    about: str
    layers: tuple[Layer, ...]
    no_face: str = "raw"
    hold_s: float = float("inf")
    then: str = "blur"

    @property
    def covers(self) -> bool:
        """Whether a layer hides the face: then it must never be seen without it."""
        return _covers(self.layers)

    @property
    def wants_person(self) -> bool:
        """Whether a layer needs to know which pixels show a person, or it must be known who is there and not drawn."""
        return any(isinstance(layer.style, Style) and layer.style.wants_person for layer in self.layers)


def _covers(layers: tuple[Layer, ...]) -> bool:
    return any(isinstance(layer.style, Style) and layer.style.covers for layer in layers)


def user_file() -> Path:
    """The user's own looks file, whether it is there or not."""
    return paths.config_dir() / "looks.toml"


def load_looks(user_toml: Path | None = None) -> dict[str, Look]:
    """All looks by name: the shipped ones in their order, then the user's own.

    Args:
        user_toml: a file that must be there; the user's own file, where there is one, if None.

    Raises:
        LookError: a file cannot be read or says something impossible; the message names file and line or look.
    """
    looks = _read(SHIPPED)
    own = user_toml or user_file()
    if user_toml is not None or own.is_file():
        looks.update(_read(own))
    return looks


def find_look(looks: Mapping[str, Look], name: str) -> Look:
    """The look of that name.

    Raises:
        LookError: unknown; the message names the nearest ones.
    """
    if name in looks:
        return looks[name]
    near = difflib.get_close_matches(name, looks, n=3, cutoff=0.4)
    do = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(looks)}"
    raise LookError(f"look {name!r}", "there is no such look", do)


def _read(path: Path) -> dict[str, Look]:
    try:
        tables = toml.read(path)
    except OSError as error:
        raise LookError(f"looks file {path}", error.strerror or str(error), "check the path") from error
    except toml.TOMLDecodeError as error:
        raise LookError(f"looks file {path}", f"not TOML: {error}", "correct that line") from error
    found = tables.get("looks", {})
    strange = sorted(set(tables) - {"looks"})
    if strange or not isinstance(found, dict):
        got = f"unknown table {shown(strange or ['looks'])}"
        raise LookError(f"looks file {path}", got, "use [looks.NAME] tables only")
    return {name: _look(name, table, path) for name, table in found.items()}


def _look(name: str, table: Any, path: Path) -> Look:
    where = f"look {shown(name)} in {path}"
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise LookError(where, "it cannot be named so", f"use up to {_LONGEST_NAME} letters, digits, signs, spaces")
    if not isinstance(table, dict):
        raise LookError(where, f"{shown(table)} is no table", f"write [looks.{name}]")
    strange = sorted(set(table) - {"about", "layers", "no_face", "hold_s", "then"})
    if strange:
        raise LookError(where, f"unknown key {shown(strange[0])}", "keys are about, layers, no_face, hold_s, then")
    about, layers = table.get("about", ""), table.get("layers", [])
    if not isinstance(about, str) or not about.isprintable():
        raise LookError(where, f"about = {shown(about)}", "write one line of text")
    if not isinstance(layers, list) or len(layers) > _MOST_LAYERS:
        do = f'write layers = [{{ style = "lips-glaze", strength = 0.9 }}], at most {_MOST_LAYERS}'
        raise LookError(where, "layers is no list of layers", do)
    made = tuple(_layer(layer, where) for layer in layers)
    return Look(name, about, made, *_fallback(table, where, covers=_covers(made)))


def _fallback(table: dict[str, Any], where: str, *, covers: bool) -> tuple[str, float, str]:
    """What is shown without a face: no_face, hold_s, then."""
    no_face, then = table.get("no_face", "hold" if covers else "raw"), table.get("then", "blur")
    for key, value in (("no_face", no_face), ("then", then)):
        if value not in NO_FACE or (key == "then" and value == "hold"):
            raise LookError(where, f"{key} = {shown(value)}", f"use one of {', '.join(NO_FACE)}")
    hold_s = table.get("hold_s", _HOLD_S if covers else float("inf"))
    number = isinstance(hold_s, (int, float)) and not isinstance(hold_s, bool)
    if not number or not (0 <= hold_s <= _LONGEST_HOLD_S or hold_s == float("inf")):
        raise LookError(where, f"hold_s = {shown(hold_s)}", "use a number of seconds, 0 or more")
    return no_face, float(hold_s), then


def _layer(layer: Any, where: str) -> Layer:
    if not isinstance(layer, dict) or not isinstance(layer.get("style"), str):
        raise LookError(where, f"layer {shown(layer)}", 'write { style = "lips-glaze", strength = 0.9 }')
    strength = layer.get("strength", 1.0)
    if isinstance(strength, bool) or not isinstance(strength, (int, float)) or not 0 <= strength <= 1:
        raise LookError(where, f"strength {shown(strength)}", "use a number from 0 to 1")
    shade = layer["style"] == "shade"
    strange = sorted(set(layer) - {"style", "strength", *(("color", "finish") if shade else ("region",))})
    if strange:
        do = "keys are style, strength, region, and for a shade color, finish"
        raise LookError(where, f"unknown key {shown(strange[0])} in a layer", do)
    try:
        return Layer(_painted(layer, shade=shade), float(strength))
    except LookError as error:
        raise LookError(where, f"{error.asked}: {error.got}", error.do) from error


def _painted(layer: dict[str, Any], *, shade: bool) -> Style | Shade:
    for key in ("color", "finish", "region"):
        if not isinstance(layer.get(key, ""), str):
            raise LookError(f"{key} {shown(layer[key])}", "not a text", "write it in quotation marks")
    if shade:
        return Shade.parse(layer.get("color", ""), layer.get("finish", "satin"))
    style = load_style(layer["style"])
    return style.on(layer.get("region", style.region))
