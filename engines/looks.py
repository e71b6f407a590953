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

SHIPPED = Path(__file__).with_name("looks.toml")
NO_FACE = ("raw", "hold", "blur", "card")
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
        """Whether a layer needs to know which pixels show a person."""
        return any(isinstance(layer.style, Style) and layer.style.region in ("head", "person") for layer in self.layers)


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
        tables = toml.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LookError(f"looks file {path}", error.strerror or str(error), "check the path") from error
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LookError(f"looks file {path}", f"not TOML: {error}", "correct that line") from error
    found = tables.get("looks", {})
    strange = sorted(set(tables) - {"looks"})
    if strange or not isinstance(found, dict):
        raise LookError(f"looks file {path}", f"unknown table {strange or ['looks']}", "use [looks.NAME] tables only")
    return {name: _look(name, table, path) for name, table in found.items()}


def _look(name: str, table: Any, path: Path) -> Look:
    where = f"look {name!r} in {path}"
    if not isinstance(table, dict):
        raise LookError(where, f"{table!r} is no table", f"write [looks.{name}]")
    strange = sorted(set(table) - {"about", "layers", "no_face", "hold_s", "then"})
    if strange:
        raise LookError(where, f"unknown key {strange[0]!r}", "keys are about, layers, no_face, hold_s, then")
    layers = table.get("layers", [])
    if not isinstance(layers, list):
        raise LookError(where, "layers is no list", 'write layers = [{ style = "lips-glaze", strength = 0.9 }]')
    made = tuple(_layer(layer, where) for layer in layers)
    covers = _covers(made)
    no_face, then = table.get("no_face", "hold" if covers else "raw"), table.get("then", "blur")
    for key, value in (("no_face", no_face), ("then", then)):
        if value not in NO_FACE or (key == "then" and value == "hold"):
            raise LookError(where, f"{key} = {value!r}", f"use one of {', '.join(NO_FACE)}")
    hold_s = table.get("hold_s", _HOLD_S if covers else float("inf"))
    if isinstance(hold_s, bool) or not isinstance(hold_s, (int, float)) or not hold_s >= 0:
        raise LookError(where, f"hold_s = {hold_s!r}", "use a number of seconds, 0 or more")
    return Look(name, str(table.get("about", "")), made, no_face, float(hold_s), then)


def _layer(layer: Any, where: str) -> Layer:
    if not isinstance(layer, dict) or not isinstance(layer.get("style"), str):
        raise LookError(where, f"layer {layer!r}", 'write { style = "lips-glaze", strength = 0.9 }')
    strength = layer.get("strength", 1.0)
    if isinstance(strength, bool) or not isinstance(strength, (int, float)) or not 0 <= strength <= 1:
        raise LookError(where, f"strength {strength!r}", "use a number from 0 to 1")
    shade = layer["style"] == "shade"
    strange = sorted(set(layer) - {"style", "strength", *(("color", "finish") if shade else ("region",))})
    if strange:
        do = "keys are style, strength, region, and for a shade color, finish"
        raise LookError(where, f"unknown key {strange[0]!r} in a layer", do)
    try:
        style: Style | Shade
        if shade:
            style = Shade.parse(layer.get("color", ""), layer.get("finish", "satin"))
        else:
            style = load_style(layer["style"])
            style = style.on(str(layer.get("region", style.region)))
    except LookError as error:
        raise LookError(where, f"{error.asked}: {error.got}", error.do) from error
    return Layer(style, float(strength))
