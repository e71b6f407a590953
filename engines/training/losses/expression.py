"""Expression loss: whether a face mesh finds eyes and mouth of two pictures at the same places."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.regions.eyes import LOWER_LIDS, UPPER_LIDS
from engines.regions.lips_region import INNER_LIPS, OUTER_LIPS
from engines.training.losses.frozen_graph import FrozenGraph

_FILE = "modules/face_landmark/face_landmark.tflite"
_SIDE_PX = 192  # of the mesh's input
_MARGIN = 0.1  # around the aligned crop on each side, in parts of its side: measured, errors are smallest
_POINTS = sorted({int(point) for part in (*UPPER_LIDS, *LOWER_LIDS, OUTER_LIPS, INNER_LIPS) for point in part})
_SMALL = 1e-3  # of the side: below it a distance counts by its square


class ExpressionLoss(nn.Module):
    """Mean distance of the landmarks of lids and lips of two pictures of faces.

    The landmarks are those of MediaPipe's face mesh without attention (Kartynnik et al., arXiv:1907.06724), which is a
    part of its package. The mesh is never trained.

    Raises:
        OptionsError: The file of the mesh is missing or not readable.
    """

    def __init__(self) -> None:
        super().__init__()
        package = find_spec("mediapipe")
        places = package.submodule_search_locations if package is not None else None
        file = Path(places[0] if places else "mediapipe") / _FILE
        self.graph = FrozenGraph(file, "face mesh", "reinstall mediapipe==0.10.21, or give --expression 0")

    def forward(self, faces_rgb: Tensor, own_rgb: Tensor) -> Tensor:
        """Return the mean distance, a scalar, in parts of the side.

        Args:
            faces_rgb: (N, 3, S, S) RGB in 0..1, aligned crops; see `engines.regions.aligned_face`.
            own_rgb: Of the same shape: the expressions wanted. It has no gradient.
        """
        with torch.no_grad():
            wanted = self.landmarks(own_rgb)
        moved = self.landmarks(faces_rgb) - wanted
        return (moved.square().sum(2) + _SMALL**2).sqrt().mean() - _SMALL

    def landmarks(self, faces_rgb: Tensor) -> Tensor:
        """Return the landmarks of lids and lips in aligned crops (N, 3, S, S): (N, points, 2), in parts of the side."""
        margin_px = round(_MARGIN * faces_rgb.shape[3])
        wide = F.pad(faces_rgb, (margin_px,) * 4, mode="replicate")
        sized = F.interpolate(wide, (_SIDE_PX, _SIDE_PX), mode="bilinear", align_corners=False)  # N, 3, 192, 192
        found = self.graph(sized.permute(0, 2, 3, 1)).reshape(len(faces_rgb), -1, 3)  # N, 468, 3: x, y, depth
        places: Tensor = found[:, _POINTS, :2] / _SIDE_PX * wide.shape[3] - margin_px
        return places / faces_rgb.shape[3]
