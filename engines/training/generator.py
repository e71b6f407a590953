"""Build the generator of a config, and check the sizes that it takes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.generators import registry
from engines.training.config import TrainConfig


def build_generator(config: TrainConfig) -> nn.Module:
    """Return the config's generator with fresh weights. Raises OptionsError if it does not take the arguments."""
    try:
        return registry.fresh_generator(config.generator, config.generator_args)
    except ValueError as error:
        requested = f"generator {config.generator} with {dict(config.generator_args)}"
        raise OptionsError(requested, str(error), "correct --arg") from error


def example_inputs(config: TrainConfig, size_wh: tuple[int, int]) -> tuple[Tensor, ...]:
    """Return a black picture and a zero latent, as far as they are inputs, for the config's generator."""
    spec, (width, height) = registry.generator_spec(config.generator), size_wh
    numbers = {name: config.generator_args.get(name, one.default) for name, one in spec.arguments.items()}
    shapes = ((3, height, width) if kind == "image" else (int(numbers["latent"]),) for kind in spec.inputs)
    return tuple(torch.zeros((1, *shape)) for shape in shapes)


def as_pictures(rgb: Tensor) -> NDArray[np.uint8]:
    """Convert (N, 3, H, W) to (N, H, W, 3) uint8 as it would be shown: clipped to 0..1 and rounded."""
    pictures: NDArray[np.uint8] = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pictures


def check_size(net: nn.Module, size_wh: tuple[int, int], config: TrainConfig, device: torch.device) -> None:
    """Run the config's generator on a black picture, (1, 3, H, W). Raises OptionsError if it does not take the size."""
    width, height = size_wh
    expected = registry.generator_spec(config.generator).output_shape(height, width)
    try:
        with torch.inference_mode():
            fits = net(torch.zeros((1, 3, height, width), device=device)).shape[1:] == expected
    except RuntimeError:
        fits = False
    if not fits:
        got = "its layers halve the size more often than it can be halved"
        step_px = registry.generator_spec(config.generator).multiple_px(config.generator_args)
        do = f"use sizes in multiples of {step_px} pixels, or another --arg"
        raise OptionsError(f"{config.generator} on pictures or crops of {width}x{height}", got, do)
