"""Load the state of a run from its checkpoint, and compare its options with the requested ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from engines.errors import OptionsError
from engines.training.checkpoints import checkpoint
from engines.training.config import TrainConfig
from engines.training.methods import load_method
from engines.training.progress import Progress

CHECKPOINT = "checkpoint.safetensors"
_LENGTH = ("steps", "check_every")  # with --minutes they follow from the time


@dataclass(frozen=True, slots=True, eq=False)
class RunState:
    """What a checkpoint holds; `options` are "minutes" and "started_from", beside the config."""

    method: str
    config: TrainConfig
    progress: Progress
    data_digest: str
    options: dict[str, Any]
    numbers: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)


def load_run(work: Path, requested: TrainConfig | None = None) -> RunState:
    """Load the checkpoint in a folder; the settings of this machine come from `requested`.

    Raises OptionsError if there is no checkpoint, or it is not usable.
    """
    path = work / CHECKPOINT
    tensors, state = checkpoint.read(path)
    try:
        config = load_method(str(state["method"])).config_class.from_json(state["config"], requested)
        progress, options, numbers = Progress(**state["progress"]), dict(state["options"]), dict(state["numbers"])
        return RunState(str(state["method"]), config, progress, str(state["data"]), options, numbers, tensors)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        got = f"its config is of another version ({error})"
        raise OptionsError(f"checkpoint {path}", got, "start over with --again") from error


def differences(requested: RunState, saved: RunState) -> str:
    """Return one line with the requested options that differ from the checkpoint's, or ""."""
    now, then = ({**state.config.to_json(), **state.options} for state in (requested, saved))
    by_minutes = now["minutes"] is not None or then.get("minutes") is not None
    ignored = _LENGTH if by_minutes else ("check_every",)  # it follows from the steps
    names = [name for name in now if name in then and name not in ignored and now[name] != then[name]]
    listed = [f"{name} {_text(then[name])} (not {_text(now[name])})" for name in names]
    return f"the checkpoint's options apply: {', '.join(listed)}; start over with --again to change" if listed else ""


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={one}" for name, one in value.items()) or "none"
    return "none" if value in (None, "") else str(value)
