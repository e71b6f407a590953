"""Jitter and lag of the landmark filter: `python -m benchmarks.tracking [CLIP]...`.

Jitter: RMS frame-to-frame movement of the landmarks in percent of the eye distance, on the still portrait with sensor
noise. Lag: the shift in frames at which the filtered face centre fits the raw one best (least squares), on the moving
portrait. Raw and filtered landmarks come from the same detections.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common.arguments import Parser, run_main
from benchmarks.common.machine_info import report
from engines.errors import SourceError
from live.pipeline.frame import Floats, Frame, ImageU8
from live.portrait import portrait_bgr
from live.sources.video_source import film_frames
from live.tracking.face_identity import FaceIdentity
from live.tracking.face_mesh import FaceMeshTracker

_FPS = 30.0
_FRAMES = 150
_NOISE_SIGMA = 4.0  # levels of 255: a webcam in room light
_EYES = (33, 263)  # outer corners
_MARGIN_FRAMES = 8  # excluded at both ends, where shifted tracks do not overlap
_MIN_FACES = 3 * _MARGIN_FRAMES

Clip = tuple[str, list[ImageU8], list[float]]  # name, frames in BGR, times in seconds


def scene(shift_xy: tuple[float, float], noise: np.random.Generator | None) -> ImageU8:
    """Return the shifted portrait at 1280x720, (H, W, 3) BGR uint8, with optional noise."""
    matrix = np.array([[1.6, 0, 330 + shift_xy[0]], [0, 1.6, -40 + shift_xy[1]]])
    frame = cv2.warpAffine(portrait_bgr(), matrix, (1280, 720), borderMode=cv2.BORDER_REPLICATE)
    if noise is not None:
        frame = np.clip(frame + noise.normal(0, _NOISE_SIGMA, frame.shape), 0, 255)
    return frame.astype(np.uint8)


def tracks(name: str, frames: list[ImageU8], times_s: list[float]) -> tuple[Floats, Floats]:
    """Return raw and filtered landmarks of the same detections, (T, 478, 2) each; SourceError for too few faces."""
    tracker, smoother = FaceMeshTracker(smooth=False), FaceIdentity()
    raw, smooth = [], []
    for index, (frame_bgr, at_s) in enumerate(zip(frames, times_s, strict=True)):
        faces = tracker.track(Frame(frame_bgr, index, at_s))
        if faces:
            raw.append(faces[0].landmarks_xy)
            smooth.append(smoother.assign([faces[0].landmarks_xy], at_s)[0].landmarks_xy)
    tracker.close()
    if len(raw) < _MIN_FACES:
        got = f"a face on {len(raw)} of {len(frames)} frames"
        raise SourceError(name, got, f"name a clip with a face on at least {_MIN_FACES} frames")
    return np.stack(raw), np.stack(smooth)


def jitter_percent(track: Floats) -> float:
    """Return the RMS frame-to-frame movement in percent of the eye distance."""
    eye_distance = np.hypot(*(track[:, _EYES[0]] - track[:, _EYES[1]]).mean(0))
    return float(np.sqrt((np.diff(track, axis=0) ** 2).sum(-1).mean()) / eye_distance * 100)


def lag_frames(raw: Floats, smooth: Floats) -> float:
    """Return the lag of the filtered face centre in frames, in steps of 0.05."""
    raw_centre, smooth_centre = raw.mean(1), smooth.mean(1)
    shifts = np.arange(0, 4.01, 0.05)
    at = np.arange(_MARGIN_FRAMES, len(raw) - _MARGIN_FRAMES, dtype=np.float64)
    errors = [sum(_error(raw_centre[:, i], smooth_centre[:, i], at, shift) for i in (0, 1)) for shift in shifts]
    return float(shifts[int(np.argmin(errors))])


def _error(raw: NDArray[np.float32], smooth: NDArray[np.float32], at: NDArray[np.float64], shift: float) -> float:
    index = np.arange(len(raw))
    return float(((np.interp(at - shift, index, raw) - np.interp(at, index, smooth)) ** 2).mean())


def _read_clip(path: Path) -> Clip:
    frames = list(film_frames(path))
    return path.name, [frame.bgr for frame in frames], [frame.pts_s or 0.0 for frame in frames]


def _portrait_clips() -> list[Clip]:
    noise = np.random.default_rng(0)
    times_s = [index / _FPS for index in range(_FRAMES)]
    still = [scene((0, 0), noise) for _ in times_s]
    moving = [scene((90 * np.sin(2 * np.pi * 0.7 * t), 25 * np.sin(2 * np.pi * 1.1 * t)), noise) for t in times_s]
    return [("still portrait", still, times_s), ("moving portrait", moving, times_s)]


def main() -> None:
    """Measure, print a table and write JSON."""
    parser = Parser("tracking", __doc__)
    parser.add_argument("clips", nargs="*", type=Path, help="video files to measure as well")
    parser.add_file("--json")
    options = parser.parse()
    clips = [_read_clip(path) for path in options.clips]
    rows = []
    for name, frames, times_s in [*_portrait_clips(), *clips]:
        raw, smooth = tracks(name, frames, times_s)
        rows.append([name, len(raw), jitter_percent(raw), jitter_percent(smooth), lag_frames(raw, smooth)])
    report(["clip", "frames", "raw jitter %", "filtered jitter %", "lag frames"], rows, options.json)


if __name__ == "__main__":
    sys.exit(run_main("tracking", main))
