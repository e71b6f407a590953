"""Looks: ordered layers of (style, strength), and the picture that is shown while no face is found."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engines import paths, toml
from engines.errors import LookError, os_errors
from engines.generators.shade import Shade
from engines.regions.upright import FRAME_REGIONS
from engines.styles import Style, load_style
from engines.text import did_you_mean
from engines.untrusted_files import shown

SHIPPED = Path(__file__).with_name("looks.toml")
NO_FACE = ("raw", "hold", "blur", "card")
AFTER_HOLD = ("raw", "blur", "card")
_MAX_NAME = 60
_MAX_LAYERS = 32
_MAX_HOLD_S = 1e9
_HOLD_S = 0.5  # default of a covering look
_Place = Callable[..., str]  # returns the look, the file, and the line of nested keys of the look


@dataclass(frozen=True, slots=True)
class Layer:
    """One trained style or lipstick shade of a look, with its strength, 0..1."""

    style: Style | Shade
    strength: float

    @property
    def region(self) -> str:
        """The region of the style; "lips" for a shade."""
        return self.style.region if isinstance(self.style, Style) else "lips"

    @property
    def covers(self) -> bool:
        """Whether the layer hides what is below it."""
        return isinstance(self.style, Style) and self.style.covers


@dataclass(frozen=True, slots=True)
class Look:
    """A look.

    Attributes:
        about: One line of description.
        layers: From bottom to top.
        no_face: What is shown while no face is found: "raw", "hold", "blur" or "card".
        hold_s: How long "hold" lasts; infinity for no limit.
        then: What follows "hold": "raw", "blur" or "card".
        replaces_shipped: Whether it is the user's own and has the name of a shipped look.
        key: A letter or digit that selects the look; empty without one of its own.
        key_place: The look, and the file and line of its key.
    """

    name: str
    about: str
    layers: tuple[Layer, ...]
    no_face: str = "raw"
    hold_s: float = float("inf")
    then: str = "blur"
    replaces_shipped: bool = False
    key: str = ""
    key_place: str = ""

    @property
    def own_parts(self) -> tuple[str, ...]:
        """What of the user's own is used here instead of something shipped: "look 'glaze'", "style 'toon'"."""
        styles = (layer.style for layer in self.layers if isinstance(layer.style, Style))
        parts = [f"look {self.name!r}"] if self.replaces_shipped else []
        return (*parts, *dict.fromkeys(f"style {style.name!r}" for style in styles if style.replaces_shipped))

    @property
    def covers(self) -> bool:
        """Whether a layer hides the face, so that no frame without it may be shown."""
        return any(layer.covers for layer in self.layers)

    @property
    def needs_person(self) -> bool:
        """Whether a layer needs the mask of the persons in the frame, or the check that each of them is drawn."""
        return any(isinstance(layer.style, Style) and layer.style.needs_person for layer in self.layers)

    @property
    def final_fallback(self) -> str:
        """What is shown without a face when no earlier frame can be held: "raw", "blur" or "card"."""
        return self.then if self.no_face == "hold" else self.no_face

    @property
    def region_drawn_without_faces(self) -> str:
        """The region that the strongest drawn layers cover without any face: "frame" or "person"; else ""."""
        drawn = [
            (layer.style.region, layer.strength)
            for layer in self.layers
            if isinstance(layer.style, Style) and layer.style.covers
        ]
        max_strength = max((strength for _, strength in drawn), default=0.0)
        regions = {region for region, strength in drawn if strength >= max_strength}
        return next((region for region in FRAME_REGIONS if region in regions), "")

    @property
    def needs_everyone(self) -> bool:
        """Whether every person on the frame must be found: those whom no layer draws must be covered."""
        return self.covers and self.final_fallback != "raw" and self.region_drawn_without_faces != "frame"


def user_file() -> Path:
    """Return the path of the user's own looks file, which may not exist."""
    return paths.config_dir() / "looks.toml"


def load_looks(user_toml: Path | None = None) -> dict[str, Look]:
    """Load all looks by name: those that a file's `order` names, then the shipped ones, then those of a file, or of the
    user's own if it exists.

    Raises LookError if a file cannot be read or has a wrong entry; the message names the file and the line or look.
    """
    looks, _ = _read(SHIPPED)
    own = user_toml or user_file()
    if user_toml is None and not own.exists():
        return looks
    own_looks, order = _read(own, looks)
    for name, look in own_looks.items():
        looks[name] = replace(look, replaces_shipped=name in looks)
    return {name: looks[name] for name in dict.fromkeys([*order, *looks])}


def find_look(looks: Mapping[str, Look], name: str) -> Look:
    """Return the look of that name. Raises LookError if there is none; the message suggests similar names."""
    if name in looks:
        return looks[name]
    do = did_you_mean(name, looks, otherwise=f"looks are {', '.join(looks)}")
    raise LookError(f"look {name!r}", "there is no such look", do)


