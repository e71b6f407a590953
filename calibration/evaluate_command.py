"""`veneer evaluate`: a style held against its teacher, or against the pictures it should have made."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from calibration.evaluation.teacher_scores import Triple
    from engines.styles import Style


def evaluate(
    style: Annotated[str, typer.Argument(metavar="STYLE", help="toon, lips-glaze or a style of your own.")],
    teacher: Annotated[
        str | None, typer.Option(metavar="NAME", help="The teacher it learned from: toon, sketch or retouch.")
    ] = None,
    faces: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Photos of faces it never saw; may be given several times.")
    ] = None,
    clip: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A video of a face, for flicker: its first 300 frames; also several."),
    ] = None,
    sheet: Annotated[Path | None, typer.Option(metavar="PNG", help="Write a contact sheet to this picture.")] = None,
    runtime: Annotated[
        str | None, typer.Option(help="auto, openvino, or torch: the FP32 reference.", show_default="torch")
    ] = None,
    before: Annotated[Path | None, typer.Option(metavar="DIR", help="Pictures the style is applied to.")] = None,
    after: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The same-named pictures it should make of them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every picture's scores as JSON.")] = False,
) -> None:
    """Score a style: against its teacher on faces (--teacher, --faces), or on pairs of pictures (--before, --after).

    Against a teacher: PSNR, SSIM, lines, landmark drift, flicker, and change outside the mask.
    """
    by_teacher = {"--teacher": teacher, "--faces": faces, "--clip": clip, "--sheet": sheet, "--runtime": runtime}
    by_pairs = {"--before": before, "--after": after}
    _check(style, *({name for name, value in options.items() if value} for options in (by_teacher, by_pairs)))
    from engines.styles import load_style

    chosen = load_style(style)
    if before is not None and after is not None:
        _against_pairs(chosen, before, after, as_json=as_json)
    else:
        _against_teacher(chosen, teacher or "", faces or [], clip or [], sheet, runtime or "torch", as_json=as_json)


def _check(style: str, of_teacher: set[str], of_pairs: set[str]) -> None:
    """Whether the options say one thing, and say it whole."""
    from engines.errors import OptionsError

    asked, ways = f"evaluate {style}", "give --teacher NAME --faces DIR, or --before DIR --after DIR"
    if of_teacher and of_pairs:
        got = f"{min(of_pairs)} beside {', '.join(sorted(of_teacher))}"
        raise OptionsError(asked, got, "a teacher makes its own pictures: " + ways)
    needed = {"--before", "--after"} if of_pairs else {"--teacher", "--faces"}
    missing = sorted(needed - of_teacher - of_pairs)
    if missing:
        given = sorted(of_teacher | of_pairs)
        got = f"{', '.join(given)} without {' and '.join(missing)}" if given else "nothing to hold it against"
        raise OptionsError(asked, got, ways)


def _against_pairs(style: Style, before: Path, after: Path, *, as_json: bool) -> None:
    from calibration.evaluation.pairs_report import pairs_report, pairs_summary
    from engines.training.data.picture_pairs import complete_pairs

    pairs = complete_pairs(before, after)
    with _progress() as progress:
        report = pairs_report(style, progress.track(pairs, description="evaluating", total=len(pairs)))
    _say(report, pairs_summary(report), as_json=as_json)


def _against_teacher(
    style: Style, teacher_name: str, faces: list[Path], clips: list[Path], sheet: Path | None, runtime: str,
    *, as_json: bool,
) -> None:  # fmt: skip
    from tempfile import TemporaryDirectory

    from calibration.evaluation.contact_sheet import check_sheet, write_contact_sheet
    from calibration.evaluation.student import Student
    from calibration.evaluation.teacher_report import summary, teacher_report
    from calibration.evaluation.teacher_scores import check_style, triple
    from calibration.sets.region_collector import photos_in
    from engines.training.data.aligned import load_region
    from engines.training.teachers import load_teacher

    teacher = load_teacher(teacher_name)
    check_style(style)
    if sheet is not None:
        check_sheet(sheet)
    photos = photos_in(faces)
    student = Student(style, runtime=runtime)
    try:
        with TemporaryDirectory(prefix="veneer-") as kept:
            folder = Path(kept)
            with _progress() as progress:
                report = teacher_report(student, teacher, photos, clips, folder, partial(_step, progress))
            report = {"teacher": teacher_name, **report}
            _say(report, summary(report), as_json=as_json)
            if sheet is not None:  # after the numbers: a full disk does not lose them

                def pictures(name: str) -> Triple:
                    return triple(load_region(folder, name), teacher, student)

                write_contact_sheet(sheet, style.name, teacher_name, report["pictures"], pictures)
                typer.echo(f"contact sheet: {sheet}", err=True)
    finally:
        student.close()


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _step(progress: Progress, what: str, times: int) -> Callable[[], None]:
    """A new line of the progress bar; `times` is 0 where nobody knows."""
    return partial(progress.advance, progress.add_task(what, total=times or None))


def _say(report: dict[str, Any], words: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else words)
