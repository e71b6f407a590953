"""The training loop: devices, steps, validation, checkpoints, resuming, early stopping; no losses and no data."""

from __future__ import annotations

import copy
import dataclasses
import time
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from engines.errors import OptionsError
from engines.style_lookup import load_style
from engines.training.checkpoints import checkpoint
from engines.training.checkpoints.resume import CHECKPOINT, RunState, differences, load_run
from engines.training.data.batch_stream import BatchStream
from engines.training.devices import make_fabric, precision_of, stop_requested
from engines.training.method import TrainingMethod
from engines.training.parts import build_parts, train_step, weights_are_finite, with_time_budget
from engines.training.progress import RESTART, DivergedError, Outcome, Progress, StoppedError, Watch
from engines.training.reporting import charts

_SILENT = Watch()


def fit(
    method: TrainingMethod[Any],
    work: Path,
    *,
    resume: bool = False,
    minutes: float | None = None,
    fabric: Fabric | None = None,
    watch: Watch = _SILENT,
    start_from: str = "",
    start_run: Path | None = None,
) -> Outcome:
    """Train by a method.

    Args:
        resume: Continue from the checkpoint in `work`, with its config. The result is the same as without the
            interruption. `watch` receives a line with the options that differ from the checkpoint.
        minutes: Train for as many steps as fit into this time on this machine, instead of the config's number.
        fabric: Device and precision; by default the best device.
        start_from: Name of a style whose weights to start from; "" for fresh weights.
        start_run: Folder of a finished run of the same method, all of whose networks to start from.

    Raises:
        StoppedError: Ctrl-C or SIGTERM; the checkpoint was written.
        DivergedError: A loss or weight is not finite; it holds the best weights, as does the checkpoint.
        OptionsError: The data, the config or the folder is not usable, or the disk is full.
    """
    checkpoint.prepare_folder(work)
    options = {"minutes": minutes, "started_from": start_from}
    state, note = RunState(method.name, method.config, Progress(), method.data.digest(), options), ""
    if resume:
        requested, state = state, load_run(work, method.config)
        if (state.method, state.data_digest) != (requested.method, requested.data_digest):
            got = "the method or the training data differs from the checkpoint's"
            raise OptionsError(f"resuming from {work}", got, "start over with --again")
        method, note = method.with_config(state.config), differences(requested, state)
    precision = method.config.precision
    fabric = fabric or make_fabric(precision)
    if precision_of(fabric) != precision:
        do = f"use --precision {precision_of(fabric)}"
        raise OptionsError(f"training in {precision}", f"the device is set to {precision_of(fabric)}", do)
    if minutes is not None and not resume:
        method = with_time_budget(method, minutes, fabric)
    run = _Run(method, work, fabric, watch, state)
    try:
        if note:
            run.watch.on_line(note)
        if start_from and not resume:
            method.start_from(load_style(start_from).load_generator())
        if start_run is not None and not resume:
            checkpoint.start_from(run.parts, start_run / CHECKPOINT)
    except BaseException:
        run.batches.close()
        raise
    return run.run()


class _Run:
    """One training run."""

    def __init__(self, method: TrainingMethod[Any], work: Path, fabric: Fabric, watch: Watch, state: RunState) -> None:
        self.method, self.work, self.fabric, self.state = method, work, fabric, state
        self.watch = watch if fabric.is_global_zero else _SILENT
        self.config, self.progress = method.config, state.progress
        source, first = method.dataset(fabric.global_rank), self.progress.step
        first, last = (step * self.config.accumulate for step in (first, self.config.steps))
        self.batches = BatchStream(source, first, last, workers=self.config.workers)
        try:
            self.parts = build_parts(method, fabric)
            self.best: nn.Module = copy.deepcopy(method.export())
            if state.tensors:
                checkpoint.unpack(self.parts, self.best, state.tensors, state.numbers)
        except BaseException:
            self.batches.close()
            raise

    def save(self) -> None:
        """Write the checkpoint."""
        if self.fabric.is_global_zero:
            tensors, numbers = checkpoint.pack(self.parts, self.best)
            state = {"method": self.method.name, "config": self.config.to_json(), "data": self.state.data_digest}
            state |= {"progress": dataclasses.asdict(self.progress), "options": self.state.options, "numbers": numbers}
            checkpoint.write(self.work / CHECKPOINT, tensors, state)
        self.fabric.barrier()

    def run(self) -> Outcome:
        """Train to the last step, or to an early stop."""
        progress, config = self.progress, self.config
        self.watch.on_start(progress.step, config.steps)
        reason = ""
        try:
            with torch.random.fork_rng(), stop_requested() as stop:
                while progress.step < config.steps and not reason:
                    self._step()
                    if progress.step % config.check_every == 0 or progress.step == config.steps:
                        reason = self._check()
                    stops = self.fabric.all_reduce(torch.tensor(float(stop.is_set())), reduce_op="sum")
                    if stops:  # all devices stop at the same step
                        self.save()
                        got = f"stopped at step {progress.step} of {config.steps}, saved in {self.work / CHECKPOINT}"
                        raise StoppedError("training", got, "continue with --resume")
        except DivergedError as error:
            error.outcome = self._outcome(error.got) if progress.best_step else None
            raise
        finally:
            self.batches.close()
        return self._outcome(reason)

    def _outcome(self, reason: str) -> Outcome:
        best = copy.deepcopy(self.best).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        started_from = str(self.state.options.get("started_from") or "")
        return Outcome(best.eval(), self.config, self.progress, reason, str(self.fabric.device), started_from)

    def _step(self) -> None:
        progress, start_s, names = self.progress, time.perf_counter(), set[str]()
        for part in range(self.config.accumulate):
            for name, value in train_step(self.method, self.batches.get(), progress.step, part).items():
                progress.sums[name] = progress.sums.get(name, 0.0) + value / self.config.accumulate
                names.add(name)
        progress.counts |= {name: progress.counts.get(name, 0) + 1 for name in names}
        progress.step += 1
        progress.seconds += time.perf_counter() - start_s
        self.watch.on_step(progress.step)

    def _check(self) -> str:
        """Validate, keep the best weights, write checkpoint and charts; return the reason for an early stop, or ""."""
        progress = self.progress
        if not weights_are_finite(self.parts):  # after an infinite gradient; the next loss would not be finite
            raise DivergedError("training", f"a weight is not finite after step {progress.step}", RESTART)
        validation = self.method.validate()
        losses = {name: value / progress.counts[name] for name, value in progress.sums.items()}
        progress.checks.append({"step": progress.step, **losses, **validation.scores})
        progress.sums, progress.counts = {}, {}
        if validation.improves_on(progress.best):
            progress.best, progress.best_summary = dict(validation.scores), validation.summary
            progress.best_step = progress.step
            self.best.load_state_dict(self.method.export().state_dict())
        self.save()
        if self.fabric.is_global_zero:
            charts.save_charts(self.work, progress.checks, validation.samples, film=validation.film)
        values = [f"{name} {value:.4f}" for name, value in losses.items()]
        line = ", ".join(filter(None, [*values, validation.summary]))
        self.watch.on_line(f"step {progress.step}/{self.config.steps}: {line}")
        since = sum(check["step"] > progress.best_step for check in progress.checks)
        if since < self.config.patience or progress.step == self.config.steps:
            return ""
        return (
            f"stopped early at step {progress.step} of {self.config.steps}: {validation.metric} has not improved on "
            f"{progress.best[validation.metric]:.2f} since step {progress.best_step}, whose weights are kept"
        )
