"""How a run goes and every way it can end, as the loop tells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from engines.errors import EngineError, OptionsError
from engines.training.recipe import Recipe

DO_ANEW = "start anew with a smaller --lr or another --seed"


@dataclass(slots=True)
class Progress:
    """How far a run is; with the tensors of the learner, all that a checkpoint holds.

    Attributes:
        step: steps done.
        best: the scores of the best check so far.
        best_step: when that was.
        checks: each check's step, mean losses since the one before, scores.
        sums: of the losses since the last check.
        seconds: spent learning, over all resumptions.
    """

    step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    checks: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A run with at least one score.

    Attributes:
        net: the generator with the best running mean of the weights, on the CPU, in FP32, ready to use.
        recipe: as it was followed: with the number of steps.
        progress: its scores and losses.
        stopped_early: why, in a line; empty where all steps were made.
        held_out: how many pairs were scored, and `learned` from.
        begun_with: the style whose weights it began with; empty where it began with none.
    """

    net: nn.Module
    recipe: Recipe
    progress: Progress
    stopped_early: str
    held_out: int
    learned: int
    device: str
    begun_with: str = ""


class StoppedError(OptionsError):
    """The user stopped the training; what was learned is in the checkpoint."""


class DivergedError(EngineError):
    """A loss or a weight was not finite.

    Attributes:
        outcome: with the best weights until then; None where there was no score yet.
    """

    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """What the loop tells whoever looks on; each is called on the first device alone.

    Attributes:
        on_start: step it starts at, and the last one.
        on_step: steps done.
        on_line: one line worth reading.
    """

    on_start: Callable[[int, int], None] = lambda _step, _steps: None
    on_step: Callable[[int], None] = lambda _step: None
    on_line: Callable[[str], None] = lambda _line: None
