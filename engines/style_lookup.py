"""Finds styles by their names and reads their cards; shipped ones, and the user's own in the data folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from engines import paths
from engines.errors import LookError
from engines.generators import registry
from engines.identity.swap_consent import swapped_persons
from engines.imports.graph_settings import settings_of
from engines.regions.aligned_face import REGION as ALIGNED
from engines.styles import FRAME_AND_LAST, GRAPH_KINDS, OUTPUTS, REGIONS, SHIPPED, Style
from engines.text import did_you_mean, first_line
from engines.untrusted_files import json_or_empty, read_json, shown

WEIGHT_SUFFIXES = (".safetensors", ".onnx", ".tflite")
MASKS = ("usual", "face", "square")
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, OverflowError)
_MIN_SIDE_PX, _MAX_SIDE_PX = 8, 2048


def own_folder() -> Path:
    """Return the folder of the user's own styles, which may not exist."""
    return paths.data_dir() / "weights"


def groups_of(name: str) -> tuple[str, ...]:
    """Return the groups of persons that a style of the user's own has networks for, sorted: see `--groups`."""
    cards = own_folder().glob("*.json") if name and own_folder().is_dir() else ()
    names = sorted(card.stem.removeprefix(f"{name}-") for card in cards if card.stem.startswith(f"{name}-"))
    return tuple(one for one in names if (json_or_empty(own_folder() / f"{name}-{one}.json") or {}).get("group") == one)


def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped styles, sorted."""
    return _names_in(SHIPPED)


def own_names() -> tuple[str, ...]:
    """Return the names of the user's own styles, sorted."""
    return _names_in(own_folder())


def style_names() -> tuple[str, ...]:
    """Return the names of all styles, shipped ones first."""
    return tuple(dict.fromkeys((*shipped_names(), *own_names())))


def _names_in(folder: Path) -> tuple[str, ...]:
    return tuple(card.stem for card in sorted(folder.glob("*.json")))


def load_style(name: str) -> Style:
    """Return a style by name. The user's own takes precedence over a shipped one of the same name.

    Raises LookError if there is no such style, or its card is not usable.
    """
    for folder in (own_folder(), SHIPPED):
        card_path = folder / f"{name}.json"
        with contextlib.suppress(OSError, ValueError):  # a name that no file can have
            if card_path.is_file() and card_path.parent == folder:
                return _from_card(name, card_path)
    do = did_you_mean(name, style_names(), otherwise=f"there are: {', '.join((*style_names(), 'shade'))}")
    raise LookError(f"style {shown(name)}", "there is no such style", do)


def _from_card(name: str, card_path: Path) -> Style:
    try:
        card = read_json(card_path)
        generator, region = str(card["generator"]), str(card.get("region", "lips"))
        width, height = (int(side) for side in card.get("size_wh", (90, 30)))
        output = str(card.get("output", "change"))
        usual_bgr = _colour(card["lips_mean_bgr"]) if region == "lips" else None
        mask = str(card.get("mask", "usual"))
    except _UNREADABLE as error:
        do = "train the style again"
        raise LookError(f"style card {card_path}", f"not readable ({first_line(error)})", do) from error
    if generator in GRAPH_KINDS:
        return _from_graph_card(name, card_path, card)
    fits = generator in registry.generator_names() and _fits(generator, region, output)
    if not fits or mask not in MASKS or not all(_MIN_SIDE_PX <= side <= _MAX_SIDE_PX for side in (width, height)):
        size = f"{shown(width)}x{shown(height)}"
        got = f"generator {shown(generator)}, region {shown(region)}, output {shown(output)}, size {size}"
        do = f"generators: {', '.join(registry.generator_names())}; regions: {', '.join(REGIONS)}; "
        raise LookError(f"style card {card_path}", got, do + f"outputs: {', '.join(OUTPUTS)}")
    spec = registry.generator_spec(generator)
    if spec.inputs != FRAME_AND_LAST and (why := spec.unsupported):
        raise LookError(f"style card {card_path}", f"generator {generator}: {why}", "use another generator")
    try:
        spec.check(card.get("generator_args", {}))
    except ValueError as error:
        got = f"generator_args of {generator}: {error}"
        raise LookError(f"style card {card_path}", got, "correct it, or train the style again") from error
    if region == ALIGNED and not all(swapped_persons(card)):
        got, do = "no consent of two persons is stated in it", "train the swap with --i-have-consent-of for both"
        raise LookError(f"style card {card_path}", got, do)
    weights = card_path.with_suffix(".safetensors")
    return Style(name, generator, weights, region, (width, height), output, usual_bgr, card, mask)


def _from_graph_card(name: str, card_path: Path, card: dict[str, Any]) -> Style:
    generator, region, mask = str(card["generator"]), str(card.get("region")), str(card.get("mask", "usual"))
    try:
        width, height = (int(side) for side in card["size_wh"])
        settings = settings_of(card)
    except _UNREADABLE as error:
        raise LookError(f"style card {card_path}", f"not readable ({first_line(error)})", "import it again") from error
    fits = region in REGIONS[1:-1] and mask in MASKS and card.get("output") == "picture"
    if not fits or not all(_MIN_SIDE_PX <= side <= _MAX_SIDE_PX for side in (width, height)):
        got = f"region {shown(region)}, mask {shown(mask)}, size {shown(width)}x{shown(height)}"
        raise LookError(f"style card {card_path}", got, "import it again")
    weights = card_path.with_suffix(f".{generator}")
    return Style(name, generator, weights, region, (width, height), "picture", None, card, mask, settings)


def _fits(generator: str, region: str, output: str) -> bool:
    """Whether the generator works on the region and returns this output."""
    spec = registry.generator_spec(generator)
    returned = output in OUTPUTS and output in spec.outputs
    return returned and region in REGIONS and (spec.region == "lips") == (region == "lips")


def _colour(levels: Any) -> tuple[float, float, float]:
    blue, green, red = (float(level) for level in levels)
    if not all(0 <= level <= 255 for level in (blue, green, red)):
        raise ValueError(f"lips_mean_bgr {shown(levels)}")
    return blue, green, red
