"""`veneer engines`: the engines in the cache, and making them ready before they are wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engines.cache_entry import Entry
    from engines.runtime.base import EngineInfo
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
    """Make engines ready now, so that no start has to wait for them; also those whose builder failed before."""
    from engines import failures
    from engines.errors import VeneerError
    from engines.styles import load_style, style_names

    wanted = list(dict.fromkeys(style or style_names()))
    styles = [load_style(name) for name in wanted]  # a wrong name is said before minutes of building
    failed = 0
    for number, one in enumerate(styles, 1):
        begin = f"{number}/{len(styles)} {one.name}"
        typer.echo(f"{begin}: making its engine ready", err=True)
        noted = failures.forget(one.name)
        try:
            info, said = _ready(one, runtime)
            typer.echo(f"{begin}: {said}")
            for line in _better(one, info, runtime) if noted else ():
                typer.echo(f"{begin}: {line}")
        except VeneerError as error:
            failed += 1
            typer.echo(f"{begin}: {error}")
    if failed:
        raise typer.Exit(_FAILED)


def _ready(style: Style, runtime: str) -> tuple[EngineInfo, str]:
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
    return info, f"{info.runtime} {info.precision} on {info.device}, {how} ({info.why})"


def _better(style: Style, info: EngineInfo, runtime: str) -> Iterator[str]:
    """Build what `veneer run` would build aside, and failed to; say of each what became of it."""
    from engines import failures
    from engines.build_process import BuildError, BuildProcess
    from engines.builder import orders

    for order in orders(style, info, runtime):
        if order.module == "engines.build_engine":
            continue  # opening it has just tried that
        typer.echo(f"building {order.label} of {style.name}", err=True)
        try:
            BuildProcess(order.module, order.arguments, limit_s=order.limit_s, told=lambda step: None).run()
        except BuildError as error:
            yield f"{order.label} is not built: {error}"
            if error.lasting:
                size = "{}x{}".format(*style.size_wh)
                failures.remember(order.key(), label=order.label, style=style.name, size=size, reason=str(error))
        else:
            yield f"{order.label} is built"


@engines.command(name="list")
def list_engines() -> None:
    """What is in the cache: one line for each engine, the last used first."""
    from engines import cache, failures
    from engines.cache_entry import cache_home

    for failure in failures.all_remembered():
        do = f"tried again from {failure.until} on, or now by veneer engines build {failure.style}"
        typer.echo(f"not built: {failure}; {do}", err=True)
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
    from engines import cache, failures
    from engines.cache_entry import cache_home

    failures.forget()
    count, size_bytes = cache.clear()
    typer.echo(f"{count} engines, {_megabytes(size_bytes)}, removed from {cache_home()}")
    left = len(cache.entries())
    if left:
        typer.echo(f"{left} could not be removed: end the programs that use them, and try again", err=True)
        raise typer.Exit(_FAILED)
