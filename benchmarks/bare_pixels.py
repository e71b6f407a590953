"""Persons that a covering look leaves photographic: `python -m benchmarks.bare_pixels [--clips DIR] [--faces DIR]`.

Two kinds of material: scenes composed from portraits, whose person masks are known (as pictures), and films, on which a
slower and independent detector finds the persons (as in the live program). Printed per kind of scene and
per film: the part of the persons' pixels that is neither drawn nor blurred, the worst scene or frame, the side of the
largest bare square in pixels at 720 lines, the part of the room that is drawn, and the frames that show the fallback.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common.arguments import Parser, number, run_main
from benchmarks.common.machine_info import report
from benchmarks.person_scenes.coverage import Coverage, score
from benchmarks.person_scenes.reference_persons import ReferencePersons
from benchmarks.person_scenes.scenes import Cutout, compose, cut_out
from engines.looks import Look, find_look
from engines.looks_file import load_looks
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Frame
from live.portrait import portrait_bgr
from live.sources.video_source import film_frames

_MAX_PORTRAITS = 60
_FPS = 30.0
_COLUMNS = ["what", "frames", "bare %", "worst %", "largest px", "room %", "fallback"]


def cutouts(folder: Path | None) -> list[Cutout]:
    """Return persons from the portraits below a folder, or the built-in portrait alone."""
    if folder is None:
        pictures = [portrait_bgr()]
    else:
        paths = sorted(path for path in folder.rglob("*.jpg"))
        pictures = [read_picture(path) for path in paths[:: max(1, len(paths) // _MAX_PORTRAITS)][:_MAX_PORTRAITS]]
    return [cutout for cutout in map(cut_out, pictures) if cutout is not None]


def scene_rows(look: Look, seeds: Sequence[int], people: Sequence[Cutout]) -> list[list[Any]]:
    """Measure composed scenes as pictures; one row per kind."""
    scores, coverage = defaultdict(list), Coverage(look, still=True)
    for seed in seeds:
        scene = compose(seed, people)
        drawn, fallback = coverage.drawn(Frame(scene.bgr, seed, float(seed)))
        scores[scene.kind].append(score(drawn, scene.persons) | {"fallback": fallback})
    coverage.close()
    return [_row(f"{look.name}: {kind}", found) for kind, found in scores.items()]


def film_row(look: Look, path: Path, reference: ReferencePersons, every: int) -> list[Any]:
    """Measure a film in the live mode; every so many frames are compared with the reference."""
    coverage, scores = Coverage(look), []
    for index, frame in enumerate(film_frames(path)):
        drawn, fallback = coverage.drawn(Frame(frame.bgr, index, index / _FPS))
        if index % every == every - 1:
            scores.append(score(drawn, reference.mask(frame.bgr)) | {"fallback": fallback})
    coverage.close()
    return _row(f"{look.name}: {path.name}", scores)


def _row(what: str, scores: list[dict[str, Any]]) -> list[Any]:
    bare, room = ([found[key] * 100 for found in scores] for key in ("bare", "room"))
    largest = max((found["patch_px"] for found in scores), default=0.0)
    fallback = sum(found["fallback"] for found in scores)
    mean, worst, drawn_room = (float(value) if scores else 0.0 for value in (np.mean(bare), max(bare), np.mean(room)))
    return [what, len(scores), mean, worst, largest, drawn_room, fallback]


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = Parser("bare_pixels", __doc__)
    parser.add_argument("--look", nargs="+", default=["toon", "sketch"], help="looks that hide the face")
    parser.add_argument("--scenes", type=number(0, 100_000, int), default=200, help="number of composed scenes")
    parser.add_argument("--faces", type=Path, help="folder of portraits for the scenes (default: the built-in one)")
    parser.add_argument("--clips", type=Path, help="folder of films")
    parser.add_argument("--every", type=number(1, 10_000, int), default=10, help="films: compare every so many frames")
    parser.add_file("--json")
    options = parser.parse()
    cv2.setNumThreads(1)
    looks = [find_look(load_looks(), name) for name in options.look]
    people = cutouts(options.faces) if options.scenes else []
    films = (
        sorted(path for path in options.clips.rglob("*") if path.suffix in (".mkv", ".mp4")) if options.clips else []
    )
    reference, rows = ReferencePersons(), []
    for look in looks:
        rows += scene_rows(look, range(options.scenes), people)
        rows += [film_row(look, path, reference, options.every) for path in films]
    reference.close()
    report(_COLUMNS, rows, options.json)


if __name__ == "__main__":
    sys.exit(run_main("bare_pixels", main))
