"""Two forms of a drawn look: `python -m benchmarks.faces.drawing_forms`.

Form "whole": a network draws everything, with eyes and mouth. Form "planes": a network returns planes, and the program
draws tones, lines, eyes and mouth from them and the landmarks (`engines.drawing`). Both learn from the teacher `cel`.

    --work train-STYLE --pairs OUT
        writes the photos and finished drawings of a training with `--teacher cel`, for
        veneer train NAME --before OUT/before --after OUT/after --region head --no-cut
    --photos PHOTOS --whole NAME --planes toon [--sheet FILE]
        compares both with the teacher's drawing at its own resolution, 512x512
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from benchmarks.common.arguments import Parser, run_main
from benchmarks.common.machine_info import report, three_digits
from calibration.evaluation.landmark_drift import DriftMeter
from calibration.evaluation.student import ImageU8, Student, crop_to_photo, resize_area, taught_planes_rgb
from calibration.evaluation.teacher_scores import similarity
from calibration.sets.region_collector import collect, photos_in
from engines.errors import OptionsError
from engines.regions.workspace import Workspace
from engines.style_lookup import load_style
from engines.training.data.aligned import AlignedRegion, load_region, region_names
from engines.training.teachers.cel import cel
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import picture_format, write_picture
from live.render.blending import mix

_PAIR_PX = 256
_FOLDER = "name the working folder of veneer train --teacher cel"
_SHOWN, _SHOWN_PX = 12, 320  # of the sheet


def write_pairs(work: Path, out: Path) -> int:
    """Write OUT/before/NAME.png and OUT/after/NAME.png for every head of a training; return their number.

    Raises OptionsError if the folder holds no planes of heads.
    """
    names = [path.stem for path in sorted((work / "pairs" / "after").glob("*.head.png"))]
    if not names:
        raise OptionsError(f"--work {work}", "no drawn heads there", _FOLDER)
    for number, name in enumerate(names):
        region = load_region(work / "regions", name)
        planes = read_picture(work / "pairs" / "after" / f"{name}.png")[:, :, ::-1]
        if planes.shape[0] != 2 * planes.shape[1]:
            raise OptionsError(f"--work {work}", f"{name} holds no planes", _FOLDER)
        for part, rgb in (("before", region.rgb), ("after", taught_planes_rgb(planes, region))):
            (out / part).mkdir(parents=True, exist_ok=True)
            write_picture(out / part / f"{name}.png", resize_area(rgb, (_PAIR_PX,) * 2)[:, :, ::-1].copy())
        if number % 100 == 99:
            print(f"{number + 1} of {len(names)} pairs")
    return len(names)


def enlarged_rgb(student: Student, region: AlignedRegion) -> ImageU8:
    """Return the picture of a style at the size of the region, (S, S, 3) uint8 RGB.

    Planes are drawn there; another picture is enlarged and laid over the photo through the same mask of the person.
    """
    picture_rgb = student.picture_rgb(region)
    if student.style.output == "planes":
        return picture_rgb
    shown_rgb, size_wh = region.rgb.copy(), (region.rgb.shape[1], region.rgb.shape[0])
    mix(shown_rgb, np.asarray(cv2.resize(picture_rgb, size_wh, interpolation=cv2.INTER_CUBIC), np.uint8),
        region.person, 1.0, Workspace())  # fmt: skip
    return shown_rgb


def compare(folder: Path, students: dict[str, Student]) -> tuple[dict[str, dict[str, float]], list[list[ImageU8]]]:
    """Return the mean scores of each form and of the photo, and rows of pictures: photo, teacher, forms.

    Landmark drift is the mean over the pictures of each form on which a face is found.

    Args:
        folder: Aligned heads.
        students: The styles by the name of their form.
    """
    scores: dict[str, dict[str, list[float]]] = {}
    rows = []
    with closing(DriftMeter()) as meter:
        for name in region_names(folder):
            region = load_region(folder, name)
            target_rgb = taught_planes_rgb(cel(region), region)
            shown = {"photo": region.rgb} | {form: enlarged_rgb(one, region) for form, one in students.items()}
            for form, picture_rgb in shown.items():
                drift = meter.measure(target_rgb, picture_rgb)
                found = similarity(crop_to_photo(picture_rgb, region), crop_to_photo(target_rgb, region))
                found["drift_percent"] = None if isinstance(drift, str) else drift.percent
                for key, value in found.items():
                    if value is not None:
                        scores.setdefault(form, {}).setdefault(key, []).append(value)
            row = region.rgb, target_rgb, *(shown[form] for form in students)
            rows.append([resize_area(one, (_SHOWN_PX,) * 2) for one in row])
    return {form: {key: fmean(values) for key, values in one.items()} for form, one in scores.items()}, rows


def _sheet(rows: list[list[ImageU8]]) -> ImageU8:
    chosen = [rows[i] for i in np.linspace(0, len(rows) - 1, min(_SHOWN, len(rows))).round().astype(int)]
    tiles = [np.hstack(row) for row in chosen]
    half = (len(tiles) + 1) // 2
    tiles += [np.zeros_like(tiles[0])] * (2 * half - len(tiles))
    return np.ascontiguousarray(np.hstack((np.vstack(tiles[:half]), np.vstack(tiles[half:])))[:, :, ::-1])


def _student(name: str, *, planes: bool) -> Student:
    style = load_style(name)
    if style.region != "head" or (style.output == "planes") != planes:
        got = f"its region is {style.region} and its output {style.output}"
        do = "name a style of heads that returns planes" if planes else "name a style of heads that returns a picture"
        raise OptionsError(f"style {name}", got, do)
    return Student(style)


def _compare(options: argparse.Namespace) -> None:
    """Compare the styles, and write table and sheet."""
    photos = photos_in([options.photos])
    if options.sheet:
        picture_format(options.sheet)
    with ExitStack() as stack:
        students = {"whole": stack.enter_context(closing(_student(options.whole, planes=False)))}
        students["planes"] = stack.enter_context(closing(_student(options.planes, planes=True)))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        collected = collect(photos, folder)
        if not collected.regions:
            raise OptionsError(f"--photos {options.photos}", "no face was found", "name a folder of portraits")
        found, rows = compare(folder, students)
    left_out = len(collected.faceless), len(collected.unreadable)
    print("{} heads; {} photos without a face, {} unreadable".format(collected.regions, *left_out))
    columns = ["form", *found["photo"]]
    table = [[form, *(three_digits(scores.get(key)) for key in columns[1:])] for form, scores in found.items()]
    report(columns, table, options.json)
    if options.sheet:
        write_picture(options.sheet, _sheet(rows))


def main() -> None:
    """Write the pairs, or compare the forms; see the module docstring."""
    parser = Parser("drawing_forms", __doc__)
    parser.add_argument("--work", type=Path, metavar="DIR", help="working folder of `veneer train --teacher cel`")
    parser.add_argument("--pairs", type=Path, metavar="DIR", help="folder of the pairs")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos that no training saw")
    parser.add_argument("--whole", metavar="STYLE", help="style whose network draws everything")
    parser.add_argument(
        "--planes", default="toon", metavar="STYLE", help="style whose network returns planes (default: toon)"
    )
    parser.add_file("--sheet", "a contact sheet")
    parser.add_file("--json")
    options = parser.parse()
    writes, compares = (options.work, options.pairs), (options.photos, options.whole)
    if all(writes) and not any(compares):
        print(f"{write_pairs(*writes)} pairs in {options.pairs}")
    elif all(compares) and not any(writes):
        _compare(options)
    else:
        parser.error("give either --work with --pairs, or --photos with --whole")


if __name__ == "__main__":
    sys.exit(run_main("drawing_forms", main))
