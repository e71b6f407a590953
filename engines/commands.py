"""`veneer engines`: the engines in the cache, and making them ready before they are wanted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engines.cache_entry import Entry
    from engines.styles import Style

_FAILED = 2
_COLUMNS = ("style", "runtime", "precision", "shape", "size", "built", "took", "verdict")
_TO_THE_RIGHT = ("size", "took")

engines = typer.Typer(help="Build, list or clear the engines that are ready to run on this machine.")


@engines.callback()
def _group() -> None:
    """Build, list or clear the engines that are ready to run on this machine."""


@engines.command()
def build(
    style: Annotated[list[str] | None, typer.Argument(metavar="[STYLE]...", show_default="all styles")] = None,
    runtime: Annotated[str, typer.Option(help="auto, tensorrt, openvino or torch.")] = "auto",
) -> None:
    """Make engines ready now, so that no start has to wait for them."""
    from engines.errors import VeneerError
    from engines.styles import load_style, style_names

    wanted = list(dict.fromkeys(style or style_names()))
    styles = [load_style(name) for name in wanted]  # a wrong name is said before minutes of building
    failed = 0
    for number, one in enumerate(styles, 1):
        begin = f"{number}/{len(styles)} {one.name}"
        typer.echo(f"{begin}: making its engine ready", err=True)
        try:
            typer.echo(f"{begin}: {_ready(one, runtime)}")
        except VeneerError as error:
            failed += 1
            typer.echo(f"{begin}: {error}")
    if failed:
        raise typer.Exit(_FAILED)


def _ready(style: Style, runtime: str) -> str:
    """Open an engine, run it once, and say what it is."""
    import numpy as np

    from engines import cache
    from engines.runtime.choose import open_engine

    before = {entry.key for entry in cache.entries()}
    started_s = time.perf_counter()
    engine = open_engine(style, runtime=runtime)
    try:
        engine.infer(np.zeros((1, style.size_wh[1], style.size_wh[0], 3), np.uint8))
    finally:
        engine.close()
    took_s = time.perf_counter() - started_s
    built = [entry for entry in cache.entries() if entry.key not in before]
    how = f"built in {took_s:.1f} s" if built else f"was there already, ready in {took_s:.1f} s"
    info = engine.info
    return f"{info.runtime} {info.precision} on {info.device}, {how} ({info.why})"


@engines.command(name="list")
def list_engines() -> None:
    """What is in the cache: one line for each engine, the last used first."""
    from engines import cache
    from engines.cache_entry import cache_home

    found = cache.entries()
    if not found:
        typer.echo(f"no engines in {cache_home()}; those that come with the program need no cache")
        return
    rows = [list(_COLUMNS), *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        cells = zip(row, widths, _COLUMNS, strict=True)
        line = "  ".join(cell.rjust(w) if name in _TO_THE_RIGHT else cell.ljust(w) for cell, w, name in cells)
        typer.echo(line.rstrip())
    total = sum(entry.size_bytes for entry in found)
    typer.echo(
        f"{len(found)} engines, {_megabytes(total)} of at most {_megabytes(cache.LIMIT_BYTES)} in {cache_home()}"
    )


def _row(entry: Entry) -> list[str]:
    about = entry.about
    took = "?" if entry.build_s is None else f"{entry.build_s:.1f} s"
    size = _megabytes(entry.size_bytes)
    return [about.style, about.runtime, about.precision, about.shape, size, entry.built_at, took, entry.verdict]


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


@engines.command()
def clear() -> None:
    """Throw all engines in the cache away; they are built again when they are wanted."""
    from engines import cache
    from engines.cache_entry import cache_home

    count, size_bytes = cache.clear()
    typer.echo(f"{count} engines, {_megabytes(size_bytes)}, removed from {cache_home()}")
    left = len(cache.entries())
    if left:
        typer.echo(f"{left} could not be removed: end the programs that use them, and try again", err=True)
        raise typer.Exit(_FAILED)
