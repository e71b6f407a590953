"""The looks file: tables of TOML become looks; every error names the file and the line."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines import paths, toml
from engines.drawing.medium import MEDIA, Medium
from engines.errors import LookError, VeneerError, os_errors
from engines.generators.shade import Shade
from engines.looks import AFTER_HOLD, HOLD_S, NO_FACE, OTHERS, Layer, Look
from engines.option_fields import option_fields, options_from_table
from engines.regions.upright import FRAME_REGIONS
from engines.style_lookup import groups_of, load_style
from engines.styles import Style
from engines.text import did_you_mean
from engines.untrusted_files import shown

SHIPPED = Path(__file__).with_name("looks.toml")
_MAX_NAME = 60
_MAX_LAYERS = 32
_MAX_HOLD_S = 1e9
_PERSONS = ("only", "except")
_Place = Callable[..., str]  # returns the look, the file, and the line of nested keys of the look


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
    taken = {look.key for look in own_looks.values()}
    looks = {name: replace(look, key="" if look.key in taken else look.key) for name, look in looks.items()}
    for name, look in own_looks.items():
        looks[name] = replace(look, replaces_shipped=name in looks)
    return {name: looks[name] for name in dict.fromkeys([*order, *looks])}


def look_tables(user_toml: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the tables of all looks by name, as written in the files that `load_looks` reads. Raises LookError."""
    own = user_toml or user_file()
    found: dict[str, dict[str, Any]] = {}
    for path in (SHIPPED, own):
        if path.exists():
            try:
                found |= toml.read(path).tables.get("looks", {})
            except toml.TOMLDecodeError as error:
                raise LookError(f"looks file {path}", f"not TOML: {error}", "correct that line") from error
    return found


def parse_look(name: str, table: dict[str, Any]) -> Look:
    """Return the look of a table in the form of the looks file. Raises LookError."""
    return _look(name, table, lambda *keys: f"look {shown(name)}")


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
    _check_keys(table, ("about", "layers", "no_face", "hold_s", "then", "key", "group", *_PERSONS, "others"), place)
    about, layers, key = table.get("about", ""), table.get("layers", []), table.get("key", "")
    if not isinstance(about, str) or not about.isprintable():
        raise LookError(place("about"), f"about = {shown(about)}", "write one line of text")
    if not isinstance(layers, list) or len(layers) > _MAX_LAYERS:
        do = f'write layers = [{{ style = "lips-glaze", strength = 0.9 }}], at most {_MAX_LAYERS}'
        raise LookError(place("layers"), "layers is not a list of layers", do)
    if not isinstance(key, str) or not re.fullmatch("[a-z0-9]?", key):
        raise LookError(place("key"), f"key = {shown(key)}", 'write one small letter or a digit, for example key = "e"')
    group = table.get("group", "")
    if not isinstance(group, str) or not re.fullmatch("[a-z0-9-]{0,41}", group):
        raise LookError(place("group"), f"group = {shown(group)}", 'write the wearer\'s group, as in "young-woman"')
    if group:
        layers = [_for_group(layer, group, place) for layer in layers]
    persons = {key: table[key] for key in _PERSONS if key in table}
    layers = [{**persons, **one} if isinstance(one, dict) else one for one in layers]
    parsed = (one for layer in layers for one in _layers(layer, lambda *_: place("layers")))
    others = table.get("others", "bare")
    if others not in OTHERS or (others == "blur" and not any(_PERSONS[0] in one for one in layers)):
        raise LookError(place("others"), f"others = {shown(others)}", 'use "bare", or "blur" with only = ["NAME"]')
    look = Look(name, about, tuple(parsed), others=others)
    look = replace(look, key=key, key_place=place("key") if key else "")
    no_face, hold_s, then = _fallback(table, place, covers=look.covers or bool(look.swap_note) or others == "blur")
    if not layers and name != "none":
        do = 'give it a layer, for example { style = "lips-glaze" }; the look none shows the bare face'
        raise LookError(place("layers"), "it has no layer, so it would show the bare face", do)
    return replace(look, no_face=no_face, hold_s=hold_s, then=then)


def _for_group(layer: Any, group: str, place: _Place) -> Any:
    """Return a layer with the network that was trained for the wearer's group, if its style has networks of groups.

    Raises LookError if the style has networks of other groups only.
    """
    if not isinstance(layer, dict) or not isinstance(layer.get("style"), str):
        return layer  # reported with the other errors of layers
    groups = groups_of(layer["style"])
    if groups and group not in groups:
        do = f"there are {', '.join(groups)}"
        raise LookError(place("group"), f"style {shown(layer['style'])} has no network of group {group!r}", do)
    return {**layer, "style": f"{layer['style']}-{group}"} if groups else layer


