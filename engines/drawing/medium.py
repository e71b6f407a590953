"""Medium: how planes become a drawing - tones, ink, colours."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from typer import Option

from engines.drawing.plane_set import SHADE_RANGE
from engines.drawing.smooth_step import rise
from engines.regions.workspace import Workspace

Table = NDArray[np.uint8]
MAX_GAIN = 1.25  # the tone table's 255


@dataclass(frozen=True)
class Medium:
    """The parameters of a drawing.

    Attributes:
        line: Width of all lines, relative to the usual one; below 0.5 they are also fainter, at 0 there are none.
        tone_edges: Borders between tones, in units of the shade, dark to light.
        tone_bgr: Factor of the colour for each tone, dark to light; one more than edges.
        tone_soft: Half the width of the transition between two tones, in units of the shade.
        ink_bgr: What remains of the colour under ink, 0..1 for each channel.
        ink: Coverage of the strongest line, 0..1.
        hair: Coverage of ink in hair, as a part of that of lines, 0..1: below 1, strands become dark tones.
        face: The same for the skin of a face.
        body: The same for clothes and arms: below 1, folds become dark tones.
        outline: Width of the outline of a person, as a part of the face's size.
        screen: Strength of the halftone screen, in units of the shade; 0 for none.
        paper: Strength of the paper's grain, 0..1; 0 for none.
        saturation: Factor of the colours' saturation.
        warmth: Shift of the colours from blue to red, -1..1.
        lift: Part of the way of all colours to white, 0..1.
        tones: Number of tones at most; those farthest from the usual light are left out first.
        eyes: Enlargement of the eyes; 1 for none.
        jaw: Narrowing of the jaw, as a part of its width; 0 for none.
    """

    line: Annotated[float, Option(min=0.0, max=3.0)] = 1.0
    tone_edges: tuple[float, ...] = (-2.7, -1.0, 1.1)
    tone_bgr: tuple[tuple[float, float, float], ...] = (
        (0.518, 0.540, 0.640),
        (0.720, 0.735, 0.800),
        (1.02, 1.02, 1.02),
        (1.12, 1.11, 1.10),
    )
    tone_soft: float = 0.25
    ink_bgr: tuple[float, float, float] = (0.22, 0.22, 0.22)
    ink: float = 0.9
    hair: float = 0.3
    face: float = 0.5
    body: float = 0.25
    outline: Annotated[float, Option(min=0.0, max=0.1)] = 0.018
    screen: Annotated[float, Option(min=0.0, max=3.0)] = 0.0
    paper: Annotated[float, Option(min=0.0, max=1.0)] = 0.0
    saturation: Annotated[float, Option(min=0.0, max=2.0)] = 1.0
    warmth: Annotated[float, Option(min=-1.0, max=1.0)] = 0.0
    lift: Annotated[float, Option(min=0.0, max=0.5)] = 0.0
    tones: Annotated[int, Option(min=1, max=5)] = 5
    eyes: Annotated[float, Option(min=1.0, max=1.4)] = 1.16
    jaw: Annotated[float, Option(min=0.0, max=0.1)] = 0.02

    @functools.cached_property
    def tone_gain(self) -> Table:
        """Return the factor of the colour by shade, (256, 3) BGR; 255 is `MAX_GAIN`."""
        shade = np.linspace(*SHADE_RANGE, 256, dtype=np.float32)
        kept = sorted(sorted(self.tone_edges, key=abs)[: self.tones - 1])
        tones = [self._muting @ self.tone_bgr[sum(at > edge for edge in self.tone_edges)] for at in _within(kept)]
        gain = np.tile(tones[0], (256, 1))
        for edge, below, tone in zip(kept, tones, tones[1:], strict=False):
            part = rise(shade, edge - self.tone_soft, edge + self.tone_soft)[:, None]
            gain += part * (tone - below)
        return np.asarray(np.rint(gain * 255 / MAX_GAIN).clip(0, 255), np.uint8)

    @functools.cached_property
    def ink_coverage(self) -> Table:
        """Return the coverage of a line by the ink plane, (256,)."""
        start = 0.25 + 0.2 * (1 - min(self.line, 1.25))  # a bolder line begins at fainter ink
        return np.asarray(
            np.rint(
                255
                * self.ink
                * min(1.0, 2 * self.line)
                * rise(np.arange(256, dtype=np.float32) / np.float32(255), start, start + 0.5)
            ),
            np.uint8,
        )

    @functools.cached_property
    def ink_in_hair(self) -> Table:
        """Return the level of the ink plane, (256,), by its level, that gives the part `hair` of its coverage."""
        return _fainter(self.ink_coverage, self.hair)

    @functools.cached_property
    def ink_in_face(self) -> Table:
        """Return the same for the part `face`."""
        return _fainter(self.ink_coverage, self.face)

    @functools.cached_property
    def ink_in_body(self) -> Table:
        """Return the same for the part `body`."""
        return _fainter(self.ink_coverage, self.body)

    @functools.cached_property
    def ink_gain(self) -> Table:
        """Return the factor of the colour by coverage of ink, (256, 3) BGR; 255 is 1."""
        coverage = np.arange(256)[:, None] / 255
        ink_bgr = self._muting @ self.ink_bgr
        return np.asarray(np.rint(255 * (1 - coverage * (1 - ink_bgr))), np.uint8)

    @functools.cached_property
    def mood(self) -> NDArray[np.float32]:
        """Return the colour transform, (3, 4) float32, from RGB planes to BGR."""
        richer = _saturated(self.saturation)
        richer = np.diag([1 + 0.15 * self.warmth, 1.0, 1 - 0.15 * self.warmth]) @ richer
        matrix = np.concatenate(((1 - self.lift) * richer, np.full((3, 1), 255 * self.lift)), 1)
        return np.asarray(matrix[::-1], np.float32)

    def muted(self, picture_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the colours of a photo, (H, W, 3) uint8 BGR, with the saturation of the drawing if that is below 1."""
        if self.saturation >= 1:
            return picture_bgr
        return np.asarray(cv2.transform(picture_bgr, self._muting), np.uint8)

    @property
    def _muting(self) -> NDArray[np.float64]:
        """Return the transform of BGR colours, (3, 3), of a saturation below 1."""
        return np.ascontiguousarray(_saturated(min(1.0, self.saturation))[::-1, ::-1])


