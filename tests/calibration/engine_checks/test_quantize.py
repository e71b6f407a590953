"""INT8 engines built with NNCF: verdict, reuse, and use by the OpenVINO engine."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.root import ROOT

from calibration.engine_checks import int8_build, quantize
from calibration.engine_checks.engine_accuracy import Reference
from calibration.sets.set_pictures import stills
from engines.cache import cache_entry, engine_cache
from engines.cache.cache_entry import read_verdict, record_verdict, verdict
from engines.runtime.base import NotUsableError
from engines.runtime.openvino import int8_graph
from engines.runtime.openvino.converted_graph import convert_style, load_graph, openvino_core
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.runtime.openvino.int8_graph import RECIPES, Recipe, int8_key, why_not_buildable
from engines.runtime.torch.reference_engine import TorchEngine
from engines.style_lookup import load_style
from engines.styles import Style

pytest.importorskip("nncf", reason="NNCF is not installed: pip install 'veneer[int8]'")


@pytest.fixture
def style() -> Style:
    return load_style("lips-glaze")


@pytest.fixture
def reference(built_in_set: Path, style: Style) -> Reference:
    return Reference(style, TorchEngine(style, why="the reference"), stills(style), [])


def test_int8_engine_is_built_once_and_then_used(
    style: Style, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = OpenVinoEngine(style).info
    assert before.precision != "int8" and "INT8 is not built here yet" in before.why
    with pytest.raises(NotUsableError, match="veneer calibrate lips-glaze"):
        OpenVinoEngine(style, precision="int8")
    assert why_not_buildable(style) == ""
    found = quantize.build_int8(style, reference)
    assert found.passed and 0 < found.cases["all"].mean_de <= 1.0 and found.cases["all"].psnr_db >= 34
    engine = OpenVinoEngine(style)
    assert engine.info.precision == "int8" and engine.info.key == int8_key(style)
    assert verdict(engine.info.key) == "passed" and why_not_buildable(style) == "it is built already"
    (entry,) = cache_entry.entries()
    assert (entry.about.style, entry.about.precision, entry.verdict) == ("lips-glaze", "int8", "passed")
    assert entry.build_s is not None and entry.build_s > 0, "shown by veneer engines list"
    crops_bgr = np.stack([one.crop_bgr for one in reference.pictures[:3]])
    expected = TorchEngine(style, why="").infer(crops_bgr)
    for count in (1, 3):
        off = np.abs(engine.infer(crops_bgr[:count]) - expected[:count])
        assert 0 < off.mean() < 2, "INT8 deviates slightly from FP32"

    def never(*_: object) -> None:
        raise AssertionError("quantised a second time")

    monkeypatch.setattr(quantize, "quantize_graph", never)
    assert quantize.build_int8(style, reference).passed


def test_inaccurate_recipe_is_followed_by_the_next(
    style: Style, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = int8_graph.quantize_graph

    def blind_at_first(graph: object, pictures_bgr: list[np.ndarray], recipe: object) -> object:  # type: ignore[type-arg]
        black = [np.zeros_like(one) for one in pictures_bgr]  # ranges of black images clip all colours
        return real(graph, black if recipe == RECIPES[0] else pictures_bgr, recipe)  # type: ignore[arg-type]

    monkeypatch.setattr(quantize, "quantize_graph", blind_at_first)
    said: list[str] = []
    assert quantize.build_int8(style, reference, say=said.append).passed
    assert [RECIPES[0].name in said[0], RECIPES[1].name in said[1], len(said)] == [True, True, 2]
    found = read_verdict(int8_key(style))
    assert found is not None and found["scores"]["recipe"] == RECIPES[1].name


def test_failed_int8_is_not_used_and_not_rebuilt(
    style: Style, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = int8_graph.quantize_graph

    def blind(graph: object, pictures_bgr: list[np.ndarray], recipe: object) -> object:  # type: ignore[type-arg]
        return real(graph, [np.zeros_like(one) for one in pictures_bgr], recipe)  # type: ignore[arg-type]

    monkeypatch.setattr(quantize, "quantize_graph", blind)
    found = quantize.build_int8(style, reference, recipes=RECIPES[:1])
    assert not found.passed
    info = OpenVinoEngine(style).info
    assert info.precision != "int8" and "INT8 is not used: calibration failed: " in info.why
    assert why_not_buildable(style).startswith("calibration failed: ")
    assert OpenVinoEngine(style, precision="int8").info.precision == "int8", "an explicit precision is honoured"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("name", ["lips-glaze", "toon"])
def test_every_recipe_quantises_some_layers(name: str, recipe: Recipe, built_in_set: Path) -> None:
    style = load_style(name)
    if name == "toon":
        style = replace(style, size_wh=(64, 64))  # the same layers as at 256x256, in less time
    pictures_bgr = [one.crop_bgr for one in stills(style, most=1)]
    graph = load_graph(style, openvino_core())
    made = int8_graph.quantize_graph(graph, pictures_bgr, recipe)
    kinds = [node.get_type_name() for node in made.get_ordered_ops()]
    assert "FakeQuantize" in kinds and "FakeQuantize" not in [node.get_type_name() for node in graph.get_ordered_ops()]


def test_the_filter_of_flat_drawings_keeps_its_precision(built_in_set: Path) -> None:
    style = replace(load_style("sketch"), generator="flat_net", size_wh=(64, 64))  # the same weights
    pictures_bgr = [one.crop_bgr for one in stills(style, most=1)]
    made = int8_graph.quantize_graph(convert_style(style), pictures_bgr, RECIPES[0])
    kinds = [node.get_type_name() for node in made.get_ordered_ops()]
    last = max(place for place, kind in enumerate(kinds) if kind == "Convolution")
    assert "FakeQuantize" in kinds[:last] and "FakeQuantize" not in kinds[last:] and "Exp" in kinds[last:]


def test_int8_engine_without_verdict_is_not_used(style: Style, reference: Reference) -> None:
    quantize.build_int8(style, reference)
    folder = engine_cache.find(int8_key(style))
    assert folder is not None
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "verdict": None}))
    assert OpenVinoEngine(style).info.precision != "int8"
    assert why_not_buildable(style) == "", "the next build checks an engine without a verdict"


def test_missing_nncf_gives_an_install_hint(
    style: Style, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (quantize, int8_graph):
        monkeypatch.setattr(module, "nncf_installed", lambda: False)
    with pytest.raises(NotUsableError, match=r"pip install 'veneer\[int8\]'"):
        quantize.build_int8(style, reference)
    assert why_not_buildable(style) == "NNCF is not installed (pip install 'veneer[int8]')"


def run_build(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "calibration.engine_checks.int8_build", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def test_int8_builder_reports_progress_as_json_lines(built_in_set: Path, style: Style) -> None:
    done = run_build("lips-glaze", "--size", "90x30", "--region", "lips")
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [step["step"] for step in steps][-1] == "done" and "quantise" in {step["step"] for step in steps}
    assert OpenVinoEngine(style).info.precision == "int8"
    record_verdict(int8_key(style), passed=False, because="a colour is off")
    assert OpenVinoEngine(style).info.precision != "int8"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [(["nope"], "style 'nope'"), (["toon", "--size", "big"], "--size big"), (["toon", "--region", "lips"], "region")],
)
def test_int8_builder_prints_one_line_on_error(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert int8_build.main(arguments) == 2
    printed, error = capsys.readouterr()
    assert printed == "" and line in error and error.count("\n") == 1


def test_nncf_and_openvino_send_no_telemetry() -> None:
    code = (
        "import sys\n"
        "from engines.runtime.openvino.converted_graph import load_openvino\n"
        "load_openvino()\n"
        "import nncf.telemetry.wrapper as wrapper\n"
        "print(sys.modules['openvino_telemetry'], type(wrapper.telemetry).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.split() == ["None", "MagicMock"], done.stderr
