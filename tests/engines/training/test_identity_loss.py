"""The identity network computes what its OpenVINO graph computes, on crops that are level at the eyes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import openvino
import pytest
import torch
from openvino import opset8 as ops

from engines.errors import OptionsError
from engines.training.losses.frozen_graph import FrozenGraph
from engines.training.losses.identity import EYES_XY, SIDE_PX, IdentityNetwork, eye_crops
from engines.training.metrics import sliced_wasserstein as sliced_wasserstein_module
from engines.training.metrics.sliced_wasserstein import sliced_wasserstein


def graph_file(folder: Path, *, unknown: bool = False) -> Path:
    """A small face network: convolution, PReLU made of limits, depthwise convolution, matrix product."""
    rng = np.random.default_rng(0)

    def random(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / 4).astype(np.float32)

    rgb = ops.parameter([-1, 3, SIDE_PX, SIDE_PX], np.float32)
    x = ops.divide(ops.add(rgb, np.float32(-127.5)), np.float32(128))
    x = ops.convolution(x, random(4, 3, 3, 3), [8, 8], [1, 1], [1, 1], [1, 1])
    x = ops.add(ops.clamp(x, 0, 1e9), ops.multiply(ops.clamp(x, -1e9, 0), random(1, 4, 1, 1)))
    x = ops.group_convolution(x, random(4, 1, 1, 3, 3), [2, 2], [0, 0], [0, 0], [1, 1])
    if unknown:
        x = ops.sigmoid(x)
    flat = ops.reshape(x, np.array([0, -1]), special_zero=True)
    out = ops.matmul(flat, random(5, 4 * 6 * 6), False, True)
    openvino.save_model(openvino.Model([out], [rgb]), folder / "faces.xml", compress_to_fp16=False)
    return folder / "faces.xml"


def test_an_identity_network_is_its_graph(tmp_path: Path) -> None:
    file = graph_file(tmp_path)
    torch.manual_seed(0)
    crops = torch.rand(2, 3, SIDE_PX, SIDE_PX)
    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = compiled(crops.numpy() * 255)[0]
    found = IdentityNetwork(file)(crops)
    assert np.abs(expected / np.linalg.norm(expected, axis=1, keepdims=True) - found.numpy()).max() < 1e-5


def test_the_same_person_has_cosine_one(tmp_path: Path) -> None:
    network = IdentityNetwork(graph_file(tmp_path))
    torch.manual_seed(0)
    photos = torch.rand(2, 3, 64, 64)
    eyes = torch.tensor([[[20.0, 30.0], [44.0, 31.0]]]).repeat(2, 1, 1)
    drawings = (photos * 0.5).requires_grad_(True)
    assert torch.allclose(network.cosine(photos, photos, eyes), torch.ones(2), atol=1e-5)
    loss = (1 - network.cosine(photos, drawings, eyes)).mean()
    loss.backward()
    assert drawings.grad is not None and drawings.grad.abs().sum() > 0
    assert not list(network.parameters())


def test_crops_are_level_at_the_eyes() -> None:
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 256, (8, 8, 3)).astype(np.float32), (200, 160), interpolation=cv2.INTER_CUBIC)
    left, right = np.array((70.0, 60.0)), np.array((130.0, 75.0))
    (x, y), (to_x, _) = EYES_XY
    turn = (to_x - x) / complex(*(right - left))
    a, b = turn.real, turn.imag
    matrix = np.array([[a, -b, x - (a * left[0] - b * left[1])], [b, a, y - (b * left[0] + a * left[1])]])
    expected = cv2.warpAffine(
        picture, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    eyes = torch.tensor(np.stack((left, right))[None], dtype=torch.float32)
    crop = eye_crops(torch.from_numpy(picture).permute(2, 0, 1)[None], eyes)[0].permute(1, 2, 0).numpy()
    assert np.abs(crop - expected).mean() < 1.0


def test_files_that_are_no_face_network_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="--identity"):
        IdentityNetwork(tmp_path / "none.xml")
    with pytest.raises(OptionsError, match="Sigmoid"):
        IdentityNetwork(graph_file(tmp_path, unknown=True))


def test_operations_are_computed_as_openvino_does(tmp_path: Path) -> None:
    """A maximum over windows with a margin, zeros around, and another order of axes."""
    x = ops.parameter([1, 3, 15, 15], np.float32)
    pooled = ops.max_pool(ops.add(x, np.float32(-2)), [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
    padded = ops.pad(pooled, np.array([0, 0, 1, 2]), np.array([0, 0, 0, 1]), "constant", np.float32(0))
    turned = ops.transpose(padded, np.array([0, 2, 3, 1]))
    openvino.save_model(openvino.Model([turned], [x]), tmp_path / "one.xml", compress_to_fp16=False)
    values = torch.rand(1, 3, 15, 15, generator=torch.Generator().manual_seed(0))
    expected = openvino.Core().compile_model(tmp_path / "one.xml", "CPU")(values.numpy())[0]
    assert np.abs(FrozenGraph(tmp_path / "one.xml", "", "")(values).numpy() - expected).max() < 1e-6


@pytest.mark.parametrize("kind", ["Convolution", "Pad", "MatMul", "Reshape"])
def test_operations_that_would_differ_are_refused(kind: str, tmp_path: Path) -> None:
    x = ops.parameter([1, 3, 8, 8], np.float32)
    made = {
        "Convolution": lambda: ops.convolution(x, np.ones((2, 3, 3, 3), np.float32), [1, 1], [0, 0], [0, 0], [2, 2]),
        "Pad": lambda: ops.pad(x, np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), "reflect"),
        "MatMul": lambda: ops.matmul(x, np.ones((8, 8), np.float32), True, False),
        "Reshape": lambda: ops.reshape(x, np.array([1, 3, 64]), special_zero=False),
    }[kind]()
    openvino.save_model(openvino.Model([made], [x]), tmp_path / "one.xml", compress_to_fp16=False)
    with pytest.raises(OptionsError, match=kind):
        FrozenGraph(tmp_path / "one.xml", "network", "use another one")


@pytest.mark.data
def test_the_published_face_network_is_read(data_dir: Path) -> None:
    file = data_dir / "weights" / "mobileface_mit" / "mobileface_v2_112_256d.xml"
    crops = torch.rand(1, 3, SIDE_PX, SIDE_PX)
    expected = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(crops.numpy() * 255)[0]
    found = IdentityNetwork(file)(crops).numpy()
    assert np.abs(expected / np.linalg.norm(expected) - found).max() < 1e-4


def pictures(seed: int, *, smooth: bool) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 256, (12, 32, 32, 3), np.uint8)
    return [np.asarray(cv2.GaussianBlur(one, (0, 0), 3) if smooth else one, np.uint8) for one in made]


def test_wasserstein_distance_grows_with_the_difference() -> None:
    noise, other, smooth = pictures(0, smooth=False), pictures(1, smooth=False), pictures(2, smooth=True)
    assert sliced_wasserstein(noise, noise) == 0
    near, far = sliced_wasserstein(noise, other), sliced_wasserstein(noise, smooth)
    assert 0 < near < far / 2
    assert sliced_wasserstein(noise, smooth) == far, "the same seed gives the same number"


def test_wasserstein_distance_sees_all_of_sorted_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sets hold the same dark and bright pictures; one of them is sorted, and longer than what is compared."""
    monkeypatch.setattr(sliced_wasserstein_module, "_MAX_PICTURES", 128)
    rng = np.random.default_rng(3)
    small = [np.full((16, 16, 3), level, np.uint8) + rng.integers(0, 9, (16, 16, 3), np.uint8) for level in (20, 220)]
    mixed_set, sorted_set = [small[i % 2] for i in range(400)], [small[0]] * 200 + [small[1]] * 200
    assert sliced_wasserstein(mixed_set, sorted_set) < 0.2 * sliced_wasserstein(mixed_set, sorted_set[:200])


def test_more_pictures_bring_halves_of_a_set_nearer() -> None:
    """Each picture has one colour: its patches say no more than one of them, so pictures count, not patches."""
    rng = np.random.default_rng(4)
    colours = rng.integers(0, 200, (2000, 1, 1, 3))
    made = list((colours + rng.integers(0, 9, (2000, 16, 16, 3))).astype(np.uint8))
    many, few = sliced_wasserstein(made[::2], made[1::2]), sliced_wasserstein(made[:100], made[100:200])
    assert many < few / 2


def test_wasserstein_distance_of_shifted_values() -> None:
    """One direction in one dimension: the distance of sorted values, computed here a second time."""
    from engines.training.metrics.sliced_wasserstein import _distance

    rng = np.random.default_rng(0)
    ones, others = rng.standard_normal((2, 400, 1)).astype(np.float32)
    expected = np.abs(np.sort(ones[:, 0]) - np.sort(others[:, 0])).mean()
    mirrored = np.abs(np.sort(-ones[:, 0]) - np.sort(-others[:, 0])).mean()
    assert _distance(ones, others, rng) == pytest.approx((expected + mirrored) / 2, rel=0.05)
