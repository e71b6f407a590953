"""Landmarks of the eyes in MediaPipe's face mesh, the person's right eye (the left one in the picture) first."""

from __future__ import annotations

# From the outer to the inner corner; both lids of an eye share the corners.
UPPER_LIDS = ([33, 246, 161, 160, 159, 158, 157, 173, 133], [263, 466, 388, 387, 386, 385, 384, 398, 362])
LOWER_LIDS = ([33, 7, 163, 144, 145, 153, 154, 155, 133], [263, 249, 390, 373, 374, 380, 381, 382, 362])
IRIS_CENTRES = [468, 473]
