"""Paint a photo in the style of pictures: Gatys et al., arXiv:1508.06576, by Adam or L-BFGS, from coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.painting.paint_options import STYLE_LAYERS, PaintOptions
from engines.painting.vgg_network import VggNetwork

ImageU8 = NDArray[np.uint8]
CONTENT_LAYER = "conv4_2"
_ADAM_LR = 2.0  # of levels 0..255
_HISTORY = 10  # pairs of gradients that L-BFGS keeps
_STEP_PX = 16  # VGG halves the picture four times
_MARGIN_PX = 8  # around the picture while it is painted


@dataclass(slots=True)
class Costs:
    """The costs of one iteration, weighted as they are added."""

    content: float
    style: float
    total: float


@dataclass(slots=True)
class Painting:
    """A painting under way: the best picture so far, (H, W, 3) RGB uint8, and the costs of each level's iterations."""

    best_rgb: ImageU8
    costs: list[list[Costs]] = field(default_factory=list)


OnStep = Callable[[int, int, Costs, Callable[[], ImageU8]], None]


def paint(
    photo_rgb: ImageU8,
    styles: Sequence[tuple[ImageU8, float]],
    network: VggNetwork,
    options: PaintOptions,
    on_step: OnStep = lambda *_: None,
) -> Painting:
    """Paint a photo.

    Args:
        photo_rgb: (H, W, 3) RGB.
        styles: Style pictures of any size, (H, W, 3) RGB, with their weights.
        on_step: Called after each iteration with its number, the number of iterations, the costs, and a function that
            returns the present picture.

    Returns:
        The painting; with `colours="photo"` only its lightness is painted. After a KeyboardInterrupt, which is caught,
        the best one so far; without costs if not one iteration was done.
    """
    if options.colours == "photo":
        styles = [(as_grey(one), weight) for one, weight in styles]
    painting = Painting(photo_rgb)
    current: ImageU8 | None = None
    done, total = 0, sum(count for _, count in options.levels)
    try:
        for side, count in options.levels:
            photo = resized(photo_rgb, side)
            level = _Level(as_grey(photo) if options.colours == "photo" else photo, styles, network, options)
            painting.costs.append(level.costs)
            level.start(current)
            try:
                level.run(count, partial(_report, on_step, level.costs, done, total))
            finally:
                current = level.best_rgb()
                painting.best_rgb = with_colours(current, photo) if options.colours == "photo" else current
            done += count
    except KeyboardInterrupt:
        pass
    return painting


def _report(on_step: OnStep, costs: list[Costs], before: int, total: int, picture: Callable[[], ImageU8]) -> None:
    on_step(before + len(costs), total, costs[-1], picture)


