"""Renews the converted graphs that come with the program: `python -m engines.runtime.openvino.export_openvino`.

With them the first start needs no PyTorch. To be run whenever shipped weights, their generator or the door change;
a test fails until it was.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from engines.cache import engine_cache
from engines.runtime.openvino.converted_graph import convert_style, graph_key, save_graph
from engines.styles import SHIPPED, load_style


def main() -> None:
    """Convert every shipped style anew, and throw the old graphs away."""
    home = SHIPPED / "openvino"
    shutil.rmtree(home, ignore_errors=True)
    for card in sorted(SHIPPED.glob("*.json")):
        style = load_style(card.stem)
        model = convert_style(style)

        def write(folder: Path, model: object = model) -> None:
            save_graph(model, folder)

        entry = engine_cache.store(graph_key(style), write, home=home)
        sys.stdout.write(f"{style.name}: {entry}\n")


if __name__ == "__main__":
    main()
