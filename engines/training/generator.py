"""Build the generator of a config, and check the sizes that it takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from engines.errors import OptionsError
from engines.generators import registry
from engines.training.config import TrainConfig


def build_generator(config: TrainConfig) -> nn.Module:
    """Return the config's generator with fresh weights.

    Raises:
        OptionsError: There is no such generator, or it does not take these arguments.
    """
    try:
        return registry.fresh_generator(config.generator, config.generator_args)
    except ValueError as error:
        requested = f"generator {config.generator} with {dict(config.generator_args)}"
        raise OptionsError(requested, str(error), "see `veneer train STYLE --help`") from error


def check_size(net: nn.Module, size_wh: tuple[int, int], name: str, device: torch.device) -> None:
    """Run a generator on a black picture of this size, (1, 3, H, W).

    Raises:
        OptionsError: It does not take the size, or returns another one.
    """
    width, height = size_wh
    try:
        with torch.inference_mode():
            fits = net(torch.zeros((1, 3, height, width), device=device)).shape == (1, 3, height, width)
    except RuntimeError:
        fits = False
    if not fits:
        got = "its layers halve the size more often than it can be halved"
        raise OptionsError(f"{name} on pictures or crops of {width}x{height}", got, "use multiples of 8")


def trainable_generators() -> tuple[str, ...]:
    """Return the generators for `veneer train STYLE`; the lip network has a command of its own."""
    return tuple(name for name in registry.GENERATORS if name != "lip_net")


def default_method(generator: str) -> str:
    """Return the training method of a generator."""
    return "paired"


def default_optimiser(generator: str) -> str:
    """Return the optimiser of a generator."""
    return "soap" if generator == "toon_net" else "muon"


def parse_arguments(generator: str, texts: Iterable[str]) -> dict[str, Any]:
    """Return constructor arguments from texts NAME=VALUE.

    Raises:
        OptionsError: A text has another form.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.isidentifier() and equals and value.isdecimal()):
            raise OptionsError(f"--arg {text}", "not NAME=VALUE", "as in --arg channels=16")
        arguments[name] = int(value)
    return arguments