class _Level:
    """One size of the picture."""

    def __init__(
        self, photo_rgb: ImageU8, styles: Sequence[tuple[ImageU8, float]], network: VggNetwork, options: PaintOptions
    ) -> None:
        self.photo, self.network, self.options = _tensor(_surrounded(photo_rgb)), network, options
        self.costs: list[Costs] = []
        self._best_cost, self._best = math.inf, self.photo
        wanted = [one for one, weight in zip(STYLE_LAYERS, options.layer_weights, strict=True) if weight]
        self._weights = dict(zip(STYLE_LAYERS, options.layer_weights, strict=True))
        side = max(self.photo.shape[2:])
        with torch.inference_mode():
            self._content = network(self.photo / 255, (CONTENT_LAYER,))[CONTENT_LAYER].clone()
            whole = sum(weight for _, weight in styles)
            self._grams: dict[str, Tensor] = {}
            for picture, weight in styles:
                found = network(_tensor(resized(picture, round(options.strokes * side))) / 255, (), wanted)
                for name in wanted:
                    part = found[name] * (weight / whole)
                    self._grams[name] = self._grams[name] + part if name in self._grams else part
        self._content, self._grams = self._content.clone(), {name: one.clone() for name, one in self._grams.items()}

    def start(self, coarser_rgb: ImageU8 | None) -> None:
        """Begin with the photo and a share of noise, or with the painting of the coarser level."""
        height, width = self.photo.shape[2:]
        if coarser_rgb is None:
            noise = torch.rand(self.photo.shape, generator=torch.Generator().manual_seed(self.options.seed)) * 255
            first = self.options.noise * noise + (1 - self.options.noise) * self.photo
        else:
            inner_wh = width - 2 * _MARGIN_PX, height - 2 * _MARGIN_PX
            enlarged = cv2.resize(coarser_rgb, inner_wh, interpolation=cv2.INTER_CUBIC)
            self._best = first = _tensor(_surrounded(np.asarray(enlarged, np.uint8)))
        # The first step of L-BFGS has the L1 norm 1: in this unit it changes a colour by half a level on average.
        self._unit = 1.0 if self.options.optimiser == "adam" else 0.5 * first.numel()
        self._variable = (first / self._unit).requires_grad_(True)

    def run(self, iterations: int, on_step: Callable[[Callable[[], ImageU8]], None]) -> None:
        """Take steps; each is one evaluation of the costs and their gradient."""
        optimiser: torch.optim.Optimizer
        if self.options.optimiser == "adam":
            optimiser = torch.optim.Adam([self._variable], lr=_ADAM_LR)
        else:
            optimiser = torch.optim.LBFGS(
                [self._variable], max_iter=iterations, max_eval=iterations,
                tolerance_grad=0.0, tolerance_change=0.0, history_size=_HISTORY,
            )  # fmt: skip

        def evaluate() -> float:
            optimiser.zero_grad(set_to_none=True)
            if len(self.costs) >= iterations:  # L-BFGS asks once more at the end
                self._variable.grad = torch.zeros_like(self._variable)
                return self.costs[-1].total
            with torch.no_grad():
                self._variable.clamp_(0, 255 / self._unit)
            picture = self._variable * self._unit
            total, costs = self._cost(picture)
            total.backward()  # type: ignore[no-untyped-call]
            self.costs.append(costs)
            if costs.total < self._best_cost:
                self._best_cost, self._best = costs.total, picture.detach()
            on_step(lambda: _picture(picture))
            return costs.total

        while len(self.costs) < iterations:
            optimiser.step(evaluate)  # type: ignore[no-untyped-call]

    def _cost(self, picture: Tensor) -> tuple[Tensor, Costs]:
        options = self.options
        found = self.network(picture / 255, (CONTENT_LAYER,), self._grams)
        content = options.content * (found[CONTENT_LAYER] - self._content).square().mean()
        parts = [self._weights[name] * (found[name] - one).square().mean() for name, one in self._grams.items()]
        style = options.style * torch.stack(parts).sum()
        total = content + style
        if options.smooth:
            across = (picture[..., 1:] - picture[..., :-1]).square().mean()
            down = (picture[..., 1:, :] - picture[..., :-1, :]).square().mean()
            total = total + options.smooth * (across + down) / 255
        return total, Costs(*(float(one.detach()) for one in (content, style, total)))

    def best_rgb(self) -> ImageU8:
        """Return the picture with the lowest cost."""
        return _picture(self._best)


def resized(picture: ImageU8, side: int) -> ImageU8:
    """Return a picture with about this longer side; both sides are multiples of 16."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size_wh = [max(_STEP_PX, _STEP_PX * round(scale * length / _STEP_PX)) for length in (width, height)]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size_wh, interpolation=how), np.uint8)


def _tensor(rgb: ImageU8) -> Tensor:
    """Return (1, 3, H, W) float32 in 0..255."""
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1))  # L-BFGS needs a gradient that is one block of memory
    return torch.from_numpy(planes)[None].float()


def _surrounded(rgb: ImageU8) -> ImageU8:
    """Return a picture with a reflected margin: beyond its border the network sees zeros, which shows as a pattern."""
    return np.asarray(cv2.copyMakeBorder(rgb, *(_MARGIN_PX,) * 4, cv2.BORDER_REFLECT_101), np.uint8)


def _picture(levels: Tensor) -> ImageU8:
    """Return a painting without its margin."""
    rounded = (
        levels.detach().clamp(0, 255).round().to(torch.uint8)[0, :, _MARGIN_PX:-_MARGIN_PX, _MARGIN_PX:-_MARGIN_PX]
    )
    return np.ascontiguousarray(rounded.permute(1, 2, 0).numpy())


def as_grey(rgb: ImageU8) -> ImageU8:
    """Return RGB without its colours."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def with_colours(painted: ImageU8, photo: ImageU8) -> ImageU8:
    """Return the lightness of one picture with the colours of another one of the same size."""
    lab, own = (cv2.cvtColor(one, cv2.COLOR_RGB2LAB) for one in (photo, painted))
    lab[:, :, 0] = own[:, :, 0]
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)
