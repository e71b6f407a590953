"""Jumps of the mouth against the face: `python -m benchmarks.faces.mouth_jumps CLIP_OR_FOLDER...`.

A jump is a frame on which the mouth moves against the upper face faster than a mouth can, for example onto the chin.
Lipstick would show it. The landmarks are those that are painted: filtered, of all faces.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.arguments import Parser, run_main
from benchmarks.common.machine_info import report
from engines.errors import SourceError
from live.pipeline.frame import Face
from live.recording.media_files import VIDEO_SUFFIXES
from live.sources.video_source import film_frames
from live.tracking.base import FaceTracker
from live.tracking.face_landmarker import LandmarkerMesh
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.mesh_model import BundledMesh, MeshFactory
from live.tracking.mouth_slip import MAX_SPEED, mouth_jump

_TOLERANCE = 1.01  # of the highest speed, for rounding


@dataclass
class Steadiness:
    """What was found in one clip.

    Attributes:
        frames: Number of frames.
        faces: Number of faces, all frames together.
        jumps: Frames on which a mouth jumped.
        fastest: Highest speed of a mouth against its face, in face widths per second, and its frame.
    """

    frames: int = 0
    faces: int = 0
    jumps: tuple[int, ...] = ()
    fastest: tuple[float, int] = (0.0, 0)


def measure(clip: Path, tracker: FaceTracker) -> Steadiness:
    """Track the faces of a clip, and close the tracker. Raises VeneerError."""
    found = Steadiness()
    before: dict[int, Face] = {}
    before_s = 0.0
    for frame in film_frames(clip):
        faces = {face.face_id: face for face in tracker.track(frame)}
        for face_id in faces.keys() & before.keys():
            jump = mouth_jump(before[face_id].landmarks_xy, faces[face_id].landmarks_xy)
            speed = jump / max(frame.time_s - before_s, 1e-3)
            found.fastest = max(found.fastest, (round(speed, 2), frame.frame_id))
            if speed > _TOLERANCE * MAX_SPEED:
                found.jumps += (frame.frame_id,)
        found.frames, found.faces = found.frames + 1, found.faces + len(faces)
        before, before_s = faces, frame.time_s
    tracker.close()
    return found


def _clips(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        inside = sorted(one for one in path.rglob("*") if one.suffix.lower() in VIDEO_SUFFIXES)
        if path.is_dir() and not inside:
            raise SourceError(str(path), "no video in that folder", "name another one")
        yield from inside if path.is_dir() else [path]


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = Parser("mouth_jumps", __doc__)
    parser.add_argument("clips", nargs="+", type=Path, help="video files, or folders with such files")
    parser.add_argument("--max-faces", type=int, default=1, choices=range(1, 5))
    parser.add_argument("--face-model", type=Path, help="FaceLandmarker .task file, instead of the bundled face mesh")
    parser.add_file("--json")
    options = parser.parse()
    new_mesh: MeshFactory = BundledMesh
    if options.face_model:
        new_mesh = functools.partial(LandmarkerMesh, options.face_model)
    rows, totals = [], np.zeros(2, int)
    for clip in _clips(options.clips):
        found = measure(clip, FaceMeshTracker(max_faces=options.max_faces, new_mesh=new_mesh))
        totals += [found.faces, len(found.jumps)]
        at = ", ".join(map(str, found.jumps[:8]))
        rows.append([clip.name, found.frames, found.faces, len(found.jumps), at, *found.fastest])
    report(["clip", "frames", "faces", "jumps", "at frames", "fastest widths/s", "at frame"], rows, options.json)
    print(f"{totals[1]} jumps on {totals[0]} faces")


if __name__ == "__main__":
    sys.exit(run_main("mouth_jumps", main))
