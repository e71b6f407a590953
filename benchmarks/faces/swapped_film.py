"""A face swap on a film: `python -m benchmarks.faces.swapped_film --look LOOK --film FILE --to FOLDER --network NAME`.

Printed are the mean cosine of the swapped faces to the person of the film (source) and to that of the folder (target),
by an identity network that took no part in the training; the mean distance of the landmarks of eyes and mouth to those
of the film, in parts of the distance of the eyes, also without the mean move of each landmark, which is the other
person's shape of mouth and eyes rather than the expression; and the flicker of the middle of the face, in relation to
that of the film.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common.arguments import Parser, run_main, whole
from benchmarks.common.machine_info import report
from calibration.evaluation.flicker import moving_flicker
from calibration.sets.region_collector import media_in
from engines.errors import OptionsError
from engines.identity.network import IdentityNetwork, open_network
from engines.looks import find_look
from engines.looks_file import load_looks
from engines.regions.eyes import IRIS_CENTRES
from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import picture_region
from live.picture_files.picture_reader import PICTURE_SUFFIXES, read_picture
from live.pipeline.frame import Floats, Frame, ImageU8
from live.recording.media_files import VIDEO_SUFFIXES
from live.render.look_loader import LookLoader
from live.render.painter import Painter
from live.sources.video_source import film_frames
from live.tracking.face_mesh import FaceMeshTracker

_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_MOUTH = (61, 39, 0, 269, 291, 405, 17, 181, 78, 13, 308, 14)
_SIDE_PX, _MIDDLE = 256, slice(52, 204)  # of the region "face", of which the face fills two thirds
_MOST_OTHERS, _SHEET_PX, _COLUMNS = 40, 160, 10


@dataclass(frozen=True, slots=True, eq=False)
class Swapped:
    """One frame of the film before and after, with the landmarks of each; None where no face was found after it."""

    before_bgr: ImageU8
    after_bgr: ImageU8
    before_xy: Floats
    after_xy: Floats | None
    region: tuple[ImageU8, ImageU8]


def swapped_frames(look_name: str, film: Path, most: int, runtime: str) -> Iterator[Swapped]:
    """Yield the frames of a film that show a face, as live use paints them."""
    looks = load_looks()
    loader = LookLoader({look_name: find_look(looks, look_name)}, runtime=runtime, say=lambda line: print(line))
    with closing(loader), closing(FaceMeshTracker()) as tracker, closing(FaceMeshTracker()) as second:
        loaded, painter, steady = loader.load(look_name), Painter(), TemporalFilter()
        with closing(film_frames(film)) as frames:
            for frame in islice(frames, most):
                before_bgr, faces = frame.bgr.copy(), tracker.track(frame)
                if not faces:
                    continue
                painter.paint(frame.bgr, faces, loaded, 1.0, at_s=frame.time_s)
                after = second.track(frame)
                xy, size_wh = faces[0].landmarks_xy, (_SIDE_PX, _SIDE_PX)
                region = picture_region("face", xy, size_wh, frame.size_wh, temporal_filter=steady, at_s=frame.time_s)
                if region is not None:
                    crops = region.crop(before_bgr)[_MIDDLE, _MIDDLE], region.crop(frame.bgr)[_MIDDLE, _MIDDLE]
                    found_xy = after[0].landmarks_xy if after else None
                    yield Swapped(before_bgr, frame.bgr, xy, found_xy, crops)


def embeddings_of(place: Path, network: IdentityNetwork) -> Floats:
    """Return the mean embedding, of length 1, of up to 40 faces of a folder of pictures and films."""
    found = []
    for file in media_in([place], (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES), "--to", "pictures or films"):
        is_film = file.suffix.lower() in VIDEO_SUFFIXES
        frames = list(islice(film_frames(file), 0, 1200, 30)) if is_film else [Frame(read_picture(file), 0, 0.0)]
        with closing(FaceMeshTracker(still=True)) as tracker:
            for frame in frames[:_MOST_OTHERS]:
                found += [network.embed(frame.bgr, face.landmarks_xy) for face in tracker.track(frame)]
    if not found:
        raise OptionsError(f"--to {place}", "no face was found", "name the folder of the training")
    return _mean(found)


def measure(frames: list[Swapped], other: Floats, network: IdentityNetwork) -> dict[str, Any]:
    """Return the scores."""
    own = _mean([network.embed(one.before_bgr, one.before_xy) for one in frames[::10]])
    swapped = np.stack([network.embed(one.after_bgr, one.before_xy) for one in frames[::3]])
    bare = np.stack([network.embed(one.before_bgr, one.before_xy) for one in frames[5::10]])
    moved = [_moved(one) for one in frames if one.after_xy is not None]
    results = iter(frames)
    flicker = moving_flicker(
        (np.ascontiguousarray(one.region[0][:, :, ::-1]) for one in frames),
        lambda _: np.ascontiguousarray(next(results).region[1][:, :, ::-1]),
    )
    return {
        "frames": len(frames),
        "cosine_to_source": float((swapped @ own).mean()),
        "cosine_to_target": float((swapped @ other).mean()),
        "nearer_to_target": float((swapped @ other > swapped @ own).mean()),
        "bare_cosine_to_source": float((bare @ own).mean()),
        "bare_cosine_to_target": float((bare @ other).mean()),
        "found_after": len(moved) / len(frames),
        **({} if not moved else _distances(np.stack(moved))),
        "flicker": flicker.ratio,
    }


def _moved(one: Swapped) -> Floats:
    """Return how far the landmarks moved, (478, 2), in parts of the distance of the irises."""
    assert one.after_xy is not None
    return (one.after_xy - one.before_xy) / np.float32(np.linalg.norm(np.subtract(*one.before_xy[IRIS_CENTRES])))


def _distances(moved: Floats) -> dict[str, float]:
    """Return the mean distances of eyes and mouth for moves (frames, 478, 2)."""
    found = {}
    for name, moves in (("moved", moved), ("moved_besides_shape", moved - moved.mean(0))):
        for part, points in (("eyes", _EYES), ("mouth", _MOUTH)):
            found[f"{part}_{name}"] = float(np.linalg.norm(moves[:, list(points)], axis=2).mean())
    return found


def _mean(embeddings: list[Floats]) -> Floats:
    mean = np.mean(embeddings, axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def strip(frames: list[Swapped]) -> ImageU8:
    """Return evenly spaced frames before and after, one above the other."""
    chosen = [frames[i] for i in np.linspace(0, len(frames) - 1, min(_COLUMNS, len(frames))).round().astype(int)]
    pairs = [[cv2.resize(part, (_SHEET_PX, _SHEET_PX)) for part in one.region] for one in chosen]
    return np.asarray(np.hstack([np.vstack(pair) for pair in pairs]), np.uint8)


def main() -> int:
    """Print the scores; see the module docstring."""
    parser = Parser("swapped_film", __doc__)
    parser.add_look("swap")
    parser.add_argument("--film", type=Path, required=True, metavar="FILE", help="film of the person who is replaced")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="pictures of the other person")
    parser.add_argument("--network", default="embedded", help="identity network (default: embedded)")
    parser.add_argument("--frames", type=whole(10, 10_000), default=300, help="number of frames (default: 300)")
    parser.add_argument("--runtime", default="auto", help="see veneer run (default: auto)")
    parser.add_file("--json")
    parser.add_file("--strip", "frames before and after")
    options = parser.parse()
    network = open_network(options.network)
    other = embeddings_of(options.to, network)
    frames = list(swapped_frames(options.look, options.film, options.frames, options.runtime))
    if len(frames) < 10:
        raise OptionsError(f"--film {options.film}", f"a face on {len(frames)} frames", "use another film")
    scores = measure(frames, other, network)
    rows = [[name, round(value, 4) if isinstance(value, float) else value] for name, value in scores.items()]
    report(("score", "value"), rows, options.json)
    if options.strip is not None:
        cv2.imwrite(str(options.strip), strip(frames))
    return 0


if __name__ == "__main__":
    sys.exit(run_main("swapped_film", main))
