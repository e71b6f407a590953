"""`veneer evaluate`: scores of a style against its teacher, or on pairs of images."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from engines.styles import Style

_USAGE = "give --teacher NAME --faces DIR, or --before DIR --after DIR, or --likeness XML --faces DIR --gallery DIR"


def evaluate(
    style: Annotated[str, typer.Argument(metavar="STYLE", help="toon, lips-glaze or a style of your own.")],
    teacher: Annotated[
        str | None, typer.Option(metavar="NAME", help="Teacher of the style: cel, sketch or retouch.")
    ] = None,
    faces: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Photos of faces not used for training; repeatable.")
    ] = None,
    clip: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Video for flicker, its first 300 frames; repeatable.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option(metavar="PNG", help="Write a contact sheet to this file.")] = None,
    runtime: Annotated[
        str | None, typer.Option(help="auto, openvino, or torch: the FP32 reference.", show_default="torch")
    ] = None,
    before: Annotated[Path | None, typer.Option(metavar="DIR", help="Input pictures.")] = None,
    after: Annotated[Path | None, typer.Option(metavar="DIR", help="Target pictures with the same names.")] = None,
    likeness: Annotated[
        Path | None, typer.Option(metavar="XML", help="OpenVINO graph of a face recognition network.")
    ] = None,
    gallery: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Photos among which drawn persons are looked up.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores of every picture as JSON.")] = False,
) -> None:
    """Score a style: against its teacher on faces (--teacher, --faces), or on pairs of pictures (--before, --after).

    Scores against a teacher: PSNR, SSIM, lines, landmark drift, flicker, and pixels changed outside the mask. With
    --likeness, STYLE is a look: the faces are drawn, and each person is looked up among the gallery's photos, whose
    files begin with the same name up to an underscore.
    """
    teacher_options = {"--teacher": teacher, "--faces": faces, "--clip": clip, "--sheet": sheet, "--runtime": runtime}
    pair_options = {"--before": before, "--after": after}
    from engines.errors import OptionsError

    beside = [name for name, value in {**teacher_options, **pair_options}.items() if value and name != "--faces"]
    if likeness is not None and beside:
        raise OptionsError(f"--likeness and {beside[0]}", "they are of two evaluations", _USAGE)
    if gallery and likeness is None:
        raise OptionsError("--gallery", "it is for --likeness", _USAGE)
    if likeness is not None:
        _evaluate_likeness(style, likeness, faces or [], gallery or [], as_json=as_json)
        return
    from engines.option_fields import check_alternatives
    from engines.style_lookup import load_style

    given = [[name for name, value in group.items() if value] for group in (teacher_options, pair_options)]
    check_alternatives(f"evaluate {style}", given, (("--teacher", "--faces"), ("--before", "--after")), _USAGE)

    loaded = load_style(style)
    if before is not None and after is not None:
        _evaluate_pairs(loaded, before, after, as_json=as_json)
    else:
        _evaluate_teacher(loaded, teacher or "", faces or [], clip or [], sheet, runtime or "torch", as_json)


def _evaluate_likeness(look: str, model: Path, faces: list[Path], gallery: list[Path], *, as_json: bool) -> None:
    from calibration.evaluation.likeness import likeness_report, likeness_summary
    from calibration.sets.region_collector import photos_in
    from engines.errors import OptionsError
    from engines.looks import find_look
    from engines.looks_file import load_looks
    from engines.training.reporting.progress_bar import counting_bar, stderr_console

    found = find_look(load_looks(), look)
    if not faces or not gallery:
        raise OptionsError(f"evaluate {look}", "--likeness without --faces and --gallery", _USAGE)
    photos, known = photos_in(faces), photos_in(gallery)
    with counting_bar(stderr_console(), "drawing", "photos") as advance:
        total = len(photos) + len(known)
        report = likeness_report(found, photos, known, model, lambda: advance(total))
    _print(report, likeness_summary(report), as_json=as_json)


def _evaluate_pairs(style: Style, before: Path, after: Path, *, as_json: bool) -> None:
    from calibration.evaluation.pairs_report import pairs_report, pairs_summary
    from engines.training.data.picture_pairs import complete_pairs
    from engines.training.reporting.progress_bar import progress_bars, stderr_console

    pairs = complete_pairs(before, after)
    with progress_bars(stderr_console()) as progress:
        report = pairs_report(style, progress.track(pairs, description="evaluating", total=len(pairs)))
    _print(report, pairs_summary(report), as_json=as_json)


def _evaluate_teacher(
    style: Style,
    teacher_name: str,
    faces: list[Path],
    clips: list[Path],
    sheet: Path | None,
    runtime: str,
    as_json: bool,
) -> None:
    from contextlib import closing
    from tempfile import TemporaryDirectory

    from calibration.evaluation.contact_sheet import write_contact_sheet
    from calibration.evaluation.student import Student
    from calibration.evaluation.teacher_report import summary, teacher_report
    from calibration.evaluation.teacher_scores import Triple, check_style, make_triple
    from calibration.sets.region_collector import photos_in
    from engines.files import check_writable
    from engines.training.data.aligned import load_region
    from engines.training.reporting.progress_bar import progress_bars, stderr_console
    from engines.training.teachers import load_teacher
    from live.picture_files.picture_writer import picture_format

    teacher = load_teacher(teacher_name)
    check_style(style)
    if sheet is not None:
        picture_format(sheet, f"--sheet {sheet}")
        check_writable("--sheet", sheet)
    photos = photos_in(faces)
    with closing(Student(style, runtime=runtime)) as student, TemporaryDirectory(prefix="veneer-") as temporary:
        folder = Path(temporary)
        with progress_bars(stderr_console()) as progress:

            def start_task(name: str, steps: int) -> Any:
                return partial(progress.advance, progress.add_task(name, total=steps or None))

            report: dict[str, Any] = {"teacher": teacher_name}
            report |= teacher_report(student, teacher, photos, clips, folder, start_task)
        _print(report, summary(report), as_json=as_json)
        if sheet is not None:  # after the scores, so that a full disk does not lose them

            def load_triple(name: str) -> Triple:
                return make_triple(load_region(folder, name), teacher, student)

            write_contact_sheet(sheet, style.name, teacher_name, report["pictures"], load_triple)
            typer.echo(f"contact sheet: {sheet}", err=True)


def _print(report: dict[str, Any], text: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else text)
