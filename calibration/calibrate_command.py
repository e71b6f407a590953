"""`veneer calibrate`: accuracy check of engines, collection of calibration images, and autotuning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from calibration.autotune.autotune import AutotuneReport
    from calibration.engine_checks.verdicts import EngineCheck
    from engines.runtime.call_times import CallTime

_STYLES = "STYLE..."
_FAILED = 2


class _StyleGroup(TyperGroup):
    """Runs the command STYLE... if the first argument is not the name of a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = [_STYLES, *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest


calibrate = typer.Typer(cls=_StyleGroup, help="Check engines against FP32 and select the fastest on this machine.")


@calibrate.callback()
def _group() -> None:
    """Check engines against FP32 and select the fastest on this machine.

    `veneer calibrate [STYLE]...` checks the engines of the styles; the default is all styles.
    """


@calibrate.command(_STYLES)
def styles(
    style: Annotated[list[str] | None, typer.Argument(metavar="[STYLE]...", show_default="all styles")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores of every case as JSON.")] = False,
) -> None:
    """Check every engine of the styles against FP32, and build the INT8 engines.

    Tolerances in every case of the calibration set: mean dE 0.5 and PSNR 40 dB for half precision, 1.0 and 34 dB for
    INT8.
    """
    from functools import cache, partial

    from calibration.engine_checks.verdicts import check_engines, load_reference
    from engines.build.status_line import status_line
    from engines.build.styles_in_use import styles_in_use
    from engines.looks_file import load_looks
    from engines.runtime.openvino.int8_graph import INSTALL, nncf_installed

    requested = styles_in_use(style or (), load_looks().values())
    checks: list[EngineCheck] = []
    with status_line() as say:
        _prepare_sets(say)
        for one in requested:
            for check in check_engines(one, cache(partial(load_reference, one)), say=say):
                checks.append(check)
                if not as_json and check.verdict is not None:
                    typer.echo(_verdict_line(check))
    if as_json:
        typer.echo(json.dumps([check.as_dict() for check in checks], indent=2))
        return
    for line in dict.fromkeys(f"{check.backend.name}: {check.unavailable}" for check in checks if check.unavailable):
        typer.echo(f"not available: {line}")
    if not nncf_installed():
        typer.echo(f"INT8 engines, about 1.4 times as fast as BF16, need NNCF: {INSTALL}")


@calibrate.command()
def collect(
    folder: Annotated[list[str], typer.Argument(metavar="FOLDER...", help="Photos and clips, including subfolders.")],
    most: Annotated[int, typer.Option(min=1, help="Maximum number of photos and clips; sampled with the seed.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling.")] = 0,
) -> None:
    """Add faces from photos and clips to the calibration set, with dark, noisy, rotated and low-resolution variants.

    The images stay on this machine, in the folder that is printed; delete the folder to remove them.
    """
    from itertools import count

    from calibration.sets.set_builder import own_set
    from engines.build.status_line import status_line
    from engines.cache.calibration_set import own_folder
    from engines.errors import OptionsError

    if not all(name.strip() for name in folder):  # an unset shell variable must not mean the current folder
        raise OptionsError("photos in ''", "the name is empty", "name a folder of photos or clips")
    with status_line() as say:
        numbers = count(1)

        def on_source() -> None:
            say(f"{next(numbers)} photos and clips")

        found = own_set([Path(name) for name in folder], most=most, seed=seed, on_source=on_source)
    for label, names in (("not readable", found.unreadable), ("no face", found.faceless)):
        for name in names:
            typer.echo(f"{label}: {name}", err=True)
    if found.left_out:
        typer.echo(f"{found.left_out} more photos and clips were not used: raise --most to use them", err=True)
    typer.echo(f"{found.sources} photos and clips used; {found.regions} regions in {own_folder()}")
    typer.echo("INT8 engines are built from this set: run veneer calibrate")


@calibrate.command()
def machine(
    look: Annotated[list[str] | None, typer.Argument(metavar="[LOOK]...", show_default="all looks")] = None,
    fps: Annotated[float, typer.Option(min=1, max=240, help="Frame rate to reach.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all measurements as JSON.")] = False,
) -> None:
    """Time the runtimes on this machine, and select runtime, precision, threads and region size for each look.

    A face tracker runs beside the measurement, as in live use. `veneer run` applies the selection; the rejected
    combinations are printed with their times.
    """
    from calibration.autotune.autotune import Autotuner, has_network
    from engines.build.cpu_contention import contention_warning
    from engines.build.status_line import status_line
    from engines.errors import EngineError, OptionsError, os_errors
    from engines.looks import find_look
    from engines.looks_file import load_looks
    from engines.runtime.base import NotUsableError

    looks = load_looks()
    requested = [find_look(looks, name) for name in look] if look else list(looks.values())
    if not any(has_network(one) for one in requested):
        command = f"calibrate machine {' '.join(one.name for one in requested)}"
        known = ", ".join(one.name for one in looks.values() if has_network(one))
        raise OptionsError(command, "these looks use no network", f"name a look with a network: {known}")
    if busy := contention_warning():
        typer.echo(busy, err=True)
    with status_line() as say:
        _prepare_sets(say)
        try:
            with os_errors("selection file", "free space in the cache", EngineError):
                report = Autotuner(fps=fps, say=say).measure(requested)
        except KeyboardInterrupt:
            typer.echo("the results of completed looks are kept and used; the other looks are unchanged", err=True)
            raise
        except NotUsableError as error:
            raise EngineError("calibrate machine", error.reason, error.do or "run veneer doctor") from error
    typer.echo(json.dumps(report.as_dict(), indent=2) if as_json else _report_text(report))
    if any(timing.chosen and not timing.holds for timing in report.looks):
        raise typer.Exit(_FAILED)


def _prepare_sets(say: Callable[[str], None]) -> None:
    from importlib.util import find_spec

    from calibration.sets.set_builder import built_in
    from engines.cache.calibration_set import marker, own_folder

    if find_spec("torch") is None:
        typer.echo("the FP32 reference is OpenVINO, because PyTorch is not installed", err=True)
    say("creating the built-in calibration set")
    built_in()
    if marker(own_folder()) is None and any(own_folder().glob("*.png")):
        typer.echo(f"the set in {own_folder()} is incomplete and not used: collect again, or delete it", err=True)


def _verdict_line(check: EngineCheck) -> str:
    verdict = check.verdict
    assert verdict is not None
    name = "{} {}x{}".format(check.style.name, *check.style.size_wh)
    line = f"{name:20} {check.backend.name:14} {'passed' if verdict.passed else f'FAILED: {verdict.reason}'}"
    scores = verdict.cases.get("all")
    if scores is None:
        return line
    case, worst = max((item for item in verdict.cases.items() if item[0] != "all"), key=lambda item: item[1].mean_de)
    line += (
        f"; dE {scores.mean_de:.2f} (max {worst.mean_de:.2f}, {case}), PSNR {scores.psnr_db:.1f} dB, "
        f"SSIM {scores.ssim:.3f}, error mean {scores.mean_error:.2f} and max {scores.max_error:.1f} of 255, "
        f"non-finite {verdict.non_finite}"
    )
    if verdict.batch is not None and verdict.batch.scores is not None:
        line += f", {verdict.batch.size} faces per call dE {verdict.batch.scores.mean_de:.2f}"
    return line if verdict.flicker is None else f"{line}, flicker {verdict.flicker:.2f} times that of FP32"


def _report_text(report: AutotuneReport) -> str:
    """Format the report: for each engine the selected backend, followed by the rejected ones."""
    lines = []
    for name in dict.fromkeys(row.engine for row in report.engines):
        rows = [row for row in report.engines if row.engine == name]
        lines += [] if name else ["all engines"]
        for row in rows:
            if row.time is not None and not row.rejected:
                lines.append(f"{name}: {_backend_text(row.backend, row.threads)}, {_time_text(row.time)}")
        for row in rows:
            if row.rejected:
                time = f"{_time_text(row.time)}, " if row.time else ""
                lines.append(f"    not {_backend_text(row.backend, row.threads)}: {time}{row.rejected}")
    lines.append(f"looks on 1280x720 with one face; budget {report.budget_ms:.1f} ms per frame at {report.fps:g} fps")
    for timing in report.looks:
        result = f"{'holds' if timing.holds else 'does not hold'}{', chosen' if timing.chosen else ''}"
        lines.append(f"    {timing.look} at {timing.sizes}: {_time_text(timing.time)}, {result}")
    return "\n".join([*lines, f"written to {report.file}"])


def _backend_text(backend: str, threads: int) -> str:
    return f"{backend}, {threads} thread{'s' if threads > 1 else ''}" if threads else backend


def _time_text(time: CallTime) -> str:
    return f"{time.median_ms:.2f} ms (p95 {time.p95_ms:.2f})"
