"""Identity loss: whether a face recognition network sees the same person on photo and drawing."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.errors import OptionsError
from engines.identity.crops import USUAL_EYES_XY as EYES_XY
from engines.identity.crops import USUAL_SIDE_PX as SIDE_PX
from engines.training.losses.frozen_graph import FrozenGraph


class IdentityNetwork(nn.Module):
    """A face recognition network, read from an OpenVINO graph so that gradients pass through it.

    The weights are buffers: they are never trained.

    Args:
        file: The .xml file of a graph that maps RGB (N, 3, 112, 112) in 0..255 to embeddings (N, features), made of
            the operations of `FrozenGraph`.

    Raises:
        OptionsError: The file is not readable, or has other operations.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        requested, remedy = "identity network", "name the .xml file of a face recognition network with --identity"
        self.graph = FrozenGraph(file, requested, remedy)
        if self.graph.input_shape != [3, SIDE_PX, SIDE_PX]:
            got = f"its input is not RGB of {SIDE_PX}x{SIDE_PX} pixels"
            raise OptionsError(f"{requested} {file}", got, remedy)

    def forward(self, crops_rgb: Tensor) -> Tensor:
        """Return embeddings (N, features) of length 1 of face crops, RGB (N, 3, 112, 112) in 0..1; see `eye_crops`."""
        return F.normalize(self.graph(crops_rgb * 255).flatten(1))

    def cosine(self, photos_rgb: Tensor, drawings_rgb: Tensor, eyes_xy: Tensor) -> Tensor:
        """Return the cosine of the embeddings of photos and drawings of the same faces, (N,).

        Args:
            photos_rgb: (N, 3, H, W) RGB in 0..1. Its embeddings have no gradient.
            drawings_rgb: Of the same shape.
            eyes_xy: (N, 2, 2) pixels: both irises, the left one in the picture first.
        """
        with torch.no_grad():
            wanted = self(eye_crops(photos_rgb, eyes_xy))
        products: Tensor = wanted * self(eye_crops(drawings_rgb, eyes_xy))
        return products.sum(1)


def eye_crops(pictures: Tensor, eyes_xy: Tensor) -> Tensor:
    """Return crops (N, 3, 112, 112) of pictures (N, 3, H, W), level at the eyes (N, 2, 2), in pixels."""
    height, width = pictures.shape[2:]
    (left, top), (right, _) = EYES_XY
    between = (eyes_xy[:, 1] - eyes_xy[:, 0]) / (right - left)  # pixels of the picture for a pixel of the crop
    ax, ay = between[:, 0], between[:, 1]
    turn = torch.stack((torch.stack((ax, -ay), 1), torch.stack((ay, ax), 1)), 1)  # N, 2, 2
    middle = torch.tensor((SIDE_PX / 2 - 0.5 - left, SIDE_PX / 2 - 0.5 - top), device=pictures.device)
    centre = eyes_xy[:, 0] + turn @ middle  # where the crop's centre lies in the picture
    sides = torch.tensor((width, height), device=pictures.device, dtype=torch.float32)
    theta = torch.cat((turn * SIDE_PX / sides[:, None], (2 * (centre + 0.5) / sides - 1)[:, :, None]), 2)
    grid = F.affine_grid(theta, [len(pictures), 3, SIDE_PX, SIDE_PX], align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
