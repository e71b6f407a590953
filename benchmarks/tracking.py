"""What smoothing does: `python -m benchmarks.tracking [CLIP]`: jitter on a still face, lag on a moving one.

Jitter: the portrait held still under sensor noise; how far the landmarks move from frame to frame (RMS, in % of the
distance of the eyes). Lag: the portrait moving to and fro; by how many frames the smoothed track must be moved back
to fit the raw one best. Both with the filter and without, on the same frames.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common.arguments import Parser, check_writable, ended, write_text
from benchmarks.common.machine_info import header, machine, table
from engines.errors import SourceError
from live.pipeline.frame import Floats, Frame, ImageU8
from live.portrait import portrait_bgr
from live.tracking.face_identity import FaceIdentity
from live.tracking.face_mesh import FaceMeshTracker

_FPS = 30.0
_EYES = (33, 263)
_ENDS = 8  # frames at either end of which the lag is not looked at: shifted, they would lie outside
_LEAST_FACES = 3 * _ENDS


def scene(shift_xy: tuple[float, float], noise: np.random.Generator | None) -> ImageU8:
    """The portrait at 1280x720, shifted, with the noise of a webcam in room light (sigma 4 of 255)."""
    matrix = np.array([[1.6, 0, 330 + shift_xy[0]], [0, 1.6, -40 + shift_xy[1]]])
    frame = cv2.warpAffine(portrait_bgr(), matrix, (1280, 720), borderMode=cv2.BORDER_REPLICATE)
    if noise is not None:
        frame = np.clip(frame + noise.normal(0, 4, frame.shape), 0, 255)
    return frame.astype(np.uint8)


def tracks(name: str, frames: list[ImageU8], stamps_s: list[float]) -> tuple[Floats, Floats]:
    """Raw and smoothed landmarks, (T, 478, 2) each, of the same detections.

    Raises:
        SourceError: they show too few faces to measure anything.
    """
    tracker, smoother = FaceMeshTracker(smooth=False), FaceIdentity()
    raw, smooth = [], []
    for index, (frame, at_s) in enumerate(zip(frames, stamps_s, strict=True)):
        faces = tracker.track(Frame(frame, index, at_s))
        if faces:
            raw.append(faces[0].landmarks_xy)
            smooth.append(smoother.assign([faces[0].landmarks_xy], at_s)[0].landmarks_xy)
    tracker.close()
    if len(raw) < _LEAST_FACES:
        got = f"a face on {len(raw)} of {len(frames)} frames"
        raise SourceError(name, got, f"name a clip with a face on {_LEAST_FACES} frames at least")
    return np.stack(raw), np.stack(smooth)


def jitter_percent(track: Floats) -> float:
    """RMS frame-to-frame movement in % of the distance of the eyes."""
    eyes = np.hypot(*(track[:, _EYES[0]] - track[:, _EYES[1]]).mean(0))
    return float(np.sqrt((np.diff(track, axis=0) ** 2).sum(-1).mean()) / eyes * 100)


def lag_frames(raw: Floats, smooth: Floats) -> float:
    """Frames by which the smoothed face centre trails the raw one: the shift of least squared distance."""
    a, b = raw.mean(1), smooth.mean(1)
    shifts = np.arange(0, 4.01, 0.05)
    at = np.arange(_ENDS, len(a) - _ENDS, dtype=np.float64)
    errors = [sum(_error(a[:, i], b[:, i], at, shift) for i in (0, 1)) for shift in shifts]
    return float(shifts[int(np.argmin(errors))])


def _error(raw: NDArray[np.float32], smooth: NDArray[np.float32], at: NDArray[np.float64], shift: float) -> float:
    index = np.arange(len(raw))
    return float(((np.interp(at - shift, index, raw) - np.interp(at, index, smooth)) ** 2).mean())


def clip_frames(path: Path) -> tuple[list[ImageU8], list[float]]:
    """All frames of a clip and their seconds."""
    from live.sources.video_source import VideoSource

    source, frames, stamps_s = VideoSource(path), [], []
    source.open()
    while (frame := source.read()) is not None:
        frames.append(frame.bgr)
        stamps_s.append(frame.pts_s if frame.pts_s is not None else frame.frame_id / _FPS)
    source.close()
    return frames, stamps_s


def main() -> None:
    """Measure, print a table, write JSON.

    Raises:
        VeneerError: a clip or a file is not usable.
    """
    parser = Parser("tracking", __doc__)
    parser.add_argument("clips", nargs="*", type=Path, help="real clips to measure lag and jitter on as well")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    if wanted.json:
        check_writable("--json", wanted.json)
    clips = [(path.name, *clip_frames(path)) for path in wanted.clips]
    noise = np.random.default_rng(0)
    stamps_s = [index / _FPS for index in range(150)]
    still = [scene((0, 0), noise) for _ in stamps_s]
    moving = [scene((90 * np.sin(2 * np.pi * 0.7 * t), 25 * np.sin(2 * np.pi * 1.1 * t)), noise) for t in stamps_s]
    rows = []
    sets = [("still portrait", still, stamps_s), ("moving portrait", moving, stamps_s)]
    for name, frames, at_s in [*sets, *clips]:
        raw, smooth = tracks(name, frames, at_s)
        rows.append([name, len(raw), jitter_percent(raw), jitter_percent(smooth), lag_frames(raw, smooth)])
    about = machine()
    print(header(about))
    print(table(["frames of", "n", "raw move %", "smooth move %", "lag frames"], rows))
    if wanted.json:
        write_text("--json", wanted.json, json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(ended("tracking", main))
