"""Lines of a drawing: finding them in a picture, and how well one picture's lines cover another's."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

ImageU8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

TOLERANCE_PX = 1.5
_WIDEST_PX = 7  # a dark structure as broad as this is an area, not a line
_FAINT, _CLEAR = 14.0, 30.0  # of 255, darker than what lies to both sides
_LEAST_PX = 6  # of a line's middle; less is a speck
_FLANKS_PX = 2.0


@dataclass(frozen=True, slots=True)
class LineScores:
    """How the lines of a picture stand to those it should have.

    Attributes:
        precision: share of its lines that are the wanted ones, 0..1; None where it has none.
        recall: share of the wanted lines that it has, 0..1; None where none is wanted.
        crispness: its mean gradient along the wanted lines over theirs, 1.0 where it is as crisp; None as for recall.
    """

    precision: float | None
    recall: float | None
    crispness: float | None


def line_map(picture_rgb: ImageU8) -> Mask:
    """The middles of all lines in an (H, W, 3) uint8 picture of about 256x256: (H, W) bool, one pixel wide.

    A line is a dark thin structure of the luminance, whatever the picture: a black top-hat (closing minus picture)
    with a disc of 7 pixels says by how much a pixel is darker than what lies to both sides, so that the step between
    two flat areas is no line. Hysteresis (Canny, "A Computational Approach to Edge Detection", IEEE PAMI 8(6), 1986,
    section VIII) keeps what is at least 14 levels darker and hangs together with something 30 levels darker; the rest
    is thinned to its middle, so that a broad line counts as much as a fine one.
    """
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import skeletonize

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_WIDEST_PX, _WIDEST_PX))
    darker = cv2.morphologyEx(cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2GRAY), cv2.MORPH_BLACKHAT, disc)
    middles = skeletonize(apply_hysteresis_threshold(darker, _FAINT, _CLEAR)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(middles, connectivity=8)
    long = stats[:, cv2.CC_STAT_AREA] >= _LEAST_PX
    long[0] = False  # the ground
    return np.asarray(long[labels], np.bool_)


def line_scores(made_rgb: ImageU8, wanted_rgb: ImageU8) -> LineScores:
    """Precision, recall and crispness of the lines of one (H, W, 3) uint8 picture against another's.

    A pixel of a line's middle is right where a middle of the other picture lies within 1.5 pixels of it. Crispness
    is the mean length of the luminance's gradient within 2 pixels of the wanted lines' middles, over the same in the
    wanted picture: a blurred or pale line lowers it, and so does one that is missing or in another place.
    """
    made, wanted = line_map(made_rgb), line_map(wanted_rgb)
    from_wanted_px = _distance_px(wanted)
    precision = float((from_wanted_px[made] <= TOLERANCE_PX).mean()) if made.any() else None
    if not wanted.any():
        return LineScores(precision, None, None)
    recall = float((_distance_px(made)[wanted] <= TOLERANCE_PX).mean())
    flanks = from_wanted_px <= _FLANKS_PX
    steepness = float(_gradient(wanted_rgb)[flanks].mean())
    return LineScores(precision, recall, float(_gradient(made_rgb)[flanks].mean()) / steepness)


def _distance_px(lines: Mask) -> NDArray[np.float32]:
    """How far each pixel is from the nearest line."""
    if not lines.any():
        return np.full(lines.shape, np.inf, np.float32)
    off = (~lines).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(off, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def _gradient(picture_rgb: ImageU8) -> NDArray[np.float32]:
    """Length of the luminance's gradient in levels per pixel."""
    luma = cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2GRAY)
    along_x, along_y = (cv2.Scharr(luma, cv2.CV_32F, *order, scale=1 / 32) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(along_x, along_y), np.float32)
