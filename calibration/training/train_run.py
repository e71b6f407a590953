"""`veneer train STYLE`: photos to regions, regions to pairs, pairs to a style with its card."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import torch
from lightning_fabric import Fabric
from rich.console import Console

from calibration.training.growth_film import film_growth
from calibration.training.own_pairs import cut_pairs
from calibration.training.picture_options import check_kind, swap_persons
from calibration.training.train_cluster import train_on_cluster
from calibration.training.train_drawings import prepare_drawings
from calibration.training.train_groups import plan_groups, read_groups, train_groups
from calibration.training.train_photos import prepare_regions
from calibration.training.train_request import TrainRequest
from calibration.training.train_style import painted_photos, style_photos
from calibration.training.train_swap import swap_faces
from engines.errors import OptionsError
from engines.files import atomic_write
from engines.regions.upright import FACE_REGIONS
from engines.style_lookup import WEIGHT_SUFFIXES
from engines.training.checkpoints.checkpoint import prepare_folder
from engines.training.checkpoints.overwriting import Overwriting
from engines.training.checkpoints.resume import load_run
from engines.training.config import TrainConfig
from engines.training.data.labelled_pictures import LabelledPictures, open_labelled, random_labelled
from engines.training.data.paired_dataset import PairedDataset, open_pairs, terms_of
from engines.training.data.person_faces import SwapFaces, random_faces
from engines.training.data.picture_pairs import Skipped
from engines.training.data.unpaired_dataset import UnpairedDataset, open_unpaired, random_unpaired
from engines.training.devices import make_fabric, precision_of
from engines.training.method import TrainingMethod
from engines.training.methods.painted import PaintedConfig
from engines.training.preflight import check_training, random_pairs
from engines.training.progress import DivergedError, Outcome
from engines.training.reporting.progress_bar import counting_bar, stderr_console, training_bar
from engines.training.style_card import save_style, style_card
from engines.training.teachers import load_teacher
from engines.training.teachers.teacher_dataset import draw_pairs, source_digest
from engines.training.trainer import fit

_SIDE_PX = 256
_SMALL_PX, _MINUTES, _MINUTES_OF_LARGER = 32, 10, 90  # usual time of a network from noise, by the size of its pictures


def run(request: TrainRequest, method_class: type[TrainingMethod[Any]], given: Mapping[str, Any]) -> None:
    """Train a style; progress goes to stderr, the result to stdout.

    Args:
        given: Fields of its config given on the command line.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the checkpoint was written.
        VeneerError: See `fit`, `draw_pairs`, `prepare_regions` and `cut_pairs`.
    """
    if request.cluster is not None:
        here = dataclasses.replace(request.with_absolute_folders(), cluster=None)
        train_on_cluster(request.cluster, request.nodes or 1, functools.partial(run, here, method_class, dict(given)))
        return
    check_kind(request, method_class)
    request = _with_usual_minutes(request, method_class, given)
    console = stderr_console()
    overwriting = Overwriting(resume=request.resume, again=request.again, replace=request.replace)
    overwriting.check(request.name, request.out_folder, [request.folder])
    table = None if request.groups is None else read_groups(request.groups)
    for group in {name for age, gender in (table or {}).values() for name in (age, f"{age}-{gender}")}:
        overwriting.check(f"{request.name}-{group}", request.out_folder, [])
    values = request.config_values(method_class.config_class, given, method_class.presets)
    config = method_class.config_class(**values)
    to_train = _config_to_resume(request.folder, config, method_class) if request.resume else config
    for folder in (request.out_folder, request.folder):
        prepare_folder(folder)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    cv2.setNumThreads(1)
    fabric = make_fabric(to_train.precision, nodes=request.nodes)
    trial = method_class(to_train, _random_data(method_class, to_train))
    check_training(trial, fabric, start_from="" if request.resume else request.base_style)
    cache = request.folder / "pairs.u8"
    try:
        data: Any = None
        if fabric.is_global_zero and method_class.data_kind == "pictures":
            data = _read_pictures(request, to_train, console)
        elif fabric.is_global_zero and method_class.data_kind == "unpaired":
            data = _make_unpaired(request, to_train, console)
        elif fabric.is_global_zero and method_class.data_kind == "persons":
            data = _make_persons(request, to_train, console)
        elif fabric.is_global_zero and method_class.data_kind == "style":
            data = _make_style(request, config, console)
        elif fabric.is_global_zero:
            _make_pairs(request, config.seed, console)
            data = _open(request, cache, method_class.target_pictures, console)
        data = fabric.broadcast(data)
        fabric.barrier()  # all have opened the pairs; a finished training that is resumed deletes them at once
        method = method_class(config, data)
        if fabric.is_global_zero:  # only now: data that cannot be used leave an earlier training as it is
            overwriting.discard([request.folder])
        groups = [] if table is None else plan_groups(data, table)
        trained = _train(request, method, fabric, console)
        train_groups(request, method.with_config(trained.config), groups, fabric, console, save_outcome)
    finally:
        if fabric.is_global_zero:
            cache.unlink(missing_ok=True)


def _config_to_resume(folder: Path, requested: TrainConfig, method_class: type[TrainingMethod[Any]]) -> TrainConfig:
    state = load_run(folder, requested)
    if state.method != method_class.name:
        do = f"add --method {state.method}, or start over with --again"
        raise OptionsError(f"resuming from {folder}", f"its method is {state.method}", do)
    return state.config


def _train(request: TrainRequest, method: TrainingMethod[Any], fabric: Fabric, console: Console) -> Outcome:
    quiet = console if fabric.is_global_zero else Console(quiet=True)
    what = {"pairs": "pairs", "pictures": "pictures", "persons": "faces"}.get(method.data_kind, "photos")
    quiet.print(f"{len(method.data)} {what}; training on {fabric.device} in {precision_of(fabric)}")
    options: dict[str, Any] = {"resume": request.resume, "minutes": request.minutes}
    try:
        with training_bar(quiet, "training") as watch:
            outcome = fit(method, request.folder, fabric=fabric, watch=watch, start_from=request.base_style, **options)
    except DivergedError as error:
        if error.outcome is None or not fabric.is_global_zero:
            raise
        save_outcome(request, method, error.outcome)
        got = f"{error.got}; the style was written with the best weights, of step {error.outcome.progress.best_step}"
        raise DivergedError(error.asked, got, error.do) from error
    _print(quiet, outcome.stopped_early)
    if fabric.is_global_zero:
        save_outcome(request, method, outcome)
        if method.data_kind == "pictures":
            film_growth(request.folder)
    return outcome


def save_outcome(request: TrainRequest, method: TrainingMethod[Any], outcome: Outcome, group: str = "") -> None:
    """Write the style of a training, or of a group of persons, and print its scores."""
    origin: dict[str, Any] = {"pairs" if method.data_kind == "pairs" else "pictures": "the user's own"}
    if group:
        origin["group"] = group
    name = f"{request.name}-{group}" if group else request.name
    if request.teacher is not None:
        digest = source_digest(request.teacher, blemishes=request.variants["blemished"] > 0)
        origin = {"teacher": request.teacher, "teacher_sha256": digest, **request.variants}
    method = method.with_config(outcome.config)
    card = style_card(name, method, outcome, region=request.region, origin=origin)
    written = save_style(outcome.net, card, request.out_folder)
    for suffix in WEIGHT_SUFFIXES[1:]:  # of an imported graph of this name, which --again replaces
        written.with_suffix(suffix).unlink(missing_ok=True)
    cost = f"{card['gmac']} GMAC, {card['parameters']} weights"
    print(f"{name}: {outcome.progress.best_summary}; {cost} -> {written}")  # noqa: T201


def _with_usual_minutes(
    request: TrainRequest, method_class: type[TrainingMethod[Any]], given: Mapping[str, Any]
) -> TrainRequest:
    """Return the request with the usual time of a network from noise, if neither time, steps nor preset are given."""
    if method_class.data_kind != "pictures" or request.minutes or request.preset or "steps" in given:
        return request
    side_px = given.get("side_px", _SMALL_PX)
    return dataclasses.replace(request, minutes=_MINUTES if side_px <= _SMALL_PX else _MINUTES_OF_LARGER)


def _random_data(
    method_class: type[TrainingMethod[Any]], config: TrainConfig
) -> PairedDataset | UnpairedDataset | LabelledPictures | SwapFaces:
    """Return random pixels for the step that is tried before pictures are made."""
    if method_class.data_kind == "pictures":
        return random_labelled(int(getattr(config, "side_px", _SIDE_PX)), int(getattr(config, "classes", 0)))
    if method_class.data_kind == "persons":
        return random_faces(int(getattr(config, "side_px", _SIDE_PX)))
    if method_class.data_kind == "unpaired":
        return random_unpaired(int(getattr(config, "side_px", _SIDE_PX)))
    return random_pairs((_SIDE_PX, _SIDE_PX), method_class.target_pictures)


def _read_pictures(request: TrainRequest, config: TrainConfig, console: Console) -> LabelledPictures:
    """Read the pictures of a network from noise and their labels; a region of faces is cut first."""
    assert request.photos is not None
    labels, folder, most = request.read_labels(), request.photos, request.max_photos
    if request.region in FACE_REGIONS:
        _cut_faces(request, config.seed, console)
        folder, most = request.regions, None  # chosen before they were cut
        labels = labels and labels.of_regions(request.kind)
    with counting_bar(console, "reading", "pictures") as advance:
        side_px, terms = int(getattr(config, "side_px", _SIDE_PX)), terms_of(request.photos)
        pictures, skipped = open_labelled(folder, side_px, labels, terms, advance, most=most, seed=config.seed)
    _print(console, skipped.line())
    return pictures


def _make_unpaired(request: TrainRequest, config: TrainConfig, console: Console) -> UnpairedDataset:
    """Cut photos and drawings, and read them at the size of the training."""
    _cut_faces(request, config.seed, console)
    with counting_bar(console, "aligning", "drawings") as advance:
        drawings = prepare_drawings(request, on_drawing=advance)
    _print(console, drawings.line())
    terms = terms_of(*request.inputs)
    return open_unpaired(request.regions, request.drawn, int(getattr(config, "side_px", _SIDE_PX)), terms)


def _cut_faces(request: TrainRequest, seed: int, console: Console) -> None:
    """Write the region of each photo to WORK/regions."""
    with counting_bar(console, "finding faces", "photos") as advance:
        found = prepare_regions(request, seed, on_photo=advance)
    _print(console, Skipped({"unreadable": found.unreadable, "without a face": found.faceless}).line())


def _make_persons(request: TrainRequest, config: TrainConfig, console: Console) -> SwapFaces:
    """Read the faces of both persons of a face swap."""
    one, other = request.inputs
    persons, side_px = swap_persons(request.consent_of or ()), int(getattr(config, "side_px", _SIDE_PX))
    with counting_bar(console, "finding faces", "files") as advance:
        shape = float(getattr(config, "shape", 0.0))
        data, skipped = swap_faces(one, other, persons, side_px, request.max_photos, shape, on_file=advance)
    _print(console, skipped.line())
    return data


def _make_style(request: TrainRequest, config: TrainConfig, console: Console) -> PairedDataset:
    """Read the photos of a look from one picture; without VGG they are painted."""
    with counting_bar(console, "reading", "photos") as advance:
        photos, most = request.photos, request.max_photos
        if isinstance(config, PaintedConfig):
            data, skipped = painted_photos(photos, most, _SIDE_PX, config, on_photo=advance)
        else:
            data, skipped = style_photos(photos, most, _SIDE_PX, config.seed, on_photo=advance)
    _print(console, skipped.line())
    return data


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
    _cut_faces(request, seed, console)
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
