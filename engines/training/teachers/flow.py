"""Edge tangent flow: smoothing along the edges of a picture, and lines that follow them.

Sources: H. Kang, S. Lee, C. Chui, "Coherent Line Drawing", NPAR 2007, sections 2 and 3; H. Winnemoeller, S. C. Olsen,
B. Gooch, "Real-Time Video Abstraction", SIGGRAPH 2006, section 3; H. Winnemoeller, J. E. Kyprianidis, S. C. Olsen,
"XDoG: An eXtended Difference-of-Gaussians Compendium", Computers & Graphics 2012, section 2.6 (the flow from the
smoothed structure tensor, and line integrals along it).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.teachers.shading import Floats


def tangent_flow(picture: Floats, sigma_px: float) -> tuple[Floats, Floats]:
    """Return unit vectors along the edges: x and y, each (S, S) float32. Their sign is arbitrary.

    Args:
        picture: (S, S) or (S, S, C) float32; the structure tensors of the channels are added.
        sigma_px: Gaussian smoothing of the structure tensor, pixels.
    """
    layers = cv2.split(picture) if picture.ndim == 3 else (picture,)
    tensor = np.zeros((*picture.shape[:2], 3), np.float32)
    for layer in layers:
        # Scharr's kernel has a smaller angular error than Sobel's; its scale (32) does not matter here.
        x, y = cv2.Scharr(layer, cv2.CV_32F, 1, 0), cv2.Scharr(layer, cv2.CV_32F, 0, 1)
        tensor += np.stack((x * x, x * y, y * y), -1)
    tensor = np.asarray(cv2.GaussianBlur(tensor, (0, 0), sigma_px), np.float32)
    xx, xy, yy = cv2.split(tensor)
    # Half the angle of (xx - yy, 2 xy) is the gradient direction; the edge is perpendicular to it.
    along = 0.5 * np.arctan2(2 * xy, xx - yy) + np.float32(np.pi / 2)
    return np.cos(along).astype(np.float32), np.sin(along).astype(np.float32)


class Streamlines:
    """The flow, traced once by `length_px` each way from every pixel, to smooth any number of pictures along it."""

    def __init__(self, flow_xy: tuple[Floats, Floats], *, length_px: float, step_px: float = 2.0) -> None:
        self._step_px = step_px
        self._steps = max(1, round(length_px / step_px))
        self._ways = [self._traced(flow_xy, sign * step_px) for sign in (1.0, -1.0)]

    def _traced(self, flow_xy: tuple[Floats, Floats], step_px: float) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        height, width = flow_xy[0].shape
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        go_x, go_y = flow_xy[0] * step_px, flow_xy[1] * step_px
        field = cv2.merge(flow_xy)
        places = []
        for _ in range(self._steps):
            x += go_x
            y += go_y
            fixed, fraction = cv2.convertMaps(x, y, cv2.CV_16SC2)  # fixed-point maps are twice as fast
            places.append((fixed, fraction))
            here_x, here_y = cv2.split(
                cv2.remap(field, fixed, fraction, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            )
            ahead = np.copysign(np.float32(abs(step_px)), here_x * go_x + here_y * go_y)
            go_x, go_y = here_x * ahead, here_y * ahead
        return places

    def smooth(self, picture: Floats, sigma_px: float) -> Floats:
        """Return a picture, (S, S) or (S, S, C up to 4) float32, blurred along the flow with a Gaussian."""
        total, weights = picture.copy(), 1.0
        for places in self._ways:
            for step, (fixed, fraction) in enumerate(places, 1):
                distance_px = step * self._step_px
                weight = float(np.exp(-0.5 * (distance_px / sigma_px) ** 2))
                if weight < 0.02:
                    break
                sample = cv2.remap(picture, fixed, fraction, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                cv2.scaleAdd(sample, weight, total, total)
                weights += weight
        total *= np.float32(1 / weights)
        return total


def dark_lines(lightness: Floats, sigma_px: float) -> Floats:
    """Return how much darker each pixel is than its surroundings: a difference of Gaussians, in units of `lightness`.

    The response to a thin line is about twice `sigma_px` wide; at an edge it lies on the dark side. The second half of
    the flow-based DoG, smoothing along the flow, is `Streamlines.smooth`.
    """
    near = cv2.GaussianBlur(lightness, (0, 0), sigma_px)
    wide = cv2.GaussianBlur(lightness, (0, 0), 2.0 * sigma_px)
    return np.asarray(wide - near, np.float32)


def ink(response: Floats, threshold: Floats | float, soft: Floats | float) -> Floats:
    """Return the coverage of the line, 0..1: a soft step (tanh) of the response, as in XDoG.

    Args:
        response: Response from `dark_lines`.
        threshold: Response of half coverage.
        soft: Change of the response from about a quarter to three quarters coverage.
    """
    step = 0.5 + 0.5 * np.tanh((response - threshold) / soft)
    return np.asarray(step, np.float32)
