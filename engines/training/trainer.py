"""The training loop: steps, scores on the held-out pairs, checkpoints, early stop, and every way it can end."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.training import charts, checkpoint
from engines.training.data.augmentation import Batches
from engines.training.data.paired_dataset import Pairs, split
from engines.training.devices import make_fabric, precision_of, stop_asked
from engines.training.methods.paired import Learner
from engines.training.outcome import DO_ANEW, DivergedError, Outcome, Progress, StoppedError, Watch
from engines.training.recipe import Recipe
from engines.training.resume import CHECKPOINT, differences, kept
from engines.training.step_budget import within
from engines.training.style_files import ready_folder

_BETTER_DB = 0.005  # less than this is no progress
_NOBODY = Watch()


def fit(
    pairs: Pairs, recipe: Recipe, work: Path, *, resume: bool = False, minutes: float | None = None,
    vgg: Path | None = None, fabric: Fabric | None = None, watch: Watch = _NOBODY, start: nn.Module | None = None,
    begun_with: str = "",
) -> Outcome:  # fmt: skip
    """Train a generator.

    Args:
        pairs: all of them; some are held out by the recipe.
        recipe: see `Recipe`. On resuming, the one in the checkpoint counts, and `watch` is told what differs.
        work: where the checkpoint, curves and sample sheet go.
        resume: go on from the checkpoint in `work`: the same weights come out as if it had never been interrupted.
        minutes: choose the number of steps that fits into this time here, instead of the recipe's.
        vgg: weights of VGG-19 for the perceptual objective.
        fabric: device and precision; the best there is where it is not given.
        watch: who is told.
        start: a generator of the recipe's kind, whose weights are begun with; its style's name is `begun_with`.

    Raises:
        StoppedError: Ctrl-C or SIGTERM; the checkpoint was written.
        DivergedError: a loss or weight was not finite; it has the best weights, which are in the checkpoint too.
        OptionsError: the pairs, the recipe or the folder are not usable, or the disk is full.
    """
    ready_folder(work)
    options: dict[str, Any] = {"minutes": minutes, "begun_with": begun_with}
    other = ""
    if resume:
        asked = recipe
        tensors, state, recipe = kept(work)
        if state["pairs"] != pairs.digest():
            raise OptionsError(f"going on from {work}", "the pairs are not those it started with", "start anew")
        other, options = differences(asked, state, options), state.get("options", options)
    fabric = fabric or make_fabric(recipe.precision)
    if precision_of(fabric) != recipe.precision:
        got, do = f"the device calculates in {precision_of(fabric)}", f"use --precision {precision_of(fabric)}"
        raise OptionsError(f"training in {recipe.precision}", got, do)
    if minutes is not None and not resume:
        recipe = within(minutes, pairs, recipe, fabric, vgg)
    run = _Run(pairs, recipe, work, fabric, vgg, watch, options)
    if resume:
        run.restore(tensors, state)
        if other:
            run.tell(watch.on_line, other)
    elif start is not None:
        run.learner.begin_with(start)
    return run.to_the_end()


class _Run:
    def __init__(
        self, pairs: Pairs, recipe: Recipe, work: Path, fabric: Fabric, vgg: Path | None, watch: Watch,
        options: dict[str, Any],
    ) -> None:  # fmt: skip
        if recipe.objectives.perceptual and vgg is None:
            raise OptionsError("a perceptual objective", "no VGG-19 weights", "name their npz file with --vgg")
        learned, held = split(pairs.names, recipe.held_out, recipe.most_held_out, recipe.seed)
        self.learn_from, self.held_out = pairs.only(learned), pairs.only(held)
        self.recipe, self.work, self.fabric, self.watch = recipe, work, fabric, watch
        self.pairs_digest, self.options = pairs.digest(), options
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
                "progress": dataclasses.asdict(self.progress), "options": self.options,
            }  # fmt: skip
            checkpoint.write(self.work / CHECKPOINT, tensors | checkpoint.pack_module("best", self.best), state)
        self.fabric.barrier()

    def to_the_end(self) -> Outcome:
        progress, recipe = self.progress, self.recipe
        self.tell(self.watch.on_start, progress.step, recipe.steps)
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
        except DivergedError as error:
            error.outcome = self._outcome(error.got) if progress.best else None
            raise
        finally:
            batches.close()
        return self._outcome(why)

    def _outcome(self, why: str) -> Outcome:
        best = copy.deepcopy(self.best).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        counts = len(self.held_out.names), len(self.learn_from.names)
        begun_with = str(self.options.get("begun_with") or "")
        return Outcome(best.eval(), self.recipe, self.progress, why, *counts, str(self.fabric.device), begun_with)

    def _step(self, batches: Batches) -> None:
        progress, start_s = self.progress, time.perf_counter()
        told = self.learner.step(batches.get(progress.step), progress.step)
        for name, value in told.items():
            progress.sums[name] = progress.sums.get(name, 0.0) + value
        progress.step += 1
        progress.seconds += time.perf_counter() - start_s
        self.tell(self.watch.on_step, progress.step)

    def _check(self) -> None:
        """Score, keep the best, write everything down."""
        progress = self.progress
        if not self.learner.finite():  # an infinite gradient: the loss would say so a step later
            raise DivergedError("training", f"a weight is not finite after step {progress.step}", DO_ANEW)
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
        self.tell(
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

    def tell(self, who: Callable[..., None], *what: object) -> None:
        if self.fabric.is_global_zero:
            who(*what)
