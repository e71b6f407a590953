"""Edge tangent flow: directions, smoothing along strokes, lines."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.training.teachers.flow import Streamlines, dark_lines, ink, tangent_flow

_SIDE_PX = 96


def _stripes(angle: float, period_px: float = 16.0) -> NDArray[np.float32]:
    """Soft stripes that run at an angle (radians from the x axis), 0..100."""
    y, x = np.mgrid[0:_SIDE_PX, 0:_SIDE_PX].astype(np.float32)
    across = -x * np.sin(angle) + y * np.cos(angle)
    return np.asarray(50 + 50 * np.sin(2 * np.pi * across / period_px), np.float32)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.1, np.pi / 2, 2.3])
def test_the_flow_follows_the_stripes(angle: float) -> None:
    along_x, along_y = tangent_flow(_stripes(angle), 3.0)
    inside = (slice(10, -10), slice(10, -10))
    alike = np.abs(along_x * np.cos(angle) + along_y * np.sin(angle))[inside]
    assert alike.min() > 0.99
    np.testing.assert_allclose(np.hypot(along_x, along_y), 1, atol=1e-5)


def test_edges_of_colour_only_have_a_flow() -> None:
    picture = np.zeros((_SIDE_PX, _SIDE_PX, 3), np.float32)
    picture[..., 1] = _stripes(0.0)
    along_x, _ = tangent_flow(picture, 3.0)
    assert np.abs(along_x[10:-10, 10:-10]).min() > 0.99


def test_smoothing_along_the_flow_removes_noise_only() -> None:
    clean = _stripes(0.4)
    noisy = clean + np.random.default_rng(0).normal(0, 10, clean.shape).astype(np.float32)
    flow = Streamlines(tangent_flow(clean, 3.0), length_px=12.0)
    smooth = flow.smooth(noisy, 5.0)
    inside = (slice(12, -12), slice(12, -12))
    assert (smooth - clean)[inside].std() < 0.5 * (noisy - clean)[inside].std()
    assert smooth[inside].std() > 0.9 * clean[inside].std()


def test_channels_are_smoothed_independently() -> None:
    layers = np.random.default_rng(1).uniform(0, 1, (_SIDE_PX, _SIDE_PX, 3)).astype(np.float32)
    flow = Streamlines(tangent_flow(_stripes(1.1), 3.0), length_px=8.0)
    together = flow.smooth(layers, 4.0)
    for layer in range(3):
        np.testing.assert_allclose(together[..., layer], flow.smooth(layers[..., layer], 4.0), atol=1e-5)


def test_only_dark_lines_give_a_positive_response() -> None:
    picture = np.full((_SIDE_PX, _SIDE_PX), 60, np.float32)
    picture[:, 30:33] = 20
    picture[:, 60:63] = 100
    response = dark_lines(picture, 1.5)[_SIDE_PX // 2]
    assert response[31] > 5
    assert response[61] < -5
    assert abs(response[10]) < 0.1


def test_ink_is_a_soft_monotonic_step() -> None:
    response = np.linspace(-20, 20, 200).astype(np.float32)
    much = ink(response, 2.0, 0.8)
    assert much[0] < 0.01 and much[-1] > 0.99
    assert (np.diff(much) >= 0).all()
    assert np.diff(much).max() < 0.15
