"""The user's own pictures before and after, cut to aligned regions by the face of the picture before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from engines.errors import SourceError
from engines.regions.upright import PictureRegion, face_box, frame_box, in_frame
from engines.training.data.dataset_marker import CUT, SIDES, folder_error, prepare_pairs
from engines.training.data.picture_pairs import ImageU8, Skipped, find_pairs, size_text
from live.pipeline.frame import Frame
from live.sources.still_picture import read_picture
from live.tracking.face_mesh import FaceMeshTracker


@dataclass(slots=True)
class CutPairs:
    """Number of pairs written, and the pictures that were skipped."""

    written: int = 0
    faceless: list[str] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)


def cut_pairs(
    before: Path, after: Path, out: Path, *, kind: str, side_px: int, on_pair: Callable[[int], None] = lambda _: None
) -> CutPairs:
    """Write out/before/NAME.png and out/after/NAME.png, both `side_px` square.

    Args:
        before: Folder of the pictures before.
        after: Folder of the same-named pictures after.
        out: Folder of the pairs. Pairs made there earlier are replaced; `cut.json` records how they were made.
        kind: "face", "head" or "frame".
        side_px: Side of the regions.
        on_pair: Called with the number of pairs after each pair.

    Raises:
        OptionsError: A folder is missing or empty, or `out` holds other pictures or cannot be written.
        TrackingError: There is no face model.
    """
    result = CutPairs()
    pairs = find_pairs(before, after, result.skipped)
    prepare_pairs(out, CUT, {"before": str(before), "after": str(after), "kind": kind, "side_px": side_px}, keep=())
    try:
        tracker = FaceMeshTracker(max_faces=1, smooth=False, still=True)
        try:
            for name, one, other in pairs:
                regions = _regions(one, other, kind, side_px, tracker, result)
                for side, region_bgr in zip(SIDES, regions, strict=False):
                    (out / side / f"{name}.png").write_bytes(cv2.imencode(".png", region_bgr)[1].tobytes())
                result.written += bool(regions)
                on_pair(len(pairs))
        finally:
            tracker.close()
    except OSError as error:
        raise folder_error("pairs", out, error) from error
    return result


def _regions(
    before: Path, after: Path, kind: str, side_px: int, tracker: FaceMeshTracker, result: CutPairs
) -> tuple[ImageU8, ...]:
    """Return the region of both pictures, BGR, or () if there is none; the reason is added to `result`."""
    pictures: list[ImageU8] = []
    for path in (before, after):
        try:
            pictures.append(read_picture(path))
        except SourceError as error:
            result.skipped.unreadable.append(f"{path}: {error.got}")
            return ()
    height, width = pictures[0].shape[:2]
    if pictures[1].shape[:2] != (height, width):
        result.skipped.sizes.append(f"{before}: {width}x{height}, its partner is {size_text(pictures[1])}")
        return ()
    if kind == "frame":
        box: tuple[int, int, int, int] | None = frame_box((width, height), (side_px, side_px))
    else:
        faces = tracker.track(Frame(pictures[0], 0, 0.0))
        box = face_box(faces[0].landmarks_xy, kind) if faces else None
    if box is None or not in_frame(box, (width, height)):
        result.faceless.append(str(before))
        return ()
    region = PictureRegion(box, (side_px, side_px), (width, height))
    return tuple(region.crop(picture) for picture in pictures)
