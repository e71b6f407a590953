"""The training loop: steps, scores on the held-out pairs, checkpoints, early stop, and every way it can end."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from engines.errors import EngineError, OptionsError
from engines.training.cards import ready_folder
from engines.training.kit import charts, checkpoint
from engines.training.kit.batches import Batches
from engines.training.kit.data import Pairs, split
from engines.training.kit.learner import Learner
from engines.training.kit.process import make_fabric, stop_asked
from engines.training.kit.recipe import Recipe

CHECKPOINT = "checkpoint.safetensors"
_BETTER_DB = 0.005  # less than this is no progress
_TRIED, _TIMED = 4, 8  # steps to warm up and to time where minutes are asked for


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
    """A run that ended well.

    Attributes:
        net: the generator with the best running mean of the weights, on the CPU, in FP32, ready to use.
        recipe: as it was followed: with the number of steps.
        progress: its scores and losses.
        stopped_early: why, in a line; empty where all steps were made.
        held_out: how many pairs were scored, and `learned` from.
    """

    net: nn.Module
    recipe: Recipe
    progress: Progress
    stopped_early: str
    held_out: int
    learned: int
    device: str


class StoppedError(OptionsError):
    """The user stopped the training; what was learned is in the checkpoint."""


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


def fit(
    pairs: Pairs, recipe: Recipe, work: Path, *, resume: bool = False, minutes: float | None = None,
    vgg: Path | None = None, fabric: Fabric | None = None, watch: Watch = Watch(), start: nn.Module | None = None,
) -> Outcome:  # fmt: skip
    """Train a generator.

    Args:
        pairs: all of them; some are held out by the recipe.
        recipe: see `Recipe`. On resuming, the one in the checkpoint counts.
        work: where the checkpoint, curves and sample sheet go.
        resume: go on from the checkpoint in `work`: the same weights come out as if it had never been interrupted.
        minutes: choose the number of steps that fits into this time here, instead of the recipe's.
        vgg: weights of VGG-19 for the perceptual objective.
        fabric: device and precision; the best there is where it is not given.
        watch: who is told.
        start: a generator of the recipe's kind, whose weights are begun with.

    Raises:
        StoppedError: Ctrl-C or SIGTERM; the checkpoint was written.
        EngineError: the loss was not finite; the last good weights are in the checkpoint.
        OptionsError: the pairs, the recipe or the folder are not usable, or the disk is full.
    """
    ready_folder(work)
    tensors, state = checkpoint.read(work / CHECKPOINT) if resume else ({}, {})
    if resume:
        recipe = Recipe.from_json(state["recipe"])
        if state["pairs"] != pairs.digest():
            raise OptionsError(f"going on from {work}", "the pairs are not those it started with", "start anew")
    fabric = fabric or make_fabric(recipe.precision)
    if minutes is not None and not resume:
        recipe = _within(minutes, pairs, recipe, fabric, vgg)
    run = _Run(pairs, recipe, work, fabric, vgg, watch)
    if resume:
        run.restore(tensors, state)
    elif start is not None:
        run.learner.begin_with(start)
    return run.to_the_end()


def _within(minutes: float, pairs: Pairs, recipe: Recipe, fabric: Fabric, vgg: Path | None) -> Recipe:
    """The recipe with as many steps as fit, by timing some on a learner that is thrown away."""
    learner, batches = Learner(recipe, fabric, vgg), Batches(pairs, recipe)
    try:
        for step in range(_TRIED + _TIMED):
            if step == _TRIED:
                start_s = time.perf_counter()
            learner.step(batches.get(step), step)
        step_s = (time.perf_counter() - start_s) / _TIMED
    finally:
        batches.close()
    steps = max(1, int(minutes * 60 * 0.96 / step_s))  # scores and checkpoints take the rest
    steps = fabric.broadcast(steps)
    return dataclasses.replace(recipe, steps=steps, check_every=max(1, min(recipe.check_every, steps // 8)))


class _Run:
    def __init__(
        self, pairs: Pairs, recipe: Recipe, work: Path, fabric: Fabric, vgg: Path | None, watch: Watch
    ) -> None:
        if recipe.objectives.perceptual and vgg is None:
            raise OptionsError("a perceptual objective", "no VGG-19 weights", "name their npz file with --vgg")
        learned, held = split(pairs.names, recipe.held_out, recipe.most_held_out, recipe.seed)
        self.learn_from, self.held_out = pairs.only(learned), pairs.only(held)
        self.recipe, self.work, self.fabric, self.watch = recipe, work, fabric, watch
        self.pairs_digest = pairs.digest()
        self.learner = Learner(recipe, fabric, vgg)
        height, width = pairs.before_rgb.shape[1:3]
        for size_wh in ((width, height), (recipe.crop_px, recipe.crop_px)):
            self.learner.fits(size_wh)
        self.best: nn.Module = copy.deepcopy(self.learner.mean)
        self.progress = Progress()

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        self.learner.unpack(tensors, state["numbers"])
        checkpoint.unpack_module("best", self.best, tensors)
        self.progress = Progress(**state["progress"])

    def save(self) -> None:
        if self.fabric.is_global_zero:
            tensors, numbers = self.learner.packed()
            state = {
                "recipe": self.recipe.as_json(), "pairs": self.pairs_digest, "numbers": numbers,
                "progress": dataclasses.asdict(self.progress),
            }  # fmt: skip
            checkpoint.write(self.work / CHECKPOINT, tensors | checkpoint.pack_module("best", self.best), state)
        self.fabric.barrier()

    def to_the_end(self) -> Outcome:
        progress, recipe = self.progress, self.recipe
        self._tell(self.watch.on_start, progress.step, recipe.steps)
        batches = Batches(self.learn_from, recipe, rank=self.fabric.global_rank)
        why = ""
        try:
            with torch.random.fork_rng(), stop_asked() as asked:
                while progress.step < recipe.steps and not why:
                    self._step(batches)
                    if progress.step % recipe.check_every == 0 or progress.step == recipe.steps:
                        self._check()
                        why = self._given_up()
                    if self._anyone(asked.is_set()):
                        self._stop()
        finally:
            batches.close()
        best = copy.deepcopy(self.best).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        counts = len(self.held_out.names), len(self.learn_from.names)
        return Outcome(best.eval(), recipe, progress, why, *counts, str(self.fabric.device))

    def _step(self, batches: Batches) -> None:
        progress, start_s = self.progress, time.perf_counter()
        try:
            told = self.learner.step(batches.get(progress.step), progress.step)
        except EngineError as error:
            kept = self.work / CHECKPOINT
            got = f"the last good weights, of step {progress.best_step}, are in {kept}" if kept.exists() else ""
            do = "start anew with a smaller --lr or another --seed"
            raise EngineError(error.asked, "; ".join(part for part in (error.got, got) if part), do) from error
        for name, value in told.items():
            progress.sums[name] = progress.sums.get(name, 0.0) + value
        progress.step += 1
        progress.seconds += time.perf_counter() - start_s
        self._tell(self.watch.on_step, progress.step)

    def _check(self) -> None:
        """Score, keep the best, write everything down."""
        progress = self.progress
        scores = self.learner.scores(self.held_out)
        since = progress.step - (int(progress.checks[-1]["step"]) if progress.checks else 0)
        means = {name: value / since for name, value in progress.sums.items()}
        progress.checks.append({"step": progress.step, **means, **scores})
        progress.sums = {}
        if not progress.best or scores["held_out_psnr_db"] > progress.best["held_out_psnr_db"] + _BETTER_DB:
            progress.best, progress.best_step = scores, progress.step
            self.best.load_state_dict(self.learner.mean.state_dict())
        self.save()
        if self.fabric.is_global_zero:
            charts.save_all(self.work, progress.checks, self.held_out, self.learner)
        self._tell(
            self.watch.on_line,
            f"step {progress.step}/{self.recipe.steps}: loss {means['loss']:.4f}, held-out PSNR "
            f"{scores['held_out_psnr_db']:.2f} dB (unpainted {scores['unpainted_psnr_db']:.2f} dB)",
        )

    def _given_up(self) -> str:
        """Why to stop early: no better score for so many checks."""
        progress = self.progress
        since = sum(check["step"] > progress.best_step for check in progress.checks)
        if since < self.recipe.patience or progress.step == self.recipe.steps:
            return ""
        best = progress.best["held_out_psnr_db"]
        return (
            f"stopped early at step {progress.step} of {self.recipe.steps}: no better than {best:.2f} dB on held-out "
            f"pairs since step {progress.best_step}, whose weights are kept"
        )

    def _stop(self) -> None:
        self.save()
        at = f"step {self.progress.step} of {self.recipe.steps}"
        raise StoppedError("training", f"stopped at {at}, kept in {self.work / CHECKPOINT}", "go on with --resume")

    def _anyone(self, asked: bool) -> bool:
        """Whether the user asked any of the processes: all have to stop at the same step."""
        if self.fabric.world_size == 1:
            return asked
        return bool(self.fabric.all_reduce(torch.tensor(float(asked)), reduce_op="sum"))

    def _tell(self, who: Callable[..., None], *what: object) -> None:
        if self.fabric.is_global_zero:
            who(*what)
