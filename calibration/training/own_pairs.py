"""The user's own before/after pictures, cut to aligned regions: both by the face of the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from engines.errors import OptionsError, SourceError
from engines.regions.upright import PictureRegion, face_box, frame_box, in_frame
from engines.training.data.dataset_marker import CUT, SIDES, ready_pairs
from engines.training.data.paired_dataset import Skipped, partners_of
from engines.training.data.picture_pairs import ImageU8
from live.pipeline.frame import Frame
from live.sources.still_picture import read_picture
from live.tracking.face_mesh import FaceMeshTracker


@dataclass(slots=True)
class Cut:
    """What became of the pairs."""

    made: int = 0
    faceless: list[str] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)


def cut_pairs(
    before: Path, after: Path, out: Path, *, kind: str, side_px: int, on_pair: Callable[[int], None] = lambda _: None
) -> Cut:
    """Write out/before/NAME.png and out/after/NAME.png, both `side_px` square.

    Args:
        before: folder of the pictures before.
        after: folder of the same-named pictures after.
        out: the folder; pairs that were made there are replaced, and it gets `cut.json`, which says that they were.
        kind: "face", "head" or "frame".
        side_px: of the regions.
        on_pair: told the number of pairs, after each.

    Raises:
        OptionsError: a folder is missing or empty, or `out` holds other pictures, or cannot be written to.
        TrackingError: no face model.
    """
    done = Cut()
    pairs = partners_of(before, after, done.skipped)
    ready_pairs(out, CUT, {"before": str(before), "after": str(after), "kind": kind, "side_px": side_px}, keep=())
    try:
        tracker = FaceMeshTracker(max_faces=1, smooth=False, still=True)
        try:
            for name, one, other in pairs:
                regions = _regions(one, other, kind, side_px, tracker, done)
                for side, region_bgr in zip(SIDES, regions, strict=False):
                    (out / side / f"{name}.png").write_bytes(cv2.imencode(".png", region_bgr)[1].tobytes())
                done.made += bool(regions)
                on_pair(len(pairs))
        finally:
            tracker.close()
    except OSError as error:
        raise OptionsError(
            f"pairs in {out}", error.strerror or str(error), "make room, or use another --work"
        ) from error
    return done


def _regions(
    before: Path, after: Path, kind: str, side_px: int, tracker: FaceMeshTracker, done: Cut
) -> tuple[ImageU8, ...]:
    pictures: list[ImageU8] = []
    for path in (before, after):
        try:
            pictures.append(read_picture(path))
        except SourceError as error:
            done.skipped.unreadable.append(f"{path}: {error.got}")
            return ()
    height, width = pictures[0].shape[:2]
    if pictures[1].shape[:2] != (height, width):
        other = f"{pictures[1].shape[1]}x{pictures[1].shape[0]}"
        done.skipped.sizes.append(f"{before}: {width}x{height}, its partner is {other}")
        return ()
    if kind == "frame":
        box: tuple[int, int, int, int] | None = frame_box((width, height), (side_px, side_px))
    else:
        faces = tracker.track(Frame(pictures[0], 0, 0.0))
        box = face_box(faces[0].landmarks_xy, kind) if faces else None
    if box is None or not in_frame(box, (width, height)):
        done.faceless.append(str(before))
        return ()
    region = PictureRegion(box, (side_px, side_px), (width, height))
    return tuple(region.crop(picture) for picture in pictures)
