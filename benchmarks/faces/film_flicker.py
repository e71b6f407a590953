"""Flicker of looks on films, as viewers see it: `python -m benchmarks.faces.film_flicker FILM... [--look LOOK]`.

Every frame goes through tracker, person finder and renderer as in the live program, at the film's frame rate, and none
is dropped. Compared is the square around the head at the frame's resolution, with its motion taken out: the change of
the picture that is shown in relation to that of the camera's (mean of absolute differences, and root mean square).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.common.arguments import Parser, run_main, whole
from benchmarks.common.machine_info import report
from calibration.evaluation.flicker import Flicker, moving_flicker
from engines.errors import SourceError
from engines.looks import Look, find_look
from engines.looks_file import load_looks
from engines.regions.temporal_filter import TemporalFilter
from engines.regions.upright import picture_region
from live.control.controls import ControlState
from live.pipeline.frame import Face, ImageU8, TrackedFrame
from live.pipeline.timing import Timings
from live.render.frame_renderer import FrameRenderer
from live.render.look_loader import LookLoader
from live.render.privacy_policy import PrivacyPolicy
from live.sources.video_source import film_frames
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.hand_finder import HandFinder
from live.tracking.person_finder import PersonFinder

_SIZE_WH = (256, 256)


def heads(look: Look, film: Path, most: int) -> Iterator[tuple[ImageU8, ImageU8] | None]:
    """Yield the square around the head, before and after, (S, S, 3) uint8 RGB; None on a frame without a face.

    Raises:
        VeneerError: The film, the models or the look's engines cannot be loaded.
    """
    loader = LookLoader({look.name: look}, runtime="auto", say=print)
    renderer = FrameRenderer(loader, Timings(), print, policy=PrivacyPolicy(lambda _: look))
    tracker, finder, hands, steady = FaceMeshTracker(), PersonFinder(), HandFinder(), TemporalFilter()
    with ExitStack() as stack:
        for part in (loader, renderer, tracker, finder, hands):
            stack.enter_context(closing(part))
        frames = stack.enter_context(closing(film_frames(film)))
        renderer.select(loader.load(look.name))
        for frame in islice(frames, most):
            before_bgr, faces, at_s = frame.bgr.copy(), tracker.track(frame), frame.time_s
            faces = hands.with_hands(frame, faces) if look.needs_hands else faces
            persons = finder.persons(frame.bgr, faces, at_s) if look.needs_everyone else finder.mask(frame.bgr, at_s)
            tracked = TrackedFrame(frame, faces, 0.0, persons, outlined=finder.outlined, heads=finder.heads)
            shown_bgr = renderer.render(tracked, ControlState(look.name)).bgr
            yield _squares(before_bgr, shown_bgr, faces[0], steady, at_s) if faces else None


def _squares(
    before_bgr: ImageU8, shown_bgr: ImageU8, face: Face, steady: TemporalFilter, at_s: float
) -> tuple[ImageU8, ImageU8] | None:
    frame_wh = before_bgr.shape[1], before_bgr.shape[0]
    region = picture_region("head", face.landmarks_xy, _SIZE_WH, frame_wh, temporal_filter=steady, at_s=at_s)
    if region is None:
        return None
    before_rgb, shown_rgb = (region.crop(bgr)[:, :, ::-1] for bgr in (before_bgr, shown_bgr))
    return np.ascontiguousarray(before_rgb), np.ascontiguousarray(shown_rgb)


def measure(look: Look, film: Path, most: int) -> Flicker:
    """Return the flicker of a look on a film. Raises VeneerError, also if no two frames in turn show a face."""
    pairs = list(heads(look, film, most))
    after_rgb = iter([pair[1] for pair in pairs if pair])
    found = moving_flicker((pair and pair[0] for pair in pairs), lambda _: next(after_rgb))
    if not found.pairs:
        raise SourceError(str(film), "no two frames in turn show a face", "use a film of a face")
    return found


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = Parser("film_flicker", __doc__)
    parser.add_argument("films", nargs="+", type=Path, metavar="FILM")
    parser.add_argument("--look", nargs="+", default=["toon"], help="looks (default: toon)")
    parser.add_argument("--frames", type=whole(2, 10_000), default=300, help="frames of each film (default: 300)")
    parser.add_file("--json")
    options = parser.parse()
    rows = []
    for look in [find_look(load_looks(), name) for name in options.look]:
        for film in options.films:
            found = measure(look, film, options.frames)
            rows.append([look.name, film.name, found.pairs, found.ratio, found.rms_ratio, found.input_levels])
    report(["look", "film", "pairs", "flicker", "rms", "camera's change of 255"], rows, options.json)


if __name__ == "__main__":
    sys.exit(run_main("film_flicker", main))
