"""What `veneer train STYLE` does: photos to regions, regions to pairs, pairs to a style with its card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from calibration.own_pairs import cut_pairs
from calibration.regions import collect, photos_in
from calibration.train_request import Request
from engines import paths
from engines.errors import OptionsError
from engines.styles import load_style
from engines.training import cards
from engines.training.kit.cards_made import style_card
from engines.training.kit.data import Pairs, load_pairs, terms_of
from engines.training.kit.loop import Outcome, StoppedError, Watch, fit
from engines.training.kit.pairs_made import make_pairs, source_digest
from engines.training.kit.process import make_fabric
from engines.training.kit.recipe import Recipe
from engines.training.teachers import load_teacher

_SIDE_PX, _TEACHER_SIDE_PX = 256, 512
_COLLECTED = "collected.json"


def run(request: Request) -> None:
    """Do it, and say on stderr how it goes and on stdout what came out.

    Raises:
        VeneerError: see `fit`, `make_pairs`, `collect`.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    recipe, out = request.recipe(), request.out or paths.data_dir() / "weights"
    cards.ready_folder(out)
    cards.ready_folder(request.folder)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    cv2.setNumThreads(1)
    fabric = make_fabric(recipe.precision)
    if fabric.is_global_zero:
        made_by = _pairs_ready(request, console)
        (request.folder / "made_by.json").write_text(json.dumps(made_by), encoding="utf-8")
    fabric.barrier()
    begun = {"begun_with": request.begin} if request.begin else {}
    made_by = begun | json.loads((request.folder / "made_by.json").read_text(encoding="utf-8"))
    pairs = _read(request, console if fabric.is_global_zero else Console(quiet=True))
    try:
        outcome = _trained(request, recipe, pairs, fabric, console)
    except StoppedError as stopped:
        console.print(f"{stopped.asked}: {stopped.got} - go on with the same command and --resume")
        raise KeyboardInterrupt from stopped
    if fabric.is_global_zero:
        card = style_card(request.name, outcome, pairs, region=request.region, made_by=made_by)
        written = cards.save_style(outcome.net, card, out)
        print(_summary(request.name, outcome, card, written))  # noqa: T201  # the command's answer


def _summary(name: str, outcome: Outcome, card: dict[str, Any], written: Path) -> str:
    best = outcome.progress.best
    cost = f"{card['gmac']} GMAC, {card['parameters']} weights"
    return (
        f"{name}: {best['held_out_psnr_db']:.2f} dB on {outcome.held_out} pairs it never saw "
        f"({best['unpainted_psnr_db']:.2f} dB unpainted), {cost} -> {written}"
    )


def _pairs_ready(request: Request, console: Console) -> dict[str, Any]:
    """Have all pairs in WORK/pairs, and say where they come from, for the card."""
    pairs = request.folder / "pairs"
    if request.before is not None and request.after is not None:
        if request.cut:
            with _bar(console, "cutting", "pairs") as advance:
                cut = cut_pairs(
                    request.before, request.after, pairs, kind=request.kind, side_px=_SIDE_PX, on_pair=advance
                )
            _say(console, cut.skipped.line(), _named("no face on", cut.faceless))
            if not cut.made:
                got = cut.skipped.line() or f"no face on any of {len(cut.faceless)} pictures"
                raise OptionsError(f"pairs in {request.before}", got, "use --region frame, or pictures of faces")
            _write_terms(pairs, request.before, request.after)
        return {"pairs": "the user's own"}
    assert request.teacher is not None
    load_teacher(request.teacher)  # before minutes of work: is there one?
    _collected(request, console)
    blemished = request.blemished if request.blemished is not None else int(request.teacher == "retouch")
    with _bar(console, f"{request.teacher} draws", "pairs") as advance:
        made = make_pairs(
            request.folder / "regions", request.teacher, pairs, side_px=_SIDE_PX, processes=request.processes,
            lights=request.lights, blemished=blemished, seed=request.seed, on_pair=advance,
        )  # fmt: skip
    _say(console, _named("unreadable regions skipped:", made.unreadable))
    _write_terms(pairs, *(request.faces or []))
    digest = source_digest(request.teacher, blemishes=blemished > 0)
    return {"teacher": request.teacher, "teacher_sha256": digest, "lights": request.lights, "blemished": blemished}


