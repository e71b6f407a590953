"""Charts of the benchmarks, drawn with Matplotlib, a dependency of MediaPipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engines.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width_in: float, height_in: float) -> Figure:
    """Create a figure. Raises ImportError if Matplotlib is not installed."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, replacing the file atomically. Raises OSError."""
    with atomic_path(path) as part:
        figure.savefig(part, dpi=120, format="png")
