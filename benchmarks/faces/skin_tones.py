"""Colour of drawn skin by skin tone: `python -m benchmarks.faces.skin_tones FOLDER... --look toon --sheet FILE.png`.

The mean colour of cheeks and forehead is compared between the photo and the drawing. The tone is the individual
typology angle of the photo's skin (Chardon, Cretois and Hourseau 1991), in the usual six groups. A look is fair if each
group keeps its colour, and no group becomes lighter or darker than the others.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common.arguments import Parser, run_main
from benchmarks.common.machine_info import report
from calibration.evaluation.image_metrics import lab, mean_ciede2000
from calibration.sets.region_collector import photos_in
from engines.errors import OptionsError
from engines.looks import find_look
from engines.looks_file import load_looks
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import ImageU8
from live.render.look_loader import LookLoader
from live.render.look_tile import find_faces
from live.render.painter import Painter
from live.tracking.person_segmenter import PersonSegmenter

_SKIN = ((50, 101, 205), (280, 330, 425), (9, 67, 297))  # triangles of landmarks: cheeks, forehead
_GROUPS = ((55.0, "very light"), (41.0, "light"), (28.0, "intermediate"), (10.0, "tan"), (-30.0, "brown"))
_SHOWN_PX, _COLUMNS = 360, 10  # of the contact sheet


def tone(skin_lab: NDArray[np.float64]) -> str:
    """Return the group of a skin colour, CIE Lab."""
    angle = math.degrees(math.atan2(skin_lab[0] - 50, skin_lab[2]))
    return next((name for limit, name in _GROUPS if angle > limit), "dark")


def mean_skin(picture_bgr: ImageU8, landmarks_xy: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the mean colour of the skin, (1, 1, 3) uint8 RGB."""
    mask = np.zeros(picture_bgr.shape[:2], np.uint8)
    for triangle in _SKIN:
        cv2.fillPoly(mask, [np.rint(landmarks_xy[list(triangle)]).astype(np.int32)], (255,))
    mean = cv2.mean(picture_bgr, mask)[2::-1]
    return np.asarray(np.rint(mean), np.uint8).reshape(1, 1, 3)


def measure(photos: list[Path], look_name: str) -> tuple[dict[str, list[tuple[float, float]]], list[ImageU8]]:
    """Draw photos. Returns differences (CIEDE2000, change of L*) by tone, and pairs of tiles. Raises VeneerError."""
    looks = load_looks()
    loader = LookLoader({look_name: find_look(looks, look_name)}, runtime="auto", say=print)
    found, tiles = defaultdict(list), []
    with closing(loader), PersonSegmenter(still=True) as segmenter:
        look = loader.load(look_name)
        for photo in photos:
            bgr = read_picture(photo)
            for face in find_faces(bgr)[:1]:
                drawn = bgr.copy()
                Painter().paint(drawn, (face,), look, 1.0, at_s=0.0, person=segmenter.mask(bgr))
                before, after = (mean_skin(one, face.landmarks_xy) for one in (bgr, drawn))
                skin = lab(before)
                change = float(lab(after)[0, 0, 0] - skin[0, 0, 0])
                found[tone(skin[0, 0])].append((mean_ciede2000(skin, after), change))
                tiles += [_tile(bgr), _tile(drawn)]
    return found, tiles


def _tile(bgr: ImageU8) -> ImageU8:
    side = min(bgr.shape[:2])
    left = (bgr.shape[1] - side) // 2
    square = bgr[:side, left : left + side]
    return np.asarray(cv2.resize(square, (_SHOWN_PX, _SHOWN_PX), interpolation=cv2.INTER_AREA), np.uint8)


def main() -> None:
    """Measure, print a table and write JSON and a contact sheet."""
    parser = Parser("skin_tones", __doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="folders with portraits")
    parser.add_look("toon")
    parser.add_file("--json")
    parser.add_file("--sheet", "photos and drawings")
    options = parser.parse()
    found, tiles = measure(photos_in(options.folders), options.look)
    if not tiles:
        raise OptionsError(str(options.folders[0]), "no face was found", "name a folder of portraits")
    overall = float(np.mean([change for values in found.values() for _, change in values]))
    rows: list[list[Any]] = []
    for name in [name for _, name in _GROUPS] + ["dark"]:
        if name in found:
            difference, change = np.mean(found[name], axis=0)
            rows.append([name, len(found[name]), round(difference, 1), round(change, 1), round(change - overall, 1)])
    report(["skin", "faces", "dE2000", "L* change", "against mean"], rows, options.json)
    if options.sheet:
        tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _COLUMNS)
        lines = [np.hstack(tiles[first : first + _COLUMNS]) for first in range(0, len(tiles), _COLUMNS)]
        write_picture(options.sheet, np.vstack(lines))


if __name__ == "__main__":
    sys.exit(run_main("skin_tones", main))
