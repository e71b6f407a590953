"""Build the generator of a config, and check the sizes that it takes."""

from __future__ import annotations

import torch
from torch import nn

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
