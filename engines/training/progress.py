"""The state of a training run, its result, and the ways it can end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engines.errors import EngineError, OptionsError

if TYPE_CHECKING:
    from torch import nn

    from engines.training.config import TrainConfig

RESTART = "start again with a smaller --lr or another --seed"


@dataclass(slots=True)
class Progress:
    """The plain numbers of a run that a checkpoint holds.

    Attributes:
        best: Scores of the validation whose weights are kept.
        best_step: Step of that validation.
        best_summary: Its scores in words.
        checks: Of each validation: its step, the mean losses since the one before, its scores.
        sums: Sums of the losses since the last validation.
        counts: In how many steps since then each loss occurred.
        seconds: Time spent in training steps, over all resumptions.
    """

    step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    best_summary: str = ""
    checks: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The result of a run with at least one validation.

    Attributes:
        net: The exported network with the best weights, on the CPU, in FP32, in evaluation mode.
        stopped_early: The reason for an early stop in one line; "" after all steps.
        started_from: Style whose weights the run started from; "" for fresh weights.
    """

    net: nn.Module
    config: TrainConfig
    progress: Progress
    stopped_early: str
    device: str
    started_from: str = ""


class StoppedError(OptionsError):
    """The user stopped the training; the checkpoint was written."""


class DivergedError(EngineError):
    """A loss or a weight is not finite; `outcome` has the best weights so far, None before the first validation."""

    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Callbacks of a run, on the first device only; `on_start` receives the first step and the number of steps."""

    on_start: Callable[[int, int], None] = lambda _step, _steps: None
    on_step: Callable[[int], None] = lambda _step: None
    on_line: Callable[[str], None] = lambda _line: None
