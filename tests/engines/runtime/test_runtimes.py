"""Every runtime matches the reference and reports what it runs on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines import paths
from engines.cache import engine_cache
from engines.cache.cache_entry import entries, record_verdict, verdict
from engines.errors import EngineError, OptionsError
from engines.runtime import selector
from engines.runtime.base import NotUsableError
from engines.runtime.openvino import converted_graph
from engines.runtime.openvino.converted_graph import cached_graph_key, graph_key
from engines.runtime.openvino.cpu_engine import OpenVinoEngine, engine_key
from engines.runtime.openvino.int8_graph import int8_key, shipped_int8_key
from engines.runtime.selector import open_engine
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style
from engines.styles import SHIPPED, Style

STYLES = ["lips-glaze", "lips-bright"]


@pytest.fixture
def crops_bgr(portrait_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Four crops of a real face, one of them its mouth."""
    corners = [(125, 180), (60, 200), (90, 150), (300, 100)]
    return np.stack([portrait_bgr[y : y + 30, x : x + 90] for y, x in corners])


@pytest.mark.parametrize("name", STYLES)
def test_openvino_matches_the_reference(name: str, crops_bgr: NDArray[np.uint8]) -> None:
    style = load_style(name)
    engine, reference = open_engine(style), TorchEngine(style, why="the reference")
    assert (engine.info.runtime, reference.info.runtime) == ("openvino", "torch")
    for count in (1, 2, 4, 3):
        off = np.abs(engine.infer(crops_bgr[:count]) - reference.infer(crops_bgr[:count]))
        assert off.shape == (count, 30, 90, 3)
        assert off.mean() < 0.5 and off.max() < 8


def test_the_paint_is_a_change_that_reddens_lips(crops_bgr: NDArray[np.uint8]) -> None:
    change = open_engine(load_style("lips-glaze")).infer(crops_bgr[:1])[0]
    assert change[:, :, 1].min() < -40, "lacquer takes much green away from lips"


@pytest.mark.parametrize("name", STYLES)
def test_the_shipped_graph_belongs_to_the_shipped_weights(name: str) -> None:
    assert engine_cache.find_shipped(graph_key(load_style(name))) is not None, (
        "run: python -m engines.runtime.openvino.export_openvino"
    )


@pytest.mark.parametrize("name", [name for name in STYLES if load_style(name).region != "lips"])
def test_the_int8_graph_belongs_to_the_shipped_weights(name: str) -> None:
    assert engine_cache.find_shipped(shipped_int8_key(load_style(name))) is not None, (
        "run: python -m calibration.engine_checks.export_int8"
    )


