"""`veneer engines`: list, build and clear the engines in the cache."""

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
_RIGHT_ALIGNED = ("size", "took")

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
    """Build engines now, so that no start has to wait for them; builds that failed before are repeated.

    Each style is built at every size at which a look uses it; on a processor also in INT8, if NNCF is installed.
    """
    from engines.build import failed_builds
    from engines.build.build_orders import int8_install_hint
    from engines.build.prebuild import build_upgrades, prepare_engine
    from engines.build.status_line import status_line
    from engines.build.styles_in_use import styles_in_use
    from engines.errors import VeneerError
    from engines.looks_file import load_looks
    from engines.runtime.autotune_choice import with_chosen_sizes
    from engines.runtime.selector import check_runtime

    # All names are checked here, before the first build, which can take minutes.
    check_runtime(runtime)
    styles = styles_in_use(style or (), map(with_chosen_sizes, load_looks().values()))
    for name in {one.name for one in styles}:
        failed_builds.clear_failures(name)
    hint = ""
    reasons: list[str] = []  # of the styles that failed

    def on_start(label: str) -> None:
        typer.echo(f"{prefix}: building {label}", err=True)

    for prefix, one in _numbered(styles):
        typer.echo(f"{prefix}: preparing the engine", err=True)
        try:
            info, result = prepare_engine(one, runtime)
            typer.echo(f"{prefix}: {result}")
            with status_line() as show:
                for line in build_upgrades(one, info, runtime, on_start, show):
                    typer.echo(f"{prefix}: {line}")
            hint = hint or int8_install_hint(one, info, runtime)
        except VeneerError as error:
            typer.echo(f"{prefix}: {'failed for the same reason' if str(error) in reasons else error}")
            reasons.append(str(error))
    if hint:
        typer.echo(f"INT8, about 1.4 times as fast as BF16, needs NNCF: {hint}")
    if reasons:
        raise typer.Exit(_FAILED)


def _numbered(styles: Sequence[Style]) -> Iterator[tuple[str, Style]]:
    """Yield each style with the prefix of its lines: "2/3 toon 448x256"; the size only if there are several."""
    from engines.runtime.autotune_choice import engine_name

    sizes = Counter(style.name for style in styles)
    for number, style in enumerate(styles, 1):
        yield f"{number}/{len(styles)} {engine_name(style) if sizes[style.name] > 1 else style.name}", style


@engines.command(name="list")
def list_engines() -> None:
    """List the engines in the cache, the most recently used first."""
    from engines.build import failed_builds
    from engines.cache import cache_entry, engine_cache
    from engines.cache.cache_entry import cache_home

    for failure in failed_builds.all_failures():
        do = f"next attempt {failure.until}, or now with veneer engines build {failure.style}"
        typer.echo(f"not built: {failure}; {do}", err=True)
    found = cache_entry.entries()
    if not found:
        typer.echo(f"no engines in {cache_home()}; the shipped ones need no cache")
        return
    rows = [list(_COLUMNS), *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        cells = zip(row, widths, _COLUMNS, strict=True)
        line = "  ".join(cell.rjust(w) if name in _RIGHT_ALIGNED else cell.ljust(w) for cell, w, name in cells)
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
    """Delete all engines in the cache; they are built again when they are needed."""
    from engines.build import failed_builds
    from engines.cache import cache_entry, engine_cache
    from engines.cache.cache_entry import cache_home

    failed_builds.clear_failures()
    count, size_bytes = engine_cache.clear()
    typer.echo(f"{count} engines, {_megabytes(size_bytes)}, removed from {cache_home()}")
    left = len(cache_entry.entries())
    if left:
        typer.echo(f"{left} could not be removed: end the programs that use them, and try again", err=True)
        raise typer.Exit(_FAILED)
