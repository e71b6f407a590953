"""The user's own pictures before and after, cut to aligned regions by the face of the picture before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2

from engines.regions.upright import FRAME_REGIONS, PictureRegion, picture_region
from engines.training.data.dataset_marker import CUT, SIDES, folder_errors, prepare_pairs
from engines.training.data.picture_pairs import Skipped, find_pairs, read_pair
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Frame, ImageU8
from live.tracking.face_mesh import FaceMeshTracker


def cut_pairs(
    before: Path, after: Path, out: Path, *, kind: str, side_px: int, on_pair: Callable[[int], None] = lambda _: None
) -> tuple[int, Skipped]:
    """Write out/before/NAME.png and out/after/NAME.png, `side_px` square; return their number and the skipped pictures.

    `kind` is "face", "head" or "frame". Pairs made in `out` earlier are replaced; `cut.json` records how they were
    made. Raises OptionsError if a folder is missing or empty, or `out` holds other pictures or cannot be written;
    TrackingError if there is no face model.
    """
    written, skipped = 0, Skipped()
    pairs = find_pairs(before, after, skipped)
    prepare_pairs(out, CUT, {"before": str(before), "after": str(after), "kind": kind, "side_px": side_px}, keep=())
    with folder_errors("pairs", out), closing(FaceMeshTracker(max_faces=1, smooth=False, still=True)) as tracker:
        for name, one, other in pairs:
            pictures = read_pair(one, other, skipped, read_picture)
            region = _region(pictures[0], kind, side_px, tracker) if pictures else None
            if region is not None:
                for side, picture_bgr in zip(SIDES, pictures, strict=True):
                    encoded = cv2.imencode(".png", region.crop(picture_bgr))[1]
                    (out / side / f"{name}.png").write_bytes(encoded.tobytes())
                written += 1
            elif pictures:
                skipped["without a face"].append(str(one))
            on_pair(len(pairs))
    return written, skipped


def _region(before_bgr: ImageU8, kind: str, side_px: int, tracker: FaceMeshTracker) -> PictureRegion | None:
    frame = Frame(before_bgr, 0, 0.0)
    faces = () if kind in FRAME_REGIONS else tracker.track(frame)
    return picture_region(kind, faces[0].landmarks_xy if faces else None, (side_px, side_px), frame.size_wh)
