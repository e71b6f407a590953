"""The generators by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from engines.text import first_line

if TYPE_CHECKING:
    from torch import nn

GENERATORS = {  # module beside this one: class
    "lip_net": "LipNet",
    "toon_net": "ToonNet",
    "autoretouch": "AutoRetouch",
    "pix2pix": "Pix2Pix",
}


def fresh_generator(name: str, arguments: Mapping[str, int]) -> nn.Module:
    """A generator with fresh weights.

    Raises:
        ValueError: its constructor does not take these arguments; why, in one line.
    """
    made = getattr(importlib.import_module(f"engines.generators.{name}"), GENERATORS[name])
    try:
        net: nn.Module = made(**arguments)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise ValueError(first_line(error)) from error
    return net
