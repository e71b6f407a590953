"""Cross-validation of the lip styles: each fold and the final network are one run of the trainer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import OptionsError
from engines.training.checkpoints.resume import CHECKPOINT, load_run
from engines.training.data.lip_pairs import LipPairs, split_folds
from engines.training.devices import make_fabric
from engines.training.methods.lips import Lips, LipsConfig, one_thread, scores_db
from engines.training.metrics.psnr import mean_psnr_db
from engines.training.progress import Outcome, Watch
from engines.training.trainer import fit

_SILENT = Watch()


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """The networks of one lip style: one for each fold, and one that is trained on all pairs.

    Attributes:
        held_out: Indices of the pairs of each fold, which its network is not trained on.
        methods: The folds' networks, then the one on all pairs.
        folders: The folder of each network's checkpoint.
        resume: Continue from the checkpoints; networks without one are trained from the start.
    """

    pairs: LipPairs
    held_out: list[list[int]]
    methods: list[Lips]
    folders: list[Path]
    resume: bool

    def run(self, watch: Watch = _SILENT) -> tuple[Lips, Outcome, dict[str, Any]]:
        """Train all networks; steps are counted over all of them.

        Returns:
            The method and the outcome of the network trained on all pairs, and the scores. `cv_psnr_db` is the mean
            over pictures, each painted by the network that was not trained on it.

        Raises:
            StoppedError: Ctrl-C or SIGTERM; the checkpoint was written.
            DivergedError: A loss is not finite.
        """
        before, after, folds = self.pairs.before_rgb, self.pairs.after_rgb, len(self.held_out)
        unseen_db, done = np.zeros(len(self.pairs)), 0
        watch.on_start(0, sum(method.config.steps for method in self.methods))
        with one_thread():
            for number, (method, folder) in enumerate(zip(self.methods, self.folders, strict=True), 1):
                outcome = fit(
                    method, folder, resume=self.resume and (folder / CHECKPOINT).exists(),
                    fabric=make_fabric("32-true", "cpu"), watch=_counted_from(done, watch),
                )  # fmt: skip
                done += method.config.steps
                watch.on_step(done)
                if number <= folds:
                    fold = self.held_out[number - 1]
                    unseen_db[fold] = scores_db(outcome.net, before[fold], after[fold])
                    score = f"{unseen_db[fold].mean():.2f} dB on its {len(fold)} unseen pairs"
                    watch.on_line(f"fold {number} of {folds}: {score}; in {folder}")
        scores = {
            "cv_psnr_db": round(float(unseen_db.mean()), 2),
            "cv_worst_picture_psnr_db": round(float(unseen_db.min()), 2),
            "cv_psnr_db_per_fold": [round(float(unseen_db[fold].mean()), 2) for fold in self.held_out],
            "folds": folds,
            "seen_psnr_db": round(float(scores_db(outcome.net, before, after).mean()), 2),
            "identity_psnr_db": round(mean_psnr_db(before, after), 2),
        }
        return self.methods[-1], outcome, scores


def plan_cross_validation(
    pairs: LipPairs, work: Path, *, folds: int, epochs: int, seed: int = 0, resume: bool = False,
    **changes: Any,
) -> CrossValidation:  # fmt: skip
    """Check the options, and the checkpoints to resume from; `changes` are other fields of `LipsConfig`.

    Args:
        work: Folder of the checkpoints: one folder for each network.

    Raises:
        OptionsError: There are fewer than two folds, or more folds than pairs, or a checkpoint is of another training.
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
    folders = [work / name for name in (*(f"fold-{number}" for number in range(1, folds + 1)), "all")]
    for method, folder in zip(methods, folders, strict=True) if resume else ():
        if (folder / CHECKPOINT).exists():
            _check_resumable(method, folder)
    return CrossValidation(pairs, held_out, methods, folders, resume)


def _check_resumable(method: Lips, folder: Path) -> None:
    state = load_run(folder, method.config)
    got = ""
    if state.config.steps != method.config.steps:
        got = f"its checkpoint trains for {state.config.steps} steps, and {method.config.steps} are requested"
    elif state.data_digest != method.data.digest():
        got = "it was trained on other pairs, or with another --folds or --seed"
    if got:
        raise OptionsError(f"resuming from {folder}", got, "use the same options, or start over with --again")


def _counted_from(done: int, watch: Watch) -> Watch:
    """Return callbacks that count the steps of one network over all of them, and leave out its own lines."""
    return Watch(on_step=lambda step: watch.on_step(done + step))
