"""Load the state of a run from its checkpoint, and compare its options with the requested ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from engines.errors import OptionsError
from engines.training import checkpoint
from engines.training.config import TrainConfig
from engines.training.methods import load_method
from engines.training.progress import Progress

CHECKPOINT = "checkpoint.safetensors"
_LENGTH = ("steps", "check_every")  # with --minutes they follow from the time


@dataclass(frozen=True, slots=True, eq=False)
class Resumed:
    """A run as a checkpoint holds it; `options` are "minutes" and "started_from", beside the config."""

    method: str
    config: TrainConfig
    progress: Progress
    data_digest: str
    options: dict[str, Any]
    numbers: dict[str, Any]
    tensors: dict[str, Tensor]


def load_run(work: Path, requested: TrainConfig | None = None, *, tensors: bool = True) -> Resumed:
    """Load the checkpoint in a folder.

    Args:
        work: The folder.
        requested: Config with the settings of this machine, which are not in the checkpoint.
        tensors: Whether to load the tensors.

    Raises:
        OptionsError: There is no checkpoint, or it is not usable.
    """
    path = work / CHECKPOINT
    found, state = checkpoint.read(path, tensors=tensors)
    try:
        config = load_method(str(state["method"])).config_class.from_json(state["config"], requested)
        progress, options, numbers = Progress(**state["progress"]), dict(state["options"]), dict(state["numbers"])
        return Resumed(str(state["method"]), config, progress, str(state["data"]), options, numbers, found)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        got = f"its config is of another version ({error})"
        raise OptionsError(f"checkpoint {path}", got, "start without --resume") from error


def differences(requested: TrainConfig, resumed: Resumed, options: Mapping[str, Any]) -> str:
    """Return one line with the requested options that differ from the checkpoint's, or ""."""
    saved = {**resumed.config.to_json(), **resumed.options}
    now = {**requested.to_json(), **options}
    by_minutes = options.get("minutes") is not None or saved.get("minutes") is not None
    ignored = _LENGTH if by_minutes else ("check_every",)  # it follows from the steps
    names = [name for name in now if name in saved and name not in ignored and now[name] != saved[name]]
    listed = [f"{name} {_text(saved[name])} (not {_text(now[name])})" for name in names]
    return f"the checkpoint's options apply: {', '.join(listed)}; start without --resume to change" if listed else ""


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={one}" for name, one in value.items()) or "none"
    return "none" if value in (None, "") else str(value)
