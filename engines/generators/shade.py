"""Lipstick in any colour and three finishes, computed in CIE Lab over the lips' texture. It needs no network."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import LookError
from engines.regions.lips_region import LipsRegion

FINISHES = ("matte", "satin", "gloss")
_COVER = 0.85  # share of the lightness difference that is applied if the colour is darker than the lips
_LIFT = 0.35  # the same if it is lighter; more makes dark lips look chalky


@dataclass(frozen=True, slots=True)
class Shade:
    """A lipstick.

    Attributes:
        lab: Colour in CIE Lab (L 0..100) in full light.
        finish: "matte", "satin" or "gloss".
    """

    lab: tuple[float, float, float]
    finish: str

    @classmethod
    def parse(cls, color: str, finish: str) -> Shade:
        """Return the shade of a colour "#rrggbb" and a finish.

        Raises:
            LookError: The colour or the finish is invalid.
        """
        if not isinstance(color, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
            raise LookError(f"color {color!r}", "not a colour", 'write it as "#rrggbb", for example "#b3122b"')
        if finish not in FINISHES:
            raise LookError(f"finish {finish!r}", "not a finish", f"use one of {', '.join(FINISHES)}")
        rgb = np.array([[[int(color[i : i + 2], 16) for i in (1, 3, 5)]]], np.float32) / 255
        lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0, 0]
        return cls((float(lab[0]), float(lab[1]), float(lab[2])), finish)

    def change(self, box_bgr: NDArray[np.uint8], region: LipsRegion) -> NDArray[np.float32]:
        """Return the change to add to the box: (H, W, 3) float32 BGR on the scale 0..255, for a (H, W, 3) BGR box.

        The lips' variation in lightness is kept and scaled to the new colour. Chroma follows lightness, so folds and
        the line between the lips stay dark and highlights stay light. The colour is dimmed by the light on the face.
        """
        box = box_bgr.astype(np.float32) * np.float32(1 / 255)
        lab = cv2.cvtColor(box, cv2.COLOR_BGR2LAB)
        lightness = np.asarray(lab[:, :, 0], np.float32)
        weight = region.mask * (region.mask > 0.5)
        total = float(weight.sum())
        if total < 1.0:
            return np.zeros_like(box)
        mean_l = float((lightness * weight).sum() / total)
        lit = float(np.clip(region.light / 0.82, 0.15, 1.05))
        aim_l = self.lab[0] * lit
        target_l = mean_l + (_COVER if aim_l < mean_l else _LIFT) * (aim_l - mean_l)
        relief = (lightness - mean_l) * float(np.clip(target_l / max(mean_l, 1.0), 0.55, 1.25))
        shine = self._shine(lightness, weight)
        lightness_out = np.clip(target_l + self._relief(relief) + shine * lit, 1.0, 100.0)
        chroma = np.clip(lightness_out / max(target_l, 1.0), 0.0, 1.1) * (lit**0.7)
        chroma *= 1.0 - 0.6 * np.clip(shine / 30.0, 0.0, 1.0)
        lab_out = np.empty_like(lab)
        lab_out[:, :, 0] = lightness_out
        lab_out[:, :, 1] = self.lab[1] * chroma
        lab_out[:, :, 2] = self.lab[2] * chroma
        painted = cv2.cvtColor(lab_out, cv2.COLOR_LAB2BGR)
        return (np.clip(painted, 0, 1) - box) * np.float32(255)

    def _relief(self, relief: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compress lightness above the mean: strongly for matte, moderately for the others, where it looks metallic."""
        if self.finish == "matte":
            return np.where(relief > 0, 9.0 * np.tanh(relief / 15.0), relief).astype(np.float32)
        return np.where(relief > 0, 18.0 * np.tanh(relief / 24.0), relief).astype(np.float32)

    def _shine(self, lightness: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return extra lightness for pixels that are lighter than their surroundings; zero for matte."""
        if self.finish == "matte":
            return np.zeros_like(lightness)
        box_w = lightness.shape[1]
        wide = (0, 0), max(2.0, 0.045 * box_w)
        around = cv2.GaussianBlur(lightness * weight, *wide) / np.maximum(cv2.GaussianBlur(weight, *wide), 1e-3)
        soft = cv2.GaussianBlur(lightness, (0, 0), max(0.7, 0.008 * box_w))
        amount, start = (0.5, 3.0) if self.finish == "satin" else (1.6, 2.0)
        return np.asarray(np.clip((soft - around - start) * amount, 0.0, 24.0), np.float32)
