"""Export the OpenVINO graphs of the shipped styles: `python -m engines.runtime.openvino.export_openvino`.

With these graphs the program starts without PyTorch. Run it after every change of shipped weights, of their generators'
sources or of the IO adapter, then `python -m calibration.engine_checks.export_int8`; a test fails until then.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial

from engines.cache import engine_cache
from engines.runtime.openvino.converted_graph import convert_style, graph_key, save_graph
from engines.style_lookup import load_style
from engines.styles import SHIPPED


def main() -> None:
    """Delete the shipped graphs and convert every shipped style again."""
    home = SHIPPED / "openvino"
    shutil.rmtree(home, ignore_errors=True)
    for card in sorted(SHIPPED.glob("*.json")):
        style = load_style(card.stem)
        model = convert_style(style)
        entry = engine_cache.store(graph_key(style), partial(save_graph, model), home=home)
        sys.stdout.write(f"{style.name}: {entry}\n")


if __name__ == "__main__":
    main()
