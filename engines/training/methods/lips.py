"""Training of the lip network: the mean squared error of crop plus change, on small pixel-aligned pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.training.config import TrainConfig
from engines.training.data.lip_pairs import BEFORE, CROP_SIZE_WH, LipBatches, LipPairs, as_tensor
from engines.training.data.picture_pairs import ImageU8
from engines.training.generator import as_pictures, build_generator
from engines.training.method import TrainingMethod, Validation, register
from engines.training.metrics.psnr import psnr_db
from engines.training.optimisers.soap import Soap

_CHECKS = 9  # checkpoints of one network


@dataclass(frozen=True, kw_only=True)
class LipsConfig(TrainConfig):
    """Config of the lip network. The alternatives tried scored lower in cross-validation.

    A share `lit_share` of the pairs is relit, before and after alike, so that the change follows the light: by a factor
    in the range `gain` on the brightness, from which a colour deviates by at most a part `tint`.
    """

    generator: str = "lip_net"
    batch: int = 4
    peak_lr: float = 5e-3
    warm_up_steps: int = 50
    ema_decay: float = 0.998
    precision: str = "32-true"
    workers: int | None = 0
    lit_share: float = 0.3
    gain: tuple[float, float] = (0.35, 1.15)
    tint: float = 0.08

    @classmethod
    def for_epochs(cls, epochs: int, pairs: int, **changes: Any) -> LipsConfig:
        """Return a config with as many steps as show every one of `pairs` pairs `epochs` times."""
        config = cls(**changes)
        steps = epochs * math.ceil(pairs / config.batch)
        return cls(**changes, steps=steps, check_every=max(1, steps // _CHECKS))


@register
class Lips(TrainingMethod[LipsConfig]):
    """Trains on all given pairs and keeps the last weights. `train_lips_command` adds the cross-validation."""

    name = "lips"
    config_class = LipsConfig
    data_kind = ""
    data: LipPairs

    def networks(self) -> dict[str, nn.Module]:
        """Return the generator."""
        net = build_generator(self.config)
        return {"generator": net.to(memory_format=torch.channels_last)}  # type: ignore[call-overload]

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return SOAP for the generator."""
        return {"generator": Soap(self.parts.networks["generator"].parameters(), lr=self.config.peak_lr)}

    def dataset(self, rank: int) -> LipBatches:
        """Return augmented batches; they are the same on every device."""
        config = self.config
        settings: dict[str, Any] = {"lit_share": config.lit_share, "gain": config.gain, "tint": config.tint}
        return LipBatches(self.data, batch=config.batch, seed=config.seed, **settings)

    def step(self, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        """Train on one batch of (crop, painted)."""
        crop, painted = batch
        loss = (self.parts.wrapped["generator"](crop) + crop - painted).square().mean()
        return {"loss": self.minimise("generator", loss)}

    def validate(self) -> Validation:
        """Return no score: all pairs are trained on, and the newest weights are kept."""
        return Validation()

    def card(self) -> dict[str, Any]:
        """Return how to apply the style, and the data and its terms."""
        pairs = self.data
        return {
            "size_wh": list(CROP_SIZE_WH),
            "lips_mean_bgr": pairs.lips_mean_bgr(),
            "data": self.describe_data(f"{len(pairs)} pixel-aligned pairs of lip crops, {BEFORE} -> {pairs.style}"),
        }

    def learning_rate(self, step: int) -> float:
        """Return the usual rate, in the order of operations that gives the weights of earlier versions."""
        config, warm_up = self.config, min(1.0, (step + 1) / self.config.warm_up_steps)
        return config.peak_lr * warm_up * 0.5 * (1 + math.cos(math.pi * step / config.steps))

    def ema_decay(self, step: int) -> float:
        """Return the decay of the moving average; the average starts as a copy of the first update."""
        return super().ema_decay(step) if step else 0.0


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread, so that sums have one order and equal seeds give equal bytes on any number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def scores_db(net: nn.Module, before_rgb: ImageU8, after_rgb: ImageU8) -> NDArray[np.float64]:
    """Return the PSNR in dB, (N,), of every painted crop as it would be shown; both stacks (N, 30, 90, 3) RGB uint8."""
    with one_thread(), torch.inference_mode():
        crop = as_tensor(before_rgb)
        painted = as_pictures(crop + net(crop))
    return np.array([psnr_db(one, other) for one, other in zip(painted, after_rgb, strict=True)])
