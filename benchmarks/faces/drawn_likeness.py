"""Likeness of a drawn style and of its teacher: `python -m benchmarks.faces.drawn_likeness`.

Both draw the same heads without lenses, and each person is looked up among the photos of a gallery; see
`calibration.evaluation.likeness`. `veneer evaluate LOOK --likeness` measures a whole look.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common.arguments import Parser, run_main
from benchmarks.common.machine_info import report, three_digits
from calibration.evaluation.likeness import (
    Embedding,
    check_persons,
    embedding,
    likeness,
    open_network,
    person_of,
)
from calibration.evaluation.student import Student
from calibration.evaluation.teacher_scores import check_style, make_triple
from calibration.sets.region_collector import collect, photos_in
from engines.errors import OptionsError
from engines.style_lookup import load_style
from engines.training.data.aligned import load_region, region_names
from engines.training.teachers import PLANE_TEACHERS, load_teacher
from live.pipeline.frame import Face

if TYPE_CHECKING:
    from engines.training.teachers import Teacher

Found = dict[str, list[tuple[str, Embedding]]]
"""Person and embedding of each picture, by "photo", "teacher" and "network"."""


def embedded(folder: Path, teacher: Teacher, student: Student, network: Any) -> Found:
    """Draw aligned heads with teacher and network, and return the embeddings of photos and drawings."""
    found: Found = {"photo": [], "teacher": [], "network": []}
    for name in region_names(folder):
        region = load_region(folder, name)
        triple = make_triple(region, teacher, student)
        shown = {"photo": triple.input_rgb, "teacher": triple.teacher_rgb, "network": triple.student_rgb}
        for kind, rgb in shown.items():
            xy = region.landmarks_xy * np.float32(rgb.shape[0] / region.rgb.shape[0])
            found[kind].append((person_of(Path(name)), embedding(network, rgb[:, :, ::-1], Face(0, xy))))
    return found


def gallery_of(folder: Path, network: Any) -> list[tuple[str, Embedding]]:
    """Return person and embedding of each aligned head."""
    regions = [load_region(folder, name) for name in region_names(folder)]
    faces = [(region, Face(0, region.landmarks_xy)) for region in regions]
    return [(person_of(Path(one.name)), embedding(network, one.rgb[:, :, ::-1], face)) for one, face in faces]


def _heads(option: str, photos: list[Path], folder: Path) -> Path:
    """Align the heads of photos in a new folder, and return it."""
    folder.mkdir()
    if not collect(photos, folder).regions:
        raise OptionsError(option, "no face was found", "name a folder of portraits")
    return folder


def main() -> None:
    """Print the share of the persons that are found, and the cosines; see the module docstring."""
    parser = Parser("drawn_likeness", __doc__)
    parser.add_argument("--style", default="toon", help="style that draws heads (default: toon)")
    parser.add_argument("--teacher", default="cel", help="its teacher (default: cel)")
    parser.add_argument("--network", type=Path, required=True, metavar="XML", help="face recognition network")
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos to draw, PERSON_anything")
    parser.add_argument("--gallery", type=Path, required=True, metavar="DIR", help="photos of the same persons")
    parser.add_file("--json")
    options = parser.parse()
    style, teacher = load_style(options.style), load_teacher(options.teacher)
    check_style(style)
    if style.region != "head" or (style.output == "planes") != (options.teacher in PLANE_TEACHERS):
        got = f"the style's region is {style.region}, its output {style.output}"
        do = "name a style of heads and its own teacher"
        raise OptionsError(f"--style {options.style} --teacher {options.teacher}", got, do)
    photos, known = photos_in([options.photos]), photos_in([options.gallery])
    check_persons(photos, known)
    network = open_network(options.network, "--network")
    with TemporaryDirectory() as temporary, closing(Student(style)) as student:
        gallery = gallery_of(_heads("--gallery", known, Path(temporary, "gallery")), network)
        found = embedded(_heads("--photos", photos, Path(temporary, "photos")), teacher, student, network)
    persons, of_gallery = zip(*gallery, strict=True)
    scores = {
        kind: likeness([one for _, one in rows], [name for name, _ in rows], of_gallery, persons)
        for kind, rows in found.items()
    }
    table = [
        [kind, *(three_digits(value) for value in (100 * one.rank1, one.own, one.others))]
        for kind, one in scores.items()
    ]
    report(["picture", "found_first_percent", "cosine_own", "cosine_others"], table, options.json)


if __name__ == "__main__":
    sys.exit(run_main("drawn_likeness", main))