def _saturated(saturation: float) -> NDArray[np.float64]:
    """Return the transform of RGB colours, (3, 3), that multiplies their saturation."""
    luma = np.array([0.299, 0.587, 0.114])
    return saturation * np.eye(3) + (1 - saturation) * np.tile(luma, (3, 1))


def gains(index: NDArray[np.uint8], table: Table, workspace: Workspace, name: str) -> NDArray[np.uint8]:
    """Return the rows of a table (256, 3) uint8 for an index (H, W) uint8, as (H, W, 3) in the workspace."""
    levels: list[NDArray[np.uint8]] = []
    for channel in range(3):  # three tables of one channel take half the time of one with three channels
        column = np.ascontiguousarray(table[:, channel])
        if channel and (column == table[:, channel - 1]).all():
            levels.append(levels[-1])
        else:
            levels.append(workspace.array(f"{name} {channel}", index.shape))
            cv2.LUT(index, column, dst=levels[-1])
    return cv2.merge(levels, dst=workspace.array(name, (*index.shape, 3)))  # type: ignore[return-value]


def _fainter(coverage: Table, part: float) -> Table:
    return np.searchsorted(coverage, part * coverage.astype(np.float32)).astype(np.uint8)


def _within(edges: Sequence[float]) -> list[float]:
    """Return a shade inside each tone between the edges; that of the usual light is 0."""
    if not edges:
        return [0.0]
    inside = [edges[0] - 0.01, *(edge + 0.01 for edge in edges)]
    return [0.0 if low < 0 < high else at for at, low, high in zip(inside, [-9, *edges], [*edges, 9], strict=True)]


MEDIA = {
    "cel": Medium(saturation=1.12),
    "comic": Medium(
        line=1.35,
        tone_bgr=((0.42, 0.44, 0.52), (0.70, 0.72, 0.77), (1.02, 1.02, 1.02), (1.14, 1.14, 1.14)),
        ink_bgr=(0.05, 0.05, 0.05),
        ink=1.0,
        hair=0.5,
        body=0.3,
        tone_soft=0.1,
        outline=0.026,
        screen=1.1,
        saturation=1.1,
        eyes=1.12,
    ),
    "gouache": Medium(
        line=0.8,
        tone_edges=(-2.4, -0.9, 0.9),
        tone_bgr=((0.66, 0.64, 0.70), (0.83, 0.82, 0.88), (1.03, 1.03, 1.03), (1.13, 1.13, 1.13)),
        tone_soft=0.55,
        ink_bgr=(0.34, 0.34, 0.44),
        ink=0.75,
        outline=0.012,
        paper=0.3,
        saturation=1.15,
        warmth=0.1,
        lift=0.01,
        eyes=1.12,
        jaw=0.01,
    ),
}
