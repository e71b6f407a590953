"""Which styles are worn, and at which sizes: an engine is built for one size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engines.looks import Look
from engines.styles import Style, load_style, style_names


def styles_in_use(names: Sequence[str], looks: Iterable[Look]) -> list[Style]:
    """The styles of those names (all if none), each at every size at which a look wears it, or else at its own.

    Args:
        names: of styles; the order of the answer.
        looks: as they are worn.

    Raises:
        LookError: no such style.
    """
    wanted = tuple(dict.fromkeys(names)) or style_names()
    own = [load_style(name) for name in wanted]
    found: dict[tuple[str, tuple[int, int]], Style] = {}
    for look in looks:
        for layer in look.layers:
            if isinstance(layer.style, Style) and layer.style.name in wanted:
                found.setdefault((layer.style.name, layer.style.size_wh), layer.style)
    for style in own:
        if not any(name == style.name for name, _ in found):
            found[style.name, style.size_wh] = style
    return [style for name in wanted for (of, _), style in found.items() if of == name]