def _read(path: Path, shipped: Collection[str] = ()) -> tuple[dict[str, Look], list[str]]:
    """Return the looks of a file, and the names in its `order`: of these looks and the shipped ones."""
    try:
        with os_errors(f"looks file {path}", "check the path", LookError):
            file = toml.read(path)
    except toml.TOMLDecodeError as error:
        raise LookError(f"looks file {path}", f"not TOML: {error}", "correct that line") from error
    found, order = file.tables.get("looks", {}), file.tables.get("order", [])
    unknown = sorted(set(file.tables) - {"looks", "order"}) or ([] if isinstance(found, dict) else ["looks"])
    if unknown:
        got, do = f"unknown table {shown(unknown)}", "use [looks.NAME] tables only, and order = [...] before them"
        raise LookError(f"looks file {file.place(unknown[0])}", got, do)
    if not isinstance(order, list) or not all(isinstance(name, str) for name in order):
        do = 'write order = ["toon", "glaze"]'
        raise LookError(f"looks file {file.place('order')}", f"order = {shown(order)}", do)
    known = (*found, *shipped)
    for name in order:
        if name not in known:
            do = did_you_mean(name, known, otherwise=f"looks are {', '.join(known)}")
            raise LookError(f"order in {file.place('order')}", f"there is no look {shown(name)}", do)

    def place_in(name: str) -> _Place:
        return lambda *keys: f"look {shown(name)} in {file.place('looks', name, *keys)}"

    return {name: _look(name, table, place_in(name)) for name, table in found.items()}, order


def _look(name: str, table: Any, place: _Place) -> Look:
    if not name.strip() or not name.isprintable() or len(name) > _MAX_NAME:
        got, do = "the name is empty, too long or not printable", f"use up to {_MAX_NAME} printable characters"
        raise LookError(place(), got, do)
    if not isinstance(table, dict):
        raise LookError(place(), f"{shown(table)} is not a table", f"write [looks.{name}]")
    _check_keys(table, ("about", "layers", "no_face", "hold_s", "then", "key"), place)
    about, layers, key = table.get("about", ""), table.get("layers", []), table.get("key", "")
    if not isinstance(about, str) or not about.isprintable():
        raise LookError(place("about"), f"about = {shown(about)}", "write one line of text")
    if not isinstance(layers, list) or len(layers) > _MAX_LAYERS:
        do = f'write layers = [{{ style = "lips-glaze", strength = 0.9 }}], at most {_MAX_LAYERS}'
        raise LookError(place("layers"), "layers is not a list of layers", do)
    if not isinstance(key, str) or not re.fullmatch("[a-z0-9]?", key):
        raise LookError(place("key"), f"key = {shown(key)}", 'write one small letter or a digit, for example key = "e"')
    look = Look(name, about, tuple(_layer(layer, lambda *_: place("layers")) for layer in layers))
    look = replace(look, key=key, key_place=place("key") if key else "")
    no_face, hold_s, then = _fallback(table, place, covers=look.covers)
    if not layers and name != "none":
        do = 'give it a layer, for example { style = "lips-glaze" }; the look none shows the bare face'
        raise LookError(place("layers"), "it has no layer, so it would show the bare face", do)
    return replace(look, no_face=no_face, hold_s=hold_s, then=then)


def _fallback(table: dict[str, Any], place: _Place, *, covers: bool) -> tuple[str, float, str]:
    """Read no_face, hold_s and then."""
    no_face, then = table.get("no_face", "hold" if covers else "raw"), table.get("then", "blur")
    for key, value, allowed in (("no_face", no_face, NO_FACE), ("then", then, AFTER_HOLD)):
        if value not in allowed:
            raise LookError(place(key), f"{key} = {shown(value)}", f"use one of {', '.join(allowed)}")
    hold_s = table.get("hold_s", _HOLD_S if covers else float("inf"))
    if not _is_number(hold_s) or not (0 <= hold_s <= _MAX_HOLD_S or hold_s == float("inf")):
        raise LookError(place("hold_s"), f"hold_s = {shown(hold_s)}", "use a number of seconds, 0 or more")
    return no_face, float(hold_s), then


def _layer(layer: Any, place: _Place) -> Layer:
    if not isinstance(layer, dict) or not isinstance(layer.get("style"), str):
        raise LookError(place(), f"layer {shown(layer)}", 'write { style = "lips-glaze", strength = 0.9 }')
    strength = layer.get("strength", 1.0)
    if not _is_number(strength) or not 0 <= strength <= 1:
        raise LookError(place(), f"strength {shown(strength)}", "use a number from 0 to 1")
    shade = layer["style"] == "shade"
    keys = ("style", "strength", *(("color", "finish") if shade else ("region",)))
    _check_keys(layer, keys, lambda *_: f"{place()}, layer {shown(layer['style'])}")
    try:
        return Layer(_parse_style(layer, shade=shade), float(strength))
    except LookError as error:
        raise LookError(place(), f"{error.asked}: {error.got}", error.do) from error


def _parse_style(layer: dict[str, Any], *, shade: bool) -> Style | Shade:
    for key in ("color", "finish", "region"):
        if not isinstance(layer.get(key, ""), str):
            raise LookError(f"{key} {shown(layer[key])}", "not a text", "write it in quotation marks")
    if shade:
        return Shade.parse(layer.get("color", ""), layer.get("finish", "satin"))
    style = load_style(layer["style"])
    return style.on(layer.get("region", style.region))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_keys(table: Mapping[str, Any], keys: tuple[str, ...], place: _Place) -> None:
    for key in table:
        if key not in keys:
            do = did_you_mean(key, keys, otherwise=f"keys are {', '.join(keys)}")
            raise LookError(place(key), f"unknown key {shown(key)}", do)
