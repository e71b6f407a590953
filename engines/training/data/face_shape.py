"""A face in the shape of another person: a smooth shift of the aligned crop, which keeps the expression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.lips_region import Floats
from engines.training.data.displacement import pixel_grid
from engines.training.data.picture_pairs import ImageU8

_NEAR = 0.025  # distance at which a landmark's shift counts 0.6 times, in parts of the crop's side
_KNOTS = 96  # on each side: where the shift is computed
_LEVEL = 0.05  # sum of the weights that halves the shift: it falls to 0 outside of the face


@dataclass(frozen=True, slots=True, eq=False)
class ShapeShift:
    """The mean difference of the shapes of two faces in the aligned crop.

    Attributes:
        at_xy: (N, 2) landmarks in the first shape, pixels of the crop.
        by_xy: (N, 2) their shift to the other shape, pixels.
        side_px: Side of the crop.
    """

    at_xy: Floats
    by_xy: Floats
    side_px: int

    def moved(self, points_xy: Floats) -> Floats:
        """Return points, (N, 2) float32 pixels of the crop, in the other shape."""
        return np.asarray(points_xy + self._shift(points_xy, self.at_xy), np.float32)

    def maps(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the maps, (S, S) float32 each, by which `cv2.remap` brings a crop into the other shape."""
        down, across = pixel_grid(self.side_px)
        knots = (np.arange(_KNOTS, dtype=np.float32) + 0.5) * (self.side_px / _KNOTS)
        places = np.stack(np.meshgrid(knots, knots), 2).reshape(-1, 2)
        coarse = self._shift(places, self.at_xy + self.by_xy).reshape(_KNOTS, _KNOTS, 2)
        shift = cv2.resize(coarse, (self.side_px,) * 2, interpolation=cv2.INTER_CUBIC)
        return np.asarray(across - shift[:, :, 0], np.float32), np.asarray(down - shift[:, :, 1], np.float32)

    def _shift(self, places_xy: Floats, landmarks_xy: Floats) -> Floats:
        """Return the mean shift of the landmarks near each place, weighted by a Gaussian of the distance."""
        apart = ((places_xy[:, None] - landmarks_xy[None]) ** 2).sum(2)  # M, N
        near = np.exp(-apart / (2 * (_NEAR * self.side_px) ** 2))
        return np.asarray(near @ self.by_xy / (near.sum(1, keepdims=True) + _LEVEL), np.float32)


def shape_shift(one_xy: Floats, other_xy: Floats, share: float, side_px: int) -> ShapeShift:
    """Return the shift by which faces of a person get a share of another person's shape.

    Args:
        one_xy: (478, 2) float32: landmarks of the shape to move, pixels of the crop; see `neutral_shape`.
        other_xy: The same of the other person.
        share: 0 keeps the shape, 1 gives most of the other: the shifts of neighbouring landmarks are averaged.
        side_px: Side of the crop.
    """
    return ShapeShift(one_xy, np.asarray(share * (other_xy - one_xy), np.float32), side_px)


def neutral_shape(landmarks_xy: Floats, openings: Floats) -> Floats:
    """Return the median of the landmarks, (N, 478, 2), over the faces whose eyes are open and whose mouth is closed.

    Args:
        landmarks_xy: Pixels of the crop.
        openings: (N, 2): how far eyes and mouth are open.
    """
    eyes, mouth = openings.T
    neutral = (eyes >= np.median(eyes)) & (mouth <= np.median(mouth))
    chosen = landmarks_xy[neutral] if neutral.any() else landmarks_xy
    return np.asarray(np.median(chosen, axis=0), np.float32)


def in_shape(crop: ImageU8, maps: tuple[NDArray[np.float32], NDArray[np.float32]]) -> ImageU8:
    """Return a crop, (S, S, C) uint8, in the other shape; see `ShapeShift.maps`."""
    return cv2.remap(crop, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]
