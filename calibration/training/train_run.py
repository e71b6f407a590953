"""`veneer train STYLE`: photos to regions, regions to pairs, pairs to a style with its card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import torch
from lightning_fabric import Fabric
from rich.console import Console

from calibration.training.own_pairs import cut_pairs
from calibration.training.train_photos import prepare_regions
from calibration.training.train_request import TrainRequest
from engines.errors import OptionsError
from engines.files import atomic_write
from engines.training.checkpoints.checkpoint import prepare_folder
from engines.training.checkpoints.overwriting import Overwriting
from engines.training.checkpoints.resume import load_run
from engines.training.config import TrainConfig
from engines.training.data.paired_dataset import PairedDataset, open_pairs, terms_of
from engines.training.data.picture_pairs import Skipped
from engines.training.devices import make_fabric, precision_of
from engines.training.method import TrainingMethod
from engines.training.preflight import check_training, random_pairs
from engines.training.progress import DivergedError, Outcome
from engines.training.reporting.progress_bar import counting_bar, stderr_console, training_bar
from engines.training.style_card import save_style, style_card
from engines.training.teachers import load_teacher
from engines.training.teachers.teacher_dataset import draw_pairs, source_digest
from engines.training.trainer import fit

_SIDE_PX = 256


def run(request: TrainRequest, method_class: type[TrainingMethod[Any]], given: Mapping[str, Any]) -> None:
    """Train a style; progress goes to stderr, the result to stdout.

    Args:
        given: Fields of its config given on the command line.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the checkpoint was written.
        VeneerError: See `fit`, `draw_pairs`, `prepare_regions` and `cut_pairs`.
    """
    if method_class.data_kind != "pairs":
        got = f"it does not train on pairs, but on {method_class.data_kind or 'data of its own command'}"
        raise OptionsError(f"--method {method_class.name}", got, f"use veneer train {method_class.name}")
    console = stderr_console()
    overwriting = Overwriting(resume=request.resume, again=request.again, replace=request.replace)
    overwriting.check(request.name, request.out_folder, [request.folder])
    config = method_class.config_class(**request.config_values(method_class.config_class, given))
    to_train = _config_to_resume(request.folder, config, method_class) if request.resume else config
    for folder in (request.out_folder, request.folder):
        prepare_folder(folder)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    cv2.setNumThreads(1)
    fabric = make_fabric(to_train.precision)
    trial = method_class(to_train, random_pairs((_SIDE_PX, _SIDE_PX), method_class.target_pictures))
    check_training(trial, fabric, start_from="" if request.resume else request.start_from)
    overwriting.discard([request.folder])
    cache = request.folder / "pairs.u8"
    try:
        pairs: PairedDataset | None = None
        if fabric.is_global_zero:
            _make_pairs(request, config.seed, console)
            pairs = _open(request, cache, method_class.target_pictures, console)
        _train(request, method_class(config, fabric.broadcast(pairs)), fabric, console)
    finally:
        if fabric.is_global_zero:
            cache.unlink(missing_ok=True)


def _config_to_resume(folder: Path, requested: TrainConfig, method_class: type[TrainingMethod[Any]]) -> TrainConfig:
    state = load_run(folder, requested)
    if state.method != method_class.name:
        do = f"add --method {state.method}, or start over with --again"
        raise OptionsError(f"resuming from {folder}", f"its method is {state.method}", do)
    return state.config


def _train(request: TrainRequest, method: TrainingMethod[Any], fabric: Fabric, console: Console) -> None:
    quiet = console if fabric.is_global_zero else Console(quiet=True)
    quiet.print(f"{len(method.data)} pairs; training on {fabric.device} in {precision_of(fabric)}")
    options: dict[str, Any] = {"resume": request.resume, "minutes": request.minutes}
    try:
        with training_bar(quiet, "training") as watch:
            outcome = fit(method, request.folder, fabric=fabric, watch=watch, start_from=request.start_from, **options)
    except DivergedError as error:
        if error.outcome is None or not fabric.is_global_zero:
            raise
        _save(request, method, error.outcome)
        got = f"{error.got}; the style was written with the best weights, of step {error.outcome.progress.best_step}"
        raise DivergedError(error.asked, got, error.do) from error
    _print(quiet, outcome.stopped_early)
    if fabric.is_global_zero:
        _save(request, method, outcome)


def _save(request: TrainRequest, method: TrainingMethod[Any], outcome: Outcome) -> None:
    origin: dict[str, Any] = {"pairs": "the user's own"}
    if request.teacher is not None:
        digest = source_digest(request.teacher, blemishes=request.variants["blemished"] > 0)
        origin = {"teacher": request.teacher, "teacher_sha256": digest, **request.variants}
    method = method.with_config(outcome.config)
    card = style_card(request.name, method, outcome, region=request.region, origin=origin)
    written = save_style(outcome.net, card, request.out_folder)
    cost = f"{card['gmac']} GMAC, {card['parameters']} weights"
    print(f"{request.name}: {outcome.progress.best_summary}; {cost} -> {written}")  # noqa: T201


def _make_pairs(request: TrainRequest, seed: int, console: Console) -> None:
    """Write all pairs to WORK/pairs, unless the user's own pictures are used as they are."""
    if request.teacher is not None:
        _draw_pairs(request, request.teacher, seed, console)
    elif request.cut:
        _cut_pairs(request, console)
    else:
        return
    atomic_write(request.pairs / "TERMS.txt", terms_of(*request.inputs) + "\n")


def _draw_pairs(request: TrainRequest, teacher: str, seed: int, console: Console) -> None:
    load_teacher(teacher)  # fails before the minutes that the photos take
    with counting_bar(console, "finding faces", "photos") as advance:
        found = prepare_regions(request, seed, on_photo=advance)
    _print(console, Skipped({"unreadable": found.unreadable, "without a face": found.faceless}).line())
    options = {**request.variants, "side_px": _SIDE_PX, "processes": request.processes, "seed": seed}
    with counting_bar(console, f"{teacher} draws", "pairs") as advance:
        drawn = draw_pairs(request.regions, teacher, request.pairs, on_pair=advance, **options)
    _print(console, Skipped({"unreadable regions": drawn.unreadable}).line())


def _cut_pairs(request: TrainRequest, console: Console) -> None:
    before, after = request.inputs
    with counting_bar(console, "cutting", "pairs") as advance:
        written, skipped = cut_pairs(before, after, request.pairs, kind=request.kind, side_px=_SIDE_PX, on_pair=advance)
    _print(console, skipped.line())
    if not written:
        raise OptionsError(f"pairs in {before}", skipped.line(), "use --region frame, or pictures of faces")


def _open(request: TrainRequest, cache: Path, stacked: int, console: Console) -> PairedDataset:
    before, after = request.pairs / "before", request.pairs / "after"
    if request.before is not None and request.after is not None and not request.cut:
        before, after = request.before, request.after
    with counting_bar(console, "reading", "pairs") as advance:
        pairs, skipped = open_pairs(before, after, cache, size_wh=(_SIDE_PX,) * 2, stacked=stacked, on_pair=advance)
    _print(console, skipped.line())
    return pairs


def _print(console: Console, line: str) -> None:
    if line:
        console.print(line)
