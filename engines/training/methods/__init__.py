"""Training methods. A module registers its method; `load_method` finds it by the module's name.

The methods that train from noise, `FROM_NOISE`, are in one module.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from engines.errors import OptionsError
from engines.text import did_you_mean

if TYPE_CHECKING:
    from engines.training.method import TrainingMethod


_FAMILIES = "noise"  # the module that registers several methods
FROM_NOISE = ("conditional", "dcgan", "gan", "lsgan", "pggan", "stylegan", "stylegan2", "wgan", "wgan-gp")


def method_names() -> tuple[str, ...]:
    """Return the names of all methods, sorted. No method is imported."""
    modules = {module.name for module in pkgutil.iter_modules(__path__)}
    return tuple(sorted((modules - {_FAMILIES}) | set(FROM_NOISE)))


def load_method(name: str) -> type[TrainingMethod[Any]]:
    """Import the module of a method and return the method; `-` stands for `_` too.

    Raises OptionsError if there is no such method.
    """
    names = method_names()
    name = name.replace("-", "_") if name.replace("-", "_") in names else name
    if name not in names:
        do = did_you_mean(name, names, otherwise=f"use {', '.join(names)}")
        raise OptionsError(f"training method {name[:60]!r}", "there is no such method", do)
    importlib.import_module(f"{__name__}.{_FAMILIES if name in FROM_NOISE else name}")
    from engines.training.method import METHODS

    return METHODS[name]
