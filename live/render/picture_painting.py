"""`veneer paint` on files: reads the pictures, shows the progress, writes the painting."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.errors import OptionsError
from engines.files import check_writable
from engines.painting.gatys import CONTENT_LAYER, Costs, Painting, as_grey, paint, resized, with_colours
from engines.painting.paint_options import STYLE_LAYERS, PaintOptions
from engines.painting.transfer_file import load_transfer, paint_once, style_signals
from engines.painting.vgg_file import load_vgg
from engines.painting.vgg_network import VggNetwork
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import picture_format, write_picture
from live.pipeline.frame import ImageU8
from live.tracking.person_segmenter import PersonSegmenter

_INTERRUPTED = 130


def paint_file(photo: Path, style_picture: Path, out: Path, options: PaintOptions) -> int:
    """Paint a photo; the costs go to stderr, the result to stdout.

    Returns:
        The exit code: 130 if the user interrupted; the best painting so far was written.

    Raises:
        VeneerError: A picture cannot be read or written, there is no VGG, or `--only` finds no person.
    """
    for option, path in (("OUT", out), ("--preview", options.preview)):
        check_writable(option, path)
        if path is not None:
            picture_format(path)
    _check_files(photo, [style_picture, *(path for path, _ in _styles(style_picture, options.also))], out, options)
    photo_bgr = read_picture(photo)
    styles = [(_rgb(read_picture(path)), weight) for path, weight in _styles(style_picture, options.also)]
    mask = _mask(photo_bgr, options) if options.only else None

    def as_result(painted_rgb: ImageU8) -> ImageU8:
        painted_bgr = _rgb(painted_rgb)
        if mask is None:
            return painted_bgr
        size_wh = painted_bgr.shape[1::-1]
        share = cv2.resize(mask, size_wh, interpolation=cv2.INTER_LINEAR)[:, :, None].astype(np.float32) / 255
        bare_bgr = cv2.resize(photo_bgr, size_wh, interpolation=cv2.INTER_AREA)
        return np.asarray(np.rint(bare_bgr + share * (painted_bgr.astype(np.float32) - bare_bgr)), np.uint8)

    if options.fast:
        start_s = time.perf_counter()
        painted_rgb = _painted_once(_rgb(photo_bgr), styles, options)
        write_picture(out, as_result(painted_rgb))
        size = "{}x{}".format(*painted_rgb.shape[1::-1])
        print(f"painted at {size} in {time.perf_counter() - start_s:.1f} s; {_peak_memory()} -> {out}")  # noqa: T201
        return 0
    network = VggNetwork(load_vgg(), max(CONTENT_LAYER, *STYLE_LAYERS), options.pooling)
    with _progress(options, as_result) as on_step:
        painting = paint(_rgb(photo_bgr), styles, network, options, on_step)
    total = sum(map(len, painting.costs))
    if not total:
        print(f"veneer: {out}: interrupted before the first iteration, nothing is written", file=sys.stderr)  # noqa: T201
        return _INTERRUPTED
    write_picture(out, as_result(painting.best_rgb))
    print(f"{_summary(painting)}; {_peak_memory()} -> {out}")  # noqa: T201
    return 0 if total == sum(count for _, count in options.levels) else _INTERRUPTED


def _check_files(photo: Path, styles: list[Path], out: Path, options: PaintOptions) -> None:
    """Raise OptionsError if a picture that is written is one that is read, or the other one that is written."""
    read = {path.resolve(): str(path) for path in (*styles, photo)}
    for option, path in (("OUT", out), ("--preview", options.preview)):
        if path is not None and (other := read.setdefault(path.resolve(), option)) != option:
            raise OptionsError(f"{option} {path}", f"it is the same file as {other}", "name another one")


def _painted_once(photo_rgb: ImageU8, styles: list[tuple[ImageU8, float]], options: PaintOptions) -> ImageU8:
    """Return the painting of the transfer network."""
    net, photo_rgb = load_transfer(), resized(photo_rgb, options.size)
    sized = [(resized(one, round(options.strokes * options.size)), weight) for one, weight in styles]
    if options.colours == "style":
        return paint_once(net, photo_rgb, style_signals(net, sized))
    grey = [(as_grey(one), weight) for one, weight in sized]
    return with_colours(paint_once(net, as_grey(photo_rgb), style_signals(net, grey)), photo_rgb)


def _summary(painting: Painting) -> str:
    """Return one line with the fall of the costs of the first and the last level."""
    costs = painting.costs[0]
    best = min(one.total for one in costs)
    line = f"{sum(map(len, painting.costs))} iterations, cost {costs[0].total:.4g} to {best:.4g}"
    line += f" ({1 - best / costs[0].total:.1%} less)" if costs[0].total else ""
    return line + f", at {painting.best_rgb.shape[1]}x{painting.best_rgb.shape[0]}"


@contextlib.contextmanager
def _progress(
    options: PaintOptions, as_result: Callable[[ImageU8], ImageU8]
) -> Iterator[Callable[[int, int, Costs, Callable[[], ImageU8]], None]]:
    """Show a bar with both costs, and write previews."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("painting", total=None)

        def on_step(done: int, total: int, costs: Costs, picture: Callable[[], ImageU8]) -> None:
            text = f"content {costs.content:.3g}, style {costs.style:.3g}"
            progress.update(task, completed=done, total=total, description=text)
            if options.preview is not None and done % options.preview_every == 0:
                write_picture(options.preview, as_result(picture()))

        yield on_step


def _styles(first: Path, also: tuple[str, ...]) -> Iterator[tuple[Path, float]]:
    """Yield the style pictures with their weights."""
    yield first, 1.0
    for text in also:
        name, equals, weight = text.rpartition("=")
        if not equals:
            yield Path(text), 1.0
            continue
        try:
            number = float(weight)
        except ValueError:
            number = 0.0
        if not 0 < number < float("inf"):
            raise OptionsError(f"--also {text}", f"weight {weight!r}", "write FILE=WEIGHT with a number above 0")
        yield Path(name), number


def _mask(photo_bgr: ImageU8, options: PaintOptions) -> ImageU8:
    """Return where to paint, uint8 at the segmenter's size. Raises OptionsError if there is no person."""
    with PersonSegmenter(still=True) as segmenter:
        person = segmenter.mask(photo_bgr)
    if person.max() < 128:
        raise OptionsError(f"--only {options.only}", "no person was found on the photo", "leave it out")
    return person if options.only == "person" else np.asarray(255 - person, np.uint8)


def _peak_memory() -> str:
    """Return the largest memory that this process had, in words."""
    if sys.platform == "win32":
        import psutil

        peak = psutil.Process().memory_info().peak_wset
    else:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return f"{peak / 1e9:.2f} GB of memory at most"


def _rgb(picture: ImageU8) -> ImageU8:
    """Return BGR as RGB, or RGB as BGR."""
    return np.ascontiguousarray(picture[:, :, ::-1])