def _fallback(table: dict[str, Any], place: _Place, *, covers: bool) -> tuple[str, float, str]:
    """Read no_face, hold_s and then."""
    no_face, then = table.get("no_face", "hold" if covers else "raw"), table.get("then", "blur")
    for key, value, allowed in (("no_face", no_face, NO_FACE), ("then", then, AFTER_HOLD)):
        if value not in allowed:
            raise LookError(place(key), f"{key} = {shown(value)}", f"use one of {', '.join(allowed)}")
    hold_s = table.get("hold_s", HOLD_S if covers else float("inf"))
    if not _is_number(hold_s) or not (0 <= hold_s <= _MAX_HOLD_S or hold_s == float("inf")):
        raise LookError(place("hold_s"), f"hold_s = {shown(hold_s)}", "use a number of seconds, 0 or more")
    return no_face, float(hold_s), then


def _layers(layer: Any, place: _Place) -> list[Layer]:
    """Return one layer; two for a drawn person or frame: the whole frame coarsely, and each head finely."""
    if not isinstance(layer, dict) or not isinstance(layer.get("style"), str):
        raise LookError(place(), f"layer {shown(layer)}", 'write { style = "lips-glaze", strength = 0.9 }')
    strength = layer.get("strength", 1.0)
    if not _is_number(strength) or not 0 <= strength <= 1:
        raise LookError(place(), f"strength {shown(strength)}", "use a number from 0 to 1")
    try:
        style = _parse_style(layer)
        keys = ["style", "strength", *_PERSONS, *(("color", "finish") if isinstance(style, Shade) else ("region",))]
        medium = None
        if isinstance(style, Style) and style.output == "planes":
            keys += ["medium", *option_fields(Medium)]
            medium = _medium({key: value for key, value in layer.items() if key not in keys[:5]})
    except VeneerError as error:
        raise LookError(place(), f"{error.asked}: {error.got}", error.do) from error
    _check_keys(layer, keys, lambda *_: f"{place()}, layer {shown(layer['style'])}")
    styles = [style.on("head")] if isinstance(style, Style) and medium and style.region in FRAME_REGIONS else []
    only, excepted = (_names(layer, key, place) for key in _PERSONS)
    if (only or excepted) and isinstance(style, Style) and style.region == "frame":
        do = 'use region = "person" or "head"'
        raise LookError(place(), f"layer {shown(layer['style'])} draws the whole frame, not a person", do)
    if only and excepted:
        raise LookError(place(), f"layer {shown(layer['style'])} has only and except", "use one of them")
    who = {"only": only, "excepted": excepted}
    return [Layer(one, float(strength), medium=medium, **who) for one in (style, *styles)]


def _names(layer: dict[str, Any], key: str, place: _Place) -> tuple[str, ...]:
    """Return the names of people in a layer's `only` or `except`."""
    names = layer.get(key, [])
    if not isinstance(names, list) or not all(isinstance(one, str) and one for one in names):
        raise LookError(place(), f"{key} = {shown(names)}", f'write {key} = ["me"], with names that are enrolled')
    return tuple(names)


def _parse_style(layer: dict[str, Any]) -> Style | Shade:
    for key in ("color", "finish", "region", "medium"):
        if not isinstance(layer.get(key, ""), str):
            raise LookError(f"{key} {shown(layer[key])}", "not a text", "write it in quotation marks")
    if layer["style"] == "shade":
        return Shade.parse(layer.get("color", ""), layer.get("finish", "satin"))
    style = load_style(layer["style"])
    return style.on(layer.get("region", style.region))


def _medium(table: dict[str, Any]) -> Medium:
    """Return the medium of a layer, with its own values in the place of the usual ones."""
    name = table.pop("medium", "cel")
    if name not in MEDIA:
        raise LookError(f"medium {shown(name)}", "there is no such medium", f"use one of {', '.join(MEDIA)}")
    own = {key: value for key, value in table.items() if key in option_fields(Medium)}
    return replace(MEDIA[name], **options_from_table(Medium, own, lambda key: key))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_keys(table: Mapping[str, Any], keys: Sequence[str], place: _Place) -> None:
    for key in table:
        if key not in keys:
            do = did_you_mean(key, keys, otherwise=f"keys are {', '.join(keys)}")
            raise LookError(place(key), f"unknown key {shown(key)}", do)
