"""What a run goes on from: the checkpoint, and in what it differs from what is asked now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from engines.errors import OptionsError
from engines.training import checkpoint
from engines.training.recipe import Recipe

CHECKPOINT = "checkpoint.safetensors"
_LENGTH = ("steps", "check_every")  # follow from the minutes, where those are asked for


def kept_recipe(work: Path) -> Recipe:
    """The recipe of the checkpoint in a folder.

    Raises:
        OptionsError: there is no checkpoint, or it is not readable.
    """
    return _recipe(checkpoint.read_state(work / CHECKPOINT), work)


def kept(work: Path) -> tuple[dict[str, Tensor], dict[str, Any], Recipe]:
    """Tensors, state and recipe of the checkpoint in a folder.

    Raises:
        OptionsError: as for `kept_recipe`.
    """
    tensors, state = checkpoint.read(work / CHECKPOINT)
    return tensors, state, _recipe(state, work)


def _recipe(state: Mapping[str, Any], work: Path) -> Recipe:
    try:
        return Recipe.from_json(state["recipe"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        got = f"its recipe is of another version ({error})"
        raise OptionsError(f"checkpoint {work / CHECKPOINT}", got, "start without --resume") from error


def differences(asked: Recipe, state: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """What is asked now and was not when the checkpoint's run began, in a line; empty where all is the same.

    Args:
        asked: the recipe as it is asked for now.
        state: of the checkpoint.
        options: asked for now beside the recipe: "minutes", "begun_with".
    """
    was: dict[str, Any] = {**_flat(state["recipe"]), **state.get("options", {})}
    now: dict[str, Any] = {**_flat(asked.as_json()), **options}
    by_minutes = options.get("minutes") is not None or was.get("minutes") is not None
    left_out = _LENGTH if by_minutes else ("check_every",)  # it follows from the steps
    other = [name for name in now if name in was and name not in left_out and now[name] != was[name]]
    said = [f"{name} {_word(was[name])} (not {_word(now[name])})" for name in other]
    return f"the checkpoint counts: {', '.join(said)}; start without --resume for a change" if said else ""


def _flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in recipe.items() if name != "objectives"}, **recipe["objectives"]}


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={one}" for name, one in value.items()) or "none"
    return "none" if value in (None, "") else str(value)
