"""The expression loss: a face mesh in PyTorch that finds what MediaPipe's finds, and its distance of two faces."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import openvino
import pytest
import torch
from support.head_parts import portrait_face
from torch import Tensor

from engines.errors import OptionsError
from engines.regions.aligned_face import AlignedFace, aligned_face
from engines.training.losses import expression
from engines.training.losses.expression import ExpressionLoss
from engines.training.losses.frozen_graph import FrozenGraph


@pytest.fixture(scope="module")
def loss() -> ExpressionLoss:
    return ExpressionLoss()


def crop(region: AlignedFace, picture_bgr: np.ndarray) -> Tensor:
    rgb = np.ascontiguousarray(region.crop(picture_bgr)[:, :, ::-1])
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255


def portrait(size_px: int = 96) -> tuple[AlignedFace, Tensor, np.ndarray]:
    """Return the portrait's aligned region, its crop, and its landmarks in parts of the crop's side."""
    picture, face = portrait_face()
    region = aligned_face(face.landmarks_xy, (size_px, size_px), (picture.shape[1], picture.shape[0]))
    assert region is not None
    return region, crop(region, picture), region.landmarks(face.landmarks_xy) / size_px


def test_the_mesh_is_its_graph() -> None:
    package = find_spec("mediapipe")
    assert package is not None and package.submodule_search_locations
    file = Path(package.submodule_search_locations[0]) / expression._FILE
    pictures = torch.rand(2, 192, 192, 3, generator=torch.Generator().manual_seed(0))
    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = np.concatenate([compiled(one[None].numpy())[0] for one in pictures])
    assert np.abs(FrozenGraph(file, "mesh", "")(pictures).numpy() - expected).max() < 0.01, "pixels of 192"


def test_lids_and_lips_are_found_where_they_are(loss: ExpressionLoss) -> None:
    _, picture, landmarks_xy = portrait()
    found = loss.landmarks(picture)[0].numpy()
    off = np.linalg.norm(found - landmarks_xy[expression._POINTS], axis=1) / 0.36
    assert off.mean() < 0.06, "of the distance of the eyes"


def test_another_mouth_is_a_loss_with_a_gradient(loss: ExpressionLoss) -> None:
    _, own, landmarks_xy = portrait()
    side = own.shape[3]
    rgb = (own[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    mouth = landmarks_xy[[13, 14]].mean(0) * side
    near = np.exp(-((x - mouth[0]) ** 2 + (y - mouth[1]) ** 2) / (2 * (0.15 * side) ** 2)).astype(np.float32)
    losses = []
    for shift in (0.0, 0.02, 0.05):  # the mouth moves down, in parts of the side
        moved = np.asarray(cv2.remap(rgb, x, y - shift * side * near, cv2.INTER_CUBIC))  # type: ignore[call-overload]
        face = (torch.from_numpy(moved).permute(2, 0, 1)[None].float() / 255).requires_grad_(True)
        value = loss(face, own)
        losses.append(float(value.detach()))
        value.backward()
    assert losses[0] < 1e-3 and losses[0] < losses[1] < losses[2]
    assert face.grad is not None and face.grad.abs().sum() > 0
    assert not list(loss.parameters()), "the mesh is not trained"


def test_a_missing_mesh_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expression, "_FILE", "nothing.tflite")
    with pytest.raises(OptionsError, match="--expression 0"):
        ExpressionLoss()
