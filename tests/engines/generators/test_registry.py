"""Generators are found by their SPEC, without importing PyTorch, and identified by all their sources."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.root import ROOT

from engines import generators
from engines.errors import EngineError, OptionsError
from engines.generators import registry
from engines.generators.spec import Argument, GeneratorSpec

SPEC = 'SPEC = GeneratorSpec(\n    name="{name}",\n    network="Net",\n    paper="a test",\n    {more}\n)\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes the place of the package's own."""
    monkeypatch.setattr(generators, "__path__", [str(tmp_path)])
    return tmp_path


def test_specs_are_read_without_pytorch() -> None:
    code = (
        "import sys\n"
        "from engines.generators.registry import generator_specs\n"
        "from engines.style_lookup import load_style\n"
        "assert len(generator_specs()) >= 8\n"
        "assert load_style('toon').step_px == 16\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "imported",
    [
        "from engines.generators.deep import x",
        "from engines.generators import deep",
        "import engines.generators.deep",
        "from .deep import x",
        "from . import deep",
    ],
)
def test_the_digest_covers_transitive_imports(folder: Path, imported: str) -> None:
    (folder / "net.py").write_text("from engines.generators.shared import x\n" + SPEC.format(name="net", more=""))
    (folder / "shared.py").write_text(imported)
    (folder / "deep.py").write_text("x = 1")
    (folder / "unrelated.py").write_text("x = 1")
    digest = registry.source_digest("net")
    (folder / "unrelated.py").write_text("x = 2")
    assert registry.source_digest("net") == digest
    (folder / "deep.py").write_text("x = 2")
    assert registry.source_digest("net") != digest


def test_modules_without_a_spec_are_no_generators(folder: Path) -> None:
    (folder / "layers.py").write_text("x = 1")
    (folder / "b_net.py").write_text(SPEC.format(name="b", more=""))
    (folder / "a_net.py").write_text(SPEC.format(name="c", more=""))
    assert registry.generator_names() == ("b", "c")
    with pytest.raises(OptionsError, match="generator 'layers': there is no such generator - use b, c"):
        registry.generator_spec("layers")


@pytest.mark.parametrize("more", ["step_px=2**3", "step_px=STEP", "size=3", 'arguments={"x": int("3")}'])
def test_a_spec_that_is_not_literal_is_one_line(folder: Path, more: str) -> None:
    (folder / "net.py").write_text(SPEC.format(name="net", more=more))
    with pytest.raises(EngineError, match=r"SPEC in .*net\.py: not made of literals .*add-a-generator") as caught:
        registry.generator_spec("net")
    assert "\n" not in str(caught.value)


ARGUMENTS = {
    "count": Argument(2, 1, 5),
    "gain": Argument(0.5, 0.0, 1.0),
    "mode": Argument("a", choices=("a", "b")),
    "on": Argument(False),
}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("count", 5, 5), ("gain", 1, 1), ("gain", 0.25, 0.25), ("mode", "b", "b"), ("on", True, True), ("on", 1, True)],
)
def test_arguments_are_typed(name: str, value: Any, expected: Any) -> None:
    checked = GeneratorSpec("net", "Net", "a test", ARGUMENTS).check({name: value})
    assert checked == {name: expected} and isinstance(checked[name], type(expected))
    assert GeneratorSpec("net", "Net", "a test", ARGUMENTS).parse(f"{name}={str(value).lower()}") == {name: expected}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 6}, "count must be a whole number from 1 to 5"),
        ({"count": 2.0}, "count must be a whole number"),
        ({"count": True}, "count must be a whole number"),
        ({"count": "2"}, "count must be a whole number"),
        ({"count": 10**400}, "count must be a whole number"),
        ({"gain": float("nan")}, "gain must be a number from 0 to 1"),
        ({"mode": "c"}, "mode must be one of a, b"),
        ({"mode": 1}, "mode must be one of a, b"),
        ({"on": 2}, "on must be true or false"),
        ({"on": "true"}, "on must be true or false"),
        ({"other": 1}, "unknown argument 'other', expected one of count, gain, mode, on"),
        ([1], "a table of names and values"),
    ],
)
def test_wrong_arguments_are_named(arguments: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GeneratorSpec("net", "Net", "a test", ARGUMENTS).check(arguments)


@pytest.mark.parametrize("text", ["count", "count=", "count=2x", "count=[[", "on=yes", "mode=", "=1"])
def test_a_typed_argument_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        GeneratorSpec("net", "Net", "a test", ARGUMENTS).parse(text)


def test_the_step_may_depend_on_an_argument() -> None:
    spec = registry.generator_spec("pix2pix")
    assert (spec.multiple_px({}), spec.multiple_px({"depth": 5})) == (128, 32)
