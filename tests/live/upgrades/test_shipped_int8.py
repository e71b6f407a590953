"""INT8 graphs that come with the program are used after a test on the built-in face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.cache.cache_entry import verdict
from engines.looks_file import load_looks
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.style_lookup import load_style
from live.render.look_loader import LookLoader


def _precisions() -> set[str]:
    loader = LookLoader(load_looks(), runtime="openvino", say=print)
    try:
        return {info.precision for layer in loader.load("soft").layers if (info := layer.engine and layer.engine.info)}
    finally:
        loader.close()


def test_int8_paints_at_the_first_start(veneer_home: Path) -> None:
    assert _precisions() == {"int8"}
    engine = OpenVinoEngine(load_style("soft"), precision="int8")
    assert verdict(engine.info.key) == "passed"
    engine.close()


def test_int8_that_is_wrong_here_never_paints(veneer_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-in for a processor on which the graph is wrong: its outputs are inverted."""
    infer = OpenVinoEngine.infer

    def inverted(self: OpenVinoEngine, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = infer(self, regions_bgr)
        return 40 - outputs if self.info.precision == "int8" else outputs

    monkeypatch.setattr(OpenVinoEngine, "infer", inverted)
    assert "int8" not in _precisions()
    assert "int8" not in _precisions(), "the verdict is kept for the next start"
