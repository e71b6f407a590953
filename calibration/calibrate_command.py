"""`veneer calibrate`: engines held against FP32, the set they are held against, and what this machine does best."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from calibration.autotune.autotune import MachineReport
    from calibration.engine_checks.verdicts import Judged

_STYLES = "STYLE..."
_FAILED = 2
_PASS_ON = ("-h", "--help")


class _StyleGroup(TyperGroup):
    """`veneer calibrate [NAME]...` is the command STYLE..., unless the first NAME is a command itself."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in _PASS_ON):
            args = [_STYLES, *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest


calibrate = typer.Typer(cls=_StyleGroup, help="Hold engines against FP32, and find out what this machine does best.")


@calibrate.callback()
def _group() -> None:
    """Hold engines against FP32, and find out what this machine does best.

    `veneer calibrate` and the names of styles judge their engines; without a name those of all styles.
    """


@calibrate.command(_STYLES)
def styles(
    style: Annotated[list[str] | None, typer.Argument(metavar="[STYLE]...", show_default="all styles")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every case's scores as JSON.")] = False,
) -> None:
    """Judge each engine of the styles against FP32, and build those in INT8.

    Limits on every case of the calibration set: mean dE 0.5 and PSNR 40 dB in half precision, 1.0 and 34 dB in INT8.
    """
    from functools import cache, partial

    from calibration.engine_checks.verdicts import judge_style, offered, reference_of
    from engines.runtime.openvino.int8_graph import INSTALL, nncf_installed
    from engines.status_line import status_line

    wanted = offered(style or ())
    found: list[Judged] = []
    with status_line() as say:
        _sets_ready(say)
        for one in wanted:
            for judged in judge_style(one, cache(partial(reference_of, one)), say=say):
                found.append(judged)
                if not as_json and judged.judgement is not None:
                    typer.echo(_judged_line(judged))
    if as_json:
        typer.echo(json.dumps([judged.as_dict() for judged in found], indent=2))
        return
    refused = dict.fromkeys(f"{judged.way.name}: {judged.refused}" for judged in found if judged.judgement is None)
    for line in refused:
        typer.echo(f"not here: {line}")
    if not nncf_installed():
        typer.echo(f"INT8, about 1.4 times as fast as BF16, wants NNCF: {INSTALL}")


@calibrate.command()
def collect(
    folder: Annotated[list[str], typer.Argument(metavar="FOLDER...", help="Photos and clips; those below as well.")],
    most: Annotated[int, typer.Option(min=1, help="At most so many photos and clips, drawn by the seed.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Which ones are drawn.")] = 0,
) -> None:
    """Add faces to the calibration set: regions of photos and clips, and of dark, noisy, turned and coarse ones.

    They stay on this machine, in a folder that is named; delete it to forget them.
    """
    from calibration.sets.set_builder import own_set
    from engines.calibration_set import own_folder
    from engines.errors import OptionsError
    from engines.status_line import status_line

    if not all(name.strip() for name in folder):  # a variable of the shell that is not set: it would be this folder
        raise OptionsError("photos in ''", "that is no folder's name", "name a folder of photos or clips")
    places = [Path(name) for name in folder]
    with status_line() as say:
        taken = 0

        def on_source() -> None:
            nonlocal taken
            taken += 1
            say(f"{taken} photos and clips")

        done = own_set(places, most=most, seed=seed, on_source=on_source)
    for name in done.unreadable:
        typer.echo(f"not readable: {name}", err=True)
    for name in done.faceless:
        typer.echo(f"no face: {name}", err=True)
    if done.left_out:
        typer.echo(f"{done.left_out} more were left out: --most takes more of them", err=True)
    typer.echo(f"{done.sources} photos and clips taken; {done.regions} regions in {own_folder()}")
    typer.echo("engines in INT8 are made from the set: run veneer calibrate")


@calibrate.command()
def machine(
    look: Annotated[list[str] | None, typer.Argument(metavar="[LOOK]...", show_default="all looks")] = None,
    fps: Annotated[float, typer.Option(min=1, max=240, help="Frames a second to keep up with.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
) -> None:
    """Time what this machine can do, and choose runtime, precision, threads and region size for each look.

    Beside a running tracker, as live. `veneer run` uses what is chosen; what was turned down is shown with its numbers.
    """
    from calibration.autotune.autotune import MachineTimer, has_network
    from engines.cpu_contention import crowded
    from engines.errors import EngineError, OptionsError
    from engines.looks import find_look, load_looks
    from engines.status_line import status_line

    looks = load_looks()
    wanted = [find_look(looks, name) for name in look] if look else list(looks.values())
    timed = [one.name for one in looks.values() if has_network(one)]
    if not any(has_network(one) for one in wanted):
        asked = f"calibrate machine {' '.join(one.name for one in wanted)}"
        raise OptionsError(asked, "there is nothing to time", f"name a look with a network in it: {', '.join(timed)}")
    if busy := crowded():
        typer.echo(busy, err=True)
    with status_line() as say:
        _sets_ready(say)
        try:
            report = MachineTimer(fps=fps, say=say).measure(wanted)
        except KeyboardInterrupt:
            typer.echo("the looks that were done are kept and used, the others are as they were before", err=True)
            raise
        except OSError as error:
            raise EngineError("machine's choice", error.strerror or str(error), "make room in the cache") from error
    typer.echo(json.dumps(report.as_dict(), indent=2) if as_json else _machine_text(report))
    if any(row.chosen and not row.holds for row in report.looks):
        raise typer.Exit(_FAILED)


def _sets_ready(say: Callable[[str], None]) -> None:
    from calibration.sets.set_builder import built_in
    from engines.calibration_set import marker, own_folder

    say("making the built-in calibration set")
    built_in()
    if marker(own_folder()) is None and any(own_folder().glob("*.png")):
        typer.echo(f"the set in {own_folder()} was not finished and is not used: collect again, or delete it", err=True)


def _judged_line(judged: Judged) -> str:
    """One engine's verdict with its numbers."""
    assert judged.judgement is not None
    said = "passed" if judged.judgement.passed else f"FAILED: {judged.judgement.because}"
    name = "{} {}x{}".format(judged.style.name, *judged.style.size_wh)
    line = f"{name:20} {judged.way.name:14} {said}"
    scores = judged.judgement.cases.get("all")
    if scores is None:
        return line
    hardest = max((one for one in judged.judgement.cases.items() if one[0] != "all"), key=lambda one: one[1].mean_de)
    line += f"; dE {scores.mean_de:.2f} (most {hardest[1].mean_de:.2f}, {hardest[0]}), PSNR {scores.psnr_db:.1f} dB, "
    line += f"SSIM {scores.ssim:.3f}, error {scores.mean_error:.2f} and at most {scores.max_error:.1f} of 255, "
    line += f"non-finite {judged.judgement.non_finite}"
    several = judged.judgement.several
    if several is not None and several.scores is not None:
        line += f", {several.at_once} faces at once dE {several.scores.mean_de:.2f}"
    flicker = judged.judgement.flicker
    return line if flicker is None else f"{line}, flicker {flicker:.2f} times FP32's"


def _machine_text(report: MachineReport) -> str:
    """What was chosen, and below it what was turned down."""
    lines = []
    for name in dict.fromkeys(row.engine for row in report.rows):
        rows = [row for row in report.rows if row.engine == name]
        lines += [] if name else ["all of them"]
        chosen = [row for row in rows if not row.turned_down]
        lines += [f"{name}: {_way_text(row.way, row.threads)}, {_time_text(row.time)}" for row in chosen]
        for row in rows:
            if row.turned_down:
                time = f"{_time_text(row.time)}, " if row.time else ""
                lines.append(f"    not {_way_text(row.way, row.threads)}: {time}{row.turned_down}")
    lines.append(
        f"looks, painted on 1280x720, one face; {report.budget_ms:.1f} ms a frame are there at {report.fps:g} fps"
    )
    for one in report.looks:
        holds = "holds" if one.holds else "does not hold"
        lines.append(
            f"    {one.look} at {one.sizes}: {_time_text(one.time)}, {holds}{', chosen' if one.chosen else ''}"
        )
    lines.append(f"written to {report.file}")
    return "\n".join(lines)


def _way_text(way: str, threads: int) -> str:
    return f"{way}, {threads} thread{'s' if threads > 1 else ''}" if threads else way


def _time_text(time: Any) -> str:
    return f"{time.median_ms:.2f} ms (p95 {time.p95_ms:.2f})"
