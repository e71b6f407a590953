"""Which styles the looks use, and at which sizes: an engine is built for one size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engines.looks import Look
from engines.style_lookup import load_style, style_names
from engines.styles import Style


def styles_in_use(names: Sequence[str], looks: Iterable[Look]) -> list[Style]:
    """Return each named style, or all, at every size at which a look uses it, or at its own size if no look does.

    Raises LookError if there is no such style.
    """
    names = tuple(dict.fromkeys(names)) or style_names()
    found: dict[str, dict[tuple[int, int], Style]] = {name: {} for name in names}
    own = {name: load_style(name) for name in names}
    for look in looks:
        for layer in look.layers:
            if isinstance(layer.style, Style) and layer.style.name in found:
                found[layer.style.name].setdefault(layer.style.size_wh, layer.style)
    return [style for name in names for style in (found[name] or {(0, 0): own[name]}).values()]
