"""`veneer engines`: the engines in the cache, and making them ready before they are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engines.cache.cache_entry import CacheEntry
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
    runtime: Annotated[
        str, typer.Option(help="auto, tensorrt, openvino, openvino-gpu, openvino-npu or torch.")
    ] = "auto",
) -> None:
    """Make engines ready now, so that no start has to wait for them; also those whose builder failed before.

    At every size at which a look wears the style here; on a processor also in INT8, where NNCF is installed.
    """
    from engines.build import failed_builds
    from engines.build.build_orders import int8_install_hint
    from engines.build.prebuild import build_upgrades, prepare_engine
    from engines.build.styles_in_use import styles_in_use
    from engines.errors import VeneerError
    from engines.looks import load_looks
    from engines.runtime.autotune_choice import with_chosen_sizes
    from engines.status_line import status_line

    styles = styles_in_use(
        style or (), map(with_chosen_sizes, load_looks().values())
    )  # a wrong name is said before minutes of building
    for name in {one.name for one in styles}:
        failed_builds.clear_failures(name)
    wants = ""
    refusals: list[str] = []  # of each that failed, why

    def on_start(label: str) -> None:
        typer.echo(f"{begin}: building {label}", err=True)

    for begin, one in _numbered(styles):
        typer.echo(f"{begin}: making its engine ready", err=True)
        try:
            info, said = prepare_engine(one, runtime)
            typer.echo(f"{begin}: {said}")
            with status_line() as told:
                for line in build_upgrades(one, info, runtime, on_start, told):
                    typer.echo(f"{begin}: {line}")
            wants = wants or int8_install_hint(one, info, runtime)
        except VeneerError as error:
            typer.echo(f"{begin}: {'not ready, for the same reason' if str(error) in refusals else error}")
            refusals.append(str(error))
    if wants:
        typer.echo(f"INT8, about 1.4 times as fast as BF16, wants NNCF: {wants}")
    if refusals:
        raise typer.Exit(_FAILED)


def _numbered(styles: Sequence[Style]) -> Iterator[tuple[str, Style]]:
    """What the lines on a style begin with: its size is named where it is worn at several."""
    from engines.runtime.autotune_choice import engine_name

    times = Counter(style.name for style in styles)
    for number, style in enumerate(styles, 1):
        yield f"{number}/{len(styles)} {engine_name(style) if times[style.name] > 1 else style.name}", style


@engines.command(name="list")
def list_engines() -> None:
    """What is in the cache: one line for each engine, the last used first."""
    from engines.build import failed_builds
    from engines.cache import engine_cache
    from engines.cache.cache_entry import cache_home

    for failure in failed_builds.all_failures():
        do = f"tried again from {failure.until} on, or now by veneer engines build {failure.style}"
        typer.echo(f"not built: {failure}; {do}", err=True)
    found = engine_cache.entries()
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
        f"{len(found)} engines, {_megabytes(total)} of at most {_megabytes(engine_cache.LIMIT_BYTES)} in {cache_home()}"
    )


def _row(entry: CacheEntry) -> list[str]:
    about = entry.about
    took = "?" if entry.build_s is None else f"{entry.build_s:.1f} s"
    size = _megabytes(entry.size_bytes)
    return [about.style, about.runtime, about.precision, about.shape, size, entry.built_at, took, entry.verdict]


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


@engines.command()
def clear() -> None:
    """Throw all engines in the cache away; they are built again when they are wanted."""
    from engines.build import failed_builds
    from engines.cache import engine_cache
    from engines.cache.cache_entry import cache_home

    failed_builds.clear_failures()
    count, size_bytes = engine_cache.clear()
    typer.echo(f"{count} engines, {_megabytes(size_bytes)}, removed from {cache_home()}")
    left = len(engine_cache.entries())
    if left:
        typer.echo(f"{left} could not be removed: end the programs that use them, and try again", err=True)
        raise typer.Exit(_FAILED)
