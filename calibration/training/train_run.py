"""What `veneer train STYLE` does: photos to regions, regions to pairs, pairs to a style with its card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from calibration.training.own_pairs import cut_pairs
from calibration.training.train_photos import regions_ready
from calibration.training.train_request import Request
from engines import paths
from engines.errors import OptionsError
from engines.styles import load_style
from engines.training import style_files
from engines.training.data.paired_dataset import Pairs, load_pairs, terms_of
from engines.training.devices import make_fabric, precision_of
from engines.training.outcome import DivergedError, Outcome, StoppedError, Watch
from engines.training.recipe import Recipe
from engines.training.resume import kept_recipe
from engines.training.style_card import style_card
from engines.training.teachers import load_teacher
from engines.training.teachers.teacher_dataset import make_pairs, source_digest
from engines.training.trainer import fit

_SIDE_PX = 256


def run(request: Request) -> None:
    """Do it, and say on stderr how it goes and on stdout what came out.

    Raises:
        VeneerError: see `fit`, `make_pairs`, `collect`.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    recipe, out = request.recipe(), request.out or paths.data_dir() / "weights"
    precision = kept_recipe(request.folder).precision if request.resume else recipe.precision
    style_files.ready_folder(out)
    style_files.ready_folder(request.folder)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    cv2.setNumThreads(1)
    fabric = make_fabric(precision)
    made_by = _pairs_ready(request, console) if fabric.is_global_zero else {}
    fabric.barrier()
    pairs = _read(request, console if fabric.is_global_zero else Console(quiet=True))
    try:
        outcome = _trained(request, recipe, pairs, fabric, console)
    except StoppedError as stopped:
        console.print(f"{stopped.asked}: {stopped.got} - go on with the same command and --resume")
        raise KeyboardInterrupt from stopped
    except DivergedError as error:
        if error.outcome is None or not fabric.is_global_zero:
            raise
        _saved(request, error.outcome, pairs, made_by, out)
        got = f"{error.got}; the best weights until then, of step {error.outcome.progress.best_step}, are in the style"
        raise DivergedError(error.asked, got, error.do) from error
    if fabric.is_global_zero:
        _saved(request, outcome, pairs, made_by, out)


def _saved(request: Request, outcome: Outcome, pairs: Pairs, made_by: dict[str, Any], out: Path) -> None:
    card = style_card(request.name, outcome, pairs, region=request.region, made_by=made_by)
    written = style_files.save_style(outcome.net, card, out)
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
    pairs = request.pairs
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
    with _bar(console, "finding faces", "photos") as advance:
        found = regions_ready(request, on_photo=advance)
    _say(console, _named("unreadable, skipped:", found.unreadable), _named("no face, skipped:", found.faceless))
    blemished = request.blemished if request.blemished is not None else int(request.teacher == "retouch")
    with _bar(console, f"{request.teacher} draws", "pairs") as advance:
        made = make_pairs(
            request.regions, request.teacher, pairs, side_px=_SIDE_PX, processes=request.processes,
            lights=request.more_lights, blemished=blemished, seed=request.seed, on_pair=advance,
        )  # fmt: skip
    _say(console, _named("unreadable regions skipped:", made.unreadable))
    _write_terms(pairs, *(request.faces or []))
    digest = source_digest(request.teacher, blemishes=blemished > 0)
    lights = request.more_lights
    return {"teacher": request.teacher, "teacher_sha256": digest, "lights": lights, "blemished": blemished}


def _write_terms(pairs: Path, *folders: Path) -> None:
    terms = terms_of(*folders)
    (pairs / "TERMS.txt").write_text(terms + "\n", encoding="utf-8")


def _read(request: Request, console: Console) -> Pairs:
    before, after = request.pairs / "before", request.pairs / "after"
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
        console.print(f"{len(pairs.names)} pairs; training on {fabric.device} in {precision_of(fabric)}")
        progress.start()
    try:
        outcome = fit(
            pairs, recipe, request.folder, resume=request.resume, minutes=request.minutes, vgg=request.vgg,
            fabric=fabric, watch=watch, begun_with=request.begin or "",
            start=load_style(request.begin).load_generator() if request.begin and not request.resume else None,
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
