"""Line metrics for drawn styles: precision, recall and crispness of the lines against a target image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

ImageU8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

TOLERANCE_PX = 1.5
_MAX_LINE_WIDTH_PX = 7  # wider dark structures count as areas
_LOW_CONTRAST, _HIGH_CONTRAST = 14.0, 30.0  # levels of 255, hysteresis thresholds
_MIN_LINE_PX = 6  # shorter centre lines are specks
_FLANK_PX = 2.0


@dataclass(frozen=True, slots=True)
class LineScores:
    """Agreement of the lines of an image with those of a target; None if the image or the target has no line.

    `precision` and `recall` are shares of line pixels, 0..1. `crispness` is the mean gradient along the target lines
    divided by that of the target.
    """

    precision: float | None
    recall: float | None
    crispness: float | None


def line_map(picture_rgb: ImageU8) -> Mask:
    """Return the centre lines of the dark lines in an (H, W, 3) RGB uint8 image of about 256x256, (H, W) bool.

    A black top-hat of the luma (closing minus image) with a disc of 7 pixels responds to thin dark structures and not
    to steps between flat areas. Hysteresis thresholding (Canny, "A Computational Approach to Edge Detection", IEEE
    PAMI 8(6), 1986, section VIII) keeps responses of at least 14 levels that are connected to one of 30 levels. The
    result is thinned, so that line width has no weight.
    """
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import skeletonize

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_MAX_LINE_WIDTH_PX, _MAX_LINE_WIDTH_PX))
    contrast = cv2.morphologyEx(cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2GRAY), cv2.MORPH_BLACKHAT, disc)
    centres = skeletonize(apply_hysteresis_threshold(contrast, _LOW_CONTRAST, _HIGH_CONTRAST)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(centres, connectivity=8)
    is_line = stats[:, cv2.CC_STAT_AREA] >= _MIN_LINE_PX
    is_line[0] = False  # background
    return np.asarray(is_line[labels], np.bool_)


def line_scores(output_rgb: ImageU8, target_rgb: ImageU8) -> LineScores:
    """Compare the lines of two (H, W, 3) RGB uint8 images.

    A centre-line pixel matches if a centre line of the other image is within 1.5 pixels. Crispness is the ratio of the
    mean gradient magnitudes of the luma within 2 pixels of the target's centre lines; blurred, pale, missing and
    displaced lines lower it.
    """
    output, target = line_map(output_rgb), line_map(target_rgb)
    target_distance_px = _distance_px(target)
    precision = float((target_distance_px[output] <= TOLERANCE_PX).mean()) if output.any() else None
    if not target.any():
        return LineScores(precision, None, None)
    recall = float((_distance_px(output)[target] <= TOLERANCE_PX).mean())
    flanks = target_distance_px <= _FLANK_PX
    target_gradient = float(_gradient(target_rgb)[flanks].mean())
    return LineScores(precision, recall, float(_gradient(output_rgb)[flanks].mean()) / target_gradient)


def _distance_px(lines: Mask) -> NDArray[np.float32]:
    """Return the distance of each pixel to the nearest line."""
    if not lines.any():
        return np.full(lines.shape, np.inf, np.float32)
    background = (~lines).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(background, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def _gradient(picture_rgb: ImageU8) -> NDArray[np.float32]:
    """Return the gradient magnitude of the luma in levels per pixel."""
    luma = cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2GRAY)
    along_x, along_y = (cv2.Scharr(luma, cv2.CV_32F, *order, scale=1 / 32) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(along_x, along_y), np.float32)