def _collected(request: Request, console: Console) -> None:
    """Cut the photos' regions into WORK/regions, unless the same photos lie there cut."""
    photos = photos_in(request.faces or [])
    if request.most is not None and request.most < len(photos):
        drawn = np.random.default_rng(request.seed).permutation(len(photos))[: request.most]
        photos = [photos[i] for i in sorted(drawn)]
    folder = request.folder / "regions"
    listed = "\n".join(f"{photo.resolve()} {photo.stat().st_size} {photo.stat().st_mtime_ns}" for photo in photos)
    key = {"kind": request.kind, "photos": hashlib.sha256(listed.encode()).hexdigest()}
    marker = folder / _COLLECTED
    if marker.is_file() and json.loads(marker.read_text(encoding="utf-8")) == key:
        return
    cards.ready_folder(folder)
    for old in (*folder.glob("*.png"), *folder.glob("*.npz")):
        old.unlink()
    with _bar(console, "finding faces", "photos") as advance:
        total = len(photos) + len(_wide(request, photos))
        found = collect(
            photos, folder, kinds=(request.kind,), side_px=_TEACHER_SIDE_PX, on_photo=lambda: advance(total)
        )
        collect(
            _wide(request, photos), folder, kinds=("frame",), side_px=_TEACHER_SIDE_PX, on_photo=lambda: advance(total)
        )
    _say(console, _named("unreadable, skipped:", found.unreadable), _named("no face, skipped:", found.faceless))
    if not found.regions:
        where = ", ".join(str(face) for face in request.faces or [])
        got = f"no face on {len(found.faceless)} pictures, {len(found.unreadable)} unreadable"
        raise OptionsError(f"faces in {where}", got, "name a folder of photos that show faces")
    marker.write_text(json.dumps(key), encoding="utf-8")


def _wide(request: Request, photos: list[Path]) -> list[Path]:
    """Every fourth photo is learned from as a whole too: a style for heads is worn on persons and frames as well."""
    return photos[::4] if request.kind == "head" else []


def _write_terms(pairs: Path, *folders: Path) -> None:
    terms = terms_of(*folders)
    (pairs / "TERMS.txt").write_text(terms + "\n", encoding="utf-8")


def _read(request: Request, console: Console) -> Pairs:
    made = request.folder / "pairs"
    before, after = made / "before", made / "after"
    size_wh: tuple[int, int] | None = None
    if request.before is not None and request.after is not None and not request.cut:
        before, after, size_wh = request.before, request.after, (_SIDE_PX, _SIDE_PX)
    with _bar(console, "reading", "pairs") as advance:
        pairs, skipped = load_pairs(before, after, size_wh=size_wh, on_pair=advance)
    _say(console, skipped.line())
    return pairs


def _trained(request: Request, recipe: Recipe, pairs: Pairs, fabric: Fabric, console: Console) -> Outcome:
    progress = _progress(console, "steps")
    task = progress.add_task("training", total=None)

    def on_start(step: int, steps: int) -> None:
        progress.update(task, total=steps, completed=step)

    watch = Watch(
        on_start, lambda step: progress.update(task, completed=step), lambda line: progress.console.print(line)
    )
    if fabric.is_global_zero:
        console.print(f"{len(pairs.names)} pairs; training on {fabric.device} in {recipe.precision}")
        progress.start()
    try:
        outcome = fit(
            pairs, recipe, request.folder, resume=request.resume, minutes=request.minutes, vgg=request.vgg,
            fabric=fabric, watch=watch, start=load_style(request.begin).load_generator() if request.begin else None,
        )  # fmt: skip
    finally:
        progress.stop()
    if fabric.is_global_zero:
        _say(console, outcome.stopped_early)
    return outcome


def _progress(console: Console, unit: str) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)


@contextmanager
def _bar(console: Console, what: str, unit: str) -> Iterator[Callable[[int], None]]:
    """A progress bar; call what it gives with the total, after each piece."""
    with _progress(console, unit) as progress:
        task = progress.add_task(what, total=None)
        yield lambda total: progress.update(task, total=total, advance=1)


def _named(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} {what} {', '.join(names[:3])}{more}"


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        if line:
            console.print(line)