def test_the_first_start_needs_no_pytorch() -> None:
    code = (
        "import sys\n"
        "from engines.style_lookup import load_style\n"
        "from engines.runtime.selector import open_engine\n"
        "open_engine(load_style('lips-glaze'))\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr


def own_style(folder: Path, seed: int) -> Style:
    """A style of the user's own: the shipped card with other weights."""
    import torch
    from safetensors.torch import load_file, save_file

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    state = {
        key: value + 0.01 * torch.randn_like(value)
        for key, value in load_file(SHIPPED / "lips-glaze.safetensors").items()
    }
    save_file(state, folder / "lips-mine.safetensors")
    (folder / "lips-mine.json").write_text((SHIPPED / "lips-glaze.json").read_text())
    return load_style("lips-mine")


def test_own_style_is_converted_once_and_then_read(crops_bgr: NDArray[np.uint8]) -> None:
    style = own_style(paths.data_dir() / "weights", 1)
    assert engine_cache.find_shipped(graph_key(style)) is None and engine_cache.find(cached_graph_key(style)) is None
    first = OpenVinoEngine(style).infer(crops_bgr).copy()
    assert engine_cache.find(cached_graph_key(style)) is not None
    assert np.array_equal(OpenVinoEngine(style).infer(crops_bgr), first)
    assert np.abs(first - TorchEngine(style, why="").infer(crops_bgr)).mean() < 0.5
    key = cached_graph_key(style)
    assert cached_graph_key(own_style(paths.data_dir() / "weights", 2)) != key, "other weights are another graph"


def test_another_pytorch_keeps_the_engines_of_shipped_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    styles = load_style("lips-glaze"), own_style(paths.data_dir() / "weights", 1)
    before = [(int8_key(style), engine_key(style, "bf16", "CPU")) for style in styles]
    real = converted_graph.library_version
    monkeypatch.setattr(converted_graph, "library_version", lambda name: "99" if name == "torch" else real(name))
    shipped, own = ((int8_key(style), engine_key(style, "bf16", "CPU")) for style in styles)
    assert shipped == before[0]
    assert not set(own) & set(before[1]), "its graph is converted by PyTorch"


@pytest.mark.parametrize("harm", ["cut", "nan", "other", "gone"])
def test_unusable_weights_are_one_clear_line(harm: str) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = paths.data_dir() / "weights"
    style = own_style(folder, 3)
    file = folder / "lips-mine.safetensors"
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    elif harm == "nan":
        save_file({key: value * torch.nan for key, value in load_file(file).items()}, file)
    elif harm == "other":
        save_file({"weight": torch.zeros(3)}, file)
    else:
        file.unlink()
    for runtime in ("auto", "torch"):
        with pytest.raises(EngineError, match=r"lips-mine\.safetensors") as caught:
            open_engine(style, runtime=runtime)
        assert "\n" not in str(caught.value)


def test_a_failing_runtime_is_replaced_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    import engines.runtime.openvino.cpu_engine as module

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such plugin\nlong story")

    monkeypatch.setattr(module, "OpenVinoEngine", refuse)
    engine = open_engine(load_style("lips-glaze"))
    assert engine.info.runtime == "torch"
    assert "OpenVINO is not usable here: no such plugin" in engine.info.why
    with pytest.raises(EngineError, match="no such plugin.*--runtime torch"):
        open_engine(load_style("lips-glaze"), runtime="openvino")


def test_a_precision_that_failed_calibration_is_not_used() -> None:
    style = load_style("lips-glaze")
    device = OpenVinoEngine(style).info.device
    record_verdict(engine_key(style, "bf16", device), passed=False, because="mean dE 2.1, at most 0.5")
    info = OpenVinoEngine(style).info
    assert info.precision == "fp32" and info.key == engine_key(style, "fp32", device)
    bf16 = "BF16 is not used: calibration failed: mean dE 2.1, at most 0.5"
    assert bf16 in info.why and "INT8 is not built here yet" in info.why
    record_verdict(engine_key(style, "bf16", device), passed=True)
    assert verdict(engine_key(style, "bf16", device)) == "passed"
    assert entries() == [], "a verdict alone is no engine"


def test_a_requested_precision_is_used(crops_bgr: NDArray[np.uint8]) -> None:
    style = load_style("lips-glaze")
    full = OpenVinoEngine(style, precision="fp32", threads=1)
    assert full.info.precision == "fp32"
    off = np.abs(full.infer(crops_bgr) - TorchEngine(style, why="").infer(crops_bgr))
    assert off.max() < 0.01
    with pytest.raises(NotUsableError, match="int4.*int8, bf16, fp32"):
        OpenVinoEngine(style, precision="int4")
    with pytest.raises(NotUsableError, match="INT8 is not built here yet"):
        OpenVinoEngine(style, precision="int8")


def test_each_precision_size_and_style_has_its_own_verdict() -> None:
    lips, toon = load_style("lips-glaze"), load_style("toon")
    keys = {engine_key(style, precision, "here") for style in (lips, toon) for precision in ("int8", "bf16", "fp32")}
    keys |= {engine_key(toon.on("person"), "bf16", "here"), engine_key(toon, "bf16", "elsewhere")}
    assert len(keys) == 8


def test_openvino_is_loaded_without_telemetry() -> None:
    code = (
        "import sys\n"
        "from engines.style_lookup import load_style\n"
        "from engines.runtime.selector import open_engine\n"
        "open_engine(load_style('lips-glaze'), runtime='openvino')\n"
        "print(sys.modules['openvino_telemetry'], 'openvino.tools.ovc.telemetry_stub' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["None", "True"], done.stderr


def test_an_unknown_runtime_is_named() -> None:
    with pytest.raises(OptionsError, match="tpu.*auto, openvino, torch"):
        open_engine(load_style("lips-glaze"), runtime="tpu")
    assert selector.RUNTIMES[0] == "auto"
