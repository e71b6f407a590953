"""Cross-validation of the lip styles: each fold and the final network are one run of the trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import OptionsError
from engines.training.data.lip_pairs import LipPairs, split_folds
from engines.training.devices import make_fabric
from engines.training.methods.lips import Lips, LipsConfig, one_thread, scores_db
from engines.training.metrics.psnr import mean_psnr_db
from engines.training.progress import Outcome, Watch
from engines.training.resume import CHECKPOINT, load_run
from engines.training.trainer import fit

_SILENT = Watch()


def cross_validate(
    pairs: LipPairs, work: Path, *, folds: int, epochs: int, seed: int = 0, resume: bool = False,
    watch: Watch = _SILENT, **changes: Any,
) -> tuple[Lips, Outcome, dict[str, Any]]:  # fmt: skip
    """Train one network for each fold, and one on all pairs; `changes` are other fields of `LipsConfig`.

    Each network has its folder of checkpoints in `work`; with `resume`, networks without one are trained from the
    start. `watch` counts the steps over all networks.

    Return the method and the outcome of the network trained on all pairs, and the scores. `cv_psnr_db` is the mean over
    pictures, each painted by the network that was not trained on it.

    Raises OptionsError if there are fewer than two folds, or more folds than pairs; StoppedError after Ctrl-C or
    SIGTERM, when the checkpoint is written; DivergedError if a loss is not finite.
    """
    if not 2 <= folds <= len(pairs):
        got = f"{len(pairs)} pairs of style {pairs.style!r}"
        raise OptionsError(f"{folds} folds", got, "use at least 2, and at most one for each pair")
    held_out = split_folds(pairs.before_rgb, folds, seed=seed)
    learned = [sorted({*range(len(pairs))}.difference(fold)) for fold in held_out]
    methods = [
        Lips(LipsConfig.for_epochs(epochs, len(part), seed=seed, **changes), part)
        for part in (*map(pairs.subset, learned), pairs)
    ]
    outcomes = _train_all(methods, work, resume=resume, watch=watch)
    before, after = pairs.before_rgb, pairs.after_rgb
    unseen_db = np.zeros(len(pairs))
    for fold, outcome in zip(held_out, outcomes, strict=False):
        unseen_db[fold] = scores_db(outcome.net, before[fold], after[fold])
    scores = {
        "cv_psnr_db": round(float(unseen_db.mean()), 2),
        "cv_worst_picture_psnr_db": round(float(unseen_db.min()), 2),
        "cv_psnr_db_per_fold": [round(float(unseen_db[fold].mean()), 2) for fold in held_out],
        "folds": folds,
        "seen_psnr_db": round(float(scores_db(outcomes[-1].net, before, after).mean()), 2),
        "identity_psnr_db": round(mean_psnr_db(before, after), 2),
    }
    return methods[-1], outcomes[-1], scores


def _train_all(methods: list[Lips], work: Path, *, resume: bool, watch: Watch) -> list[Outcome]:
    total, done = sum(method.config.steps for method in methods), 0
    watch.on_start(0, total)
    outcomes = []
    with one_thread():
        for number, method in enumerate(methods, 1):
            folder = work / ("all" if number == len(methods) else f"fold-{number}")
            each = Watch(on_step=lambda step, before=done: watch.on_step(before + step))  # type: ignore[misc]
            again = resume and (folder / CHECKPOINT).exists()
            if again and (steps := load_run(folder, method.config).config.steps) != method.config.steps:
                got = f"its checkpoint trains for {steps} steps, and {method.config.steps} are requested"
                raise OptionsError(f"resuming from {folder}", got, "use the same --epochs, or start without --resume")
            outcomes.append(fit(method, folder, resume=again, fabric=make_fabric("32-true", "cpu"), watch=each))
            done += method.config.steps
            watch.on_step(done)
    return outcomes
