"""Training methods, one module each. A module registers its method; `load_method` finds it by the module's name."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from engines.errors import OptionsError
from engines.text import did_you_mean

if TYPE_CHECKING:
    from engines.training.method import TrainingMethod


def method_names() -> tuple[str, ...]:
    """Return the names of all methods, sorted. No method is imported."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def load_method(name: str) -> type[TrainingMethod[Any]]:
    """Import the module of a method and return the method. Raises OptionsError if there is no such method."""
    names = method_names()
    if name not in names:
        do = did_you_mean(name, names, otherwise=f"use {', '.join(names)}")
        raise OptionsError(f"training method {name[:60]!r}", "there is no such method", do)
    importlib.import_module(f"{__name__}.{name}")
    from engines.training.method import METHODS

    return METHODS[name]
