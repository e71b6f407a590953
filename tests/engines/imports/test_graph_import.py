"""ONNX and TensorFlow Lite files become styles that draw what their graphs compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.tflite_writer import LOGISTIC, TANH, unary_model

from benchmarks.common.onnx_writer import fast_style, field, model, node, tensor
from engines.errors import LookError, OptionsError
from engines.imports.graph_import import GraphOptions
from engines.imports.style_import import ImportRequest, import_as_style
from engines.runtime.selector import open_engine, reference_engine
from engines.style_lookup import load_style, own_folder, own_names

SIZE_WH = (96, 64)
NCHW, NHWC = (1, 3, 64, 96), (1, 64, 96, 3)
RANGES = {"0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0), "0..255": (0.0, 255.0)}


def reddened(by: float, clip: tuple[float, float], shape: tuple[int, ...] = NCHW, **options: Any) -> bytes:
    """A graph that adds a value to the first colour, and clips."""
    first = np.array([by, 0, 0], np.float32).reshape((3, 1, 1) if shape[1] == 3 else (3,))
    low, high = (np.array(value, np.float32) for value in clip)
    nodes = [node("Add", ["x", "first"], "y"), node("Clip", ["y", "low", "high"], "z")]
    constants = [tensor("first", first), tensor("low", low), tensor("high", high)]
    return model(nodes, constants, {"x": shape}, {"z": shape}, **options)


def imported(path: Path, content: bytes, **given: Any) -> str:
    """Import a file as the style "mine"; return what was said."""
    path.write_bytes(content)
    return import_as_style(ImportRequest(**{"name": "mine", "file": path, **given}), say=print)


def drawn(regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    return open_engine(load_style("mine")).infer(regions_bgr).copy()


@pytest.fixture
def crop_bgr(portrait_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(portrait_bgr[None, 64:128, 180:276])


@pytest.mark.parametrize(
    ("shape", "colours", "span"),
    [(NCHW, "rgb", "0..1"), (NHWC, "bgr", "-1..1"), (NCHW, "bgr", "0..255"), (NHWC, "rgb", "0..1")],
)
def test_axes_colours_and_ranges_are_those_of_the_graph(
    shape: tuple[int, ...], colours: str, span: str, tmp_path: Path, crop_bgr: NDArray[np.uint8]
) -> None:
    low, high = RANGES[span]
    content = reddened((high - low) / 5, (low, high), shape)
    options = GraphOptions(colours=colours, input_range=span)
    said = imported(tmp_path / "net.onnx", content, graph=options, region="frame")
    assert f"takes 96x64, {'nchw' if shape is NCHW else 'nhwc'}, {colours}, {span} to {span}" in said
    expected = crop_bgr.astype(np.float32)
    expected[..., 2 if colours == "rgb" else 0] += 51
    assert np.abs(drawn(crop_bgr) - expected.clip(0, 255)).max() < 1.5  # in BF16, where the processor has it


def test_graph_says_its_ranges_and_takes_any_size(tmp_path: Path, crop_bgr: NDArray[np.uint8]) -> None:
    content = fast_style(2, 1, ("height", "width"))
    said = imported(tmp_path / "net.onnx", content, size="96x64", region="person")
    assert said.startswith("net.onnx takes 96x64, nchw, rgb, 0..255 to 0..1; ")
    style = load_style("mine")
    assert style.covers and style.needs_person and style.on("head").size_wh == SIZE_WH
    four = np.ascontiguousarray(np.concatenate([crop_bgr, crop_bgr[:, ::-1], crop_bgr // 2, crop_bgr[:, :, ::-1]]))
    assert np.abs(drawn(four)[1:2] - drawn(four[1:2])).max() < 0.5


def test_graph_of_one_picture_a_call_draws_several_faces(tmp_path: Path, crop_bgr: NDArray[np.uint8]) -> None:
    shape = tensor("shape", np.array(NCHW, np.int64))
    nodes = [node("Reshape", ["x", "shape"], "y"), node("Tanh", ["y"], "z")]
    content = model(nodes, [shape], {"x": NCHW}, {"z": NCHW})
    imported(tmp_path / "net.onnx", content, graph=GraphOptions(input_range="-1..1"))
    assert load_style("mine").graph is not None and load_style("mine").graph.one_face  # type: ignore[union-attr]
    two = np.ascontiguousarray(np.concatenate([crop_bgr, crop_bgr // 2]))
    expected = (np.tanh(two.astype(np.float64) / 127.5 - 1) + 1) * 127.5
    assert np.abs(drawn(two) - expected).max() < 2
    reference = reference_engine(load_style("mine"))
    assert reference.info.name == "openvino fp32" and np.abs(reference.infer(two) - expected).max() < 0.1


def test_means_of_photographs_tell_colours_and_range(tmp_path: Path) -> None:
    means = tensor("means", np.array([103.9, 116.8, 123.7], np.float32).reshape(3, 1, 1))
    nodes = [node("Sub", ["x", "means"], "y"), node("Sigmoid", ["y"], "z")]
    said = imported(tmp_path / "net.onnx", model(nodes, [means], {"x": NCHW}, {"z": NCHW}))
    assert "nchw, bgr, 0..255 to 0..1" in said


def test_tensorflow_lite_file_is_imported(tmp_path: Path, crop_bgr: NDArray[np.uint8]) -> None:
    said = imported(tmp_path / "net.tflite", unary_model([TANH]), graph=GraphOptions(input_range="-1..1"))
    assert "takes 96x64, nhwc, rgb, -1..1 to -1..1" in said
    assert load_style("mine").weights.name == "mine.tflite"
    expected = (np.tanh(crop_bgr.astype(np.float64) / 127.5 - 1) + 1) * 127.5
    assert np.abs(drawn(crop_bgr) - expected).max() < 2


def test_tensors_in_files_beside_the_model_are_taken_in(tmp_path: Path, crop_bgr: NDArray[np.uint8]) -> None:
    (tmp_path / "weights.bin").write_bytes(b"....." + np.array([0.2, 0, 0], np.float32).tobytes())
    place = {"location": "weights.bin", "offset": 5, "length": 12}
    content = reddened(0.2, (0, 1)).replace(
        field(5, tensor("first", np.array([0.2, 0, 0], np.float32).reshape(3, 1, 1))), b""
    )
    constants = [tensor("first", np.zeros((3, 1, 1), np.float32), external=place)]
    low, high = (tensor(name, np.array(value, np.float32)) for name, value in (("low", 0), ("high", 1)))
    nodes = [node("Add", ["x", "first"], "y"), node("Clip", ["y", "low", "high"], "z")]
    content = model(nodes, [*constants, low, high], {"x": NCHW}, {"z": NCHW})
    imported(tmp_path / "net.onnx", content, graph=GraphOptions(input_range="0..1"))
    (tmp_path / "weights.bin").unlink()
    assert b"weights.bin" not in load_style("mine").weights.read_bytes()
    expected = crop_bgr.astype(np.float32)
    expected[..., 2] += 51
    assert np.abs(drawn(crop_bgr) - expected.clip(0, 255)).max() < 1.5


def claiming(location: str) -> bytes:
    place = {"location": location, "offset": 0, "length": 12}
    constants = [tensor("first", np.zeros((3, 1, 1), np.float32), external=place)]
    return model([node("Add", ["x", "first"], "z")], constants, {"x": NCHW}, {"z": NCHW})


def of_gigabytes() -> bytes:
    claimed = b"".join(field(1, side) for side in (1 << 15, 1 << 15)) + field(2, 1) + field(8, "first") + field(9, b"")
    return model([node("Add", ["x", "first"], "z")], [claimed], {"x": NCHW}, {"z": NCHW})


PLAIN = [node("Sigmoid", ["x"], "z")]
REFUSED: dict[str, tuple[bytes, str]] = {
    "two inputs": (model(PLAIN, [], {"x": NCHW, "mask": (1, 1, 64, 96)}, {"z": NCHW}), "2 inputs .'x', 'mask'."),
    "two pictures": (
        model([*PLAIN, node("Tanh", ["x"], "v")], [], {"x": NCHW}, {"z": NCHW, "v": NCHW}), "needs one picture",
    ),
    "another size": (
        model([node("GlobalAveragePool", ["x"], "z")], [], {"x": NCHW}, {"z": (1, 3, 1, 1)}), "of its input's size",
    ),
    "a sound": (model(PLAIN, [], {"x": (1, 16000)}, {"z": (1, 16000)}), "takes one picture with three colours"),
    "no range": (model(PLAIN, [], {"x": NCHW}, {"z": NCHW}), "add --range with 0..1 or -1..1 or 0..255"),
    "no range of the picture": (
        model([node("Div", ["x", "c"], "y"), node("Abs", ["y"], "z")], [tensor("c", np.array(255, np.float32))],
              {"x": NCHW}, {"z": NCHW}),
        "add --output-range",
    ),
    "not a number": (
        model([node("Mul", ["x", "c"], "y"), node("Sigmoid", ["y"], "z")],
              [tensor("c", np.array([1, np.nan, 1], np.float32).reshape(3, 1, 1))], {"x": NCHW}, {"z": NCHW}),
        "its weights contain NaN",
    ),
    "no axes": (model(PLAIN, [], {"x": ("a", "b", "c", "d")}, {"z": ("a", "b", "c", "d")}), "add --layout with nchw"),
    "too large": (model(PLAIN, [], {"x": (1, 3, 9000, 9000)}, {"z": (1, 3, 9000, 9000)}), "9000x9000 pixels"),
    "old operators": (model(PLAIN, [], {"x": NCHW}, {"z": NCHW}, opset=3), "opset 3, 7 to 26"),
    "future operators": (model(PLAIN, [], {"x": NCHW}, {"z": NCHW}, opset=99), "opset 99"),
    "own operators": (
        model([node("FusedThing", ["x"], "z", domain="com.example")], [], {"x": NCHW}, {"z": NCHW}),
        "operators of 'com.example'",
    ),
    "unknown operator": (model([node("Draw", ["x"], "z")], [], {"x": NCHW}, {"z": NCHW}), "Draw"),
    "4 GB": (of_gigabytes(), r"tensor 'first' claims 4\.3 GB"),
    "a file above": (claiming("../weights.bin"), "refers to '../weights.bin', which is not in its folder"),
    "an absolute file": (claiming("/etc/passwd"), "refers to '/etc/passwd', which is not in its folder"),
    "a missing file": (claiming("weights.bin"), "No such file"),
    "a name of bytes": (claiming("weights.bin").replace(b"weights.bin", b"w\x9eights.bin"), "is not a text"),
    "truncated": (fast_style(2, 1)[:-200], "truncated"),
    "text": (b"hello, this is no model", "truncated or not an ONNX model"),
    "empty": (b"", "truncated or not an ONNX model"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_unusable_onnx_file_is_one_line(kind: str, tmp_path: Path) -> None:
    content, line = REFUSED[kind]
    with pytest.raises(OptionsError, match=line) as caught:
        imported(tmp_path / "net.onnx", content)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600 and own_names() == ()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (unary_model([TANH], custom="Draw"), "operators of its own"),
        (unary_model([TANH])[:120], "truncated"),
        (unary_model([TANH], (1, 40000, 40000, 3)), "claims the shape"),
        (unary_model([LOGISTIC], (1, 64, 96, 1)), "add --layout"),
        (b"\x10\0\0\0TFL3" + b"\xff" * 60, "truncated"),
    ],
)
def test_unusable_tflite_file_is_one_line(content: bytes, line: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=line) as caught:
        imported(tmp_path / "net.tflite", content)
    assert str(caught.value).isprintable() and own_names() == ()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"graph": GraphOptions(input_range="0..2")}, "--range '0..2': not a value for it - use 0..1"),
        ({"graph": GraphOptions(layout="hwc")}, "--layout 'hwc'"),
        ({"program": "cyclegan"}, "holds its network - leave out --as"),
    ],
)
def test_wrong_option_for_a_graph_is_one_line(given: dict[str, Any], line: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=line):
        imported(tmp_path / "net.onnx", reddened(0.2, (0, 1)), **given)


def test_changed_file_or_card_of_a_graph_is_one_line(tmp_path: Path, crop_bgr: NDArray[np.uint8]) -> None:
    imported(tmp_path / "net.onnx", reddened(0.2, (0, 1)), graph=GraphOptions(input_range="0..1"))
    style = load_style("mine")
    style.weights.write_bytes(style.weights.read_bytes()[:-90])
    with pytest.raises(Exception, match="truncated.*import the style again") as caught:
        open_engine(style)
    assert str(caught.value).isprintable()
    card = (own_folder() / "mine.json").read_text()
    for changed in (card.replace('"nchw"', '"hwc"'), card.replace("96", "1e99"), card.replace('"head"', '"lips"')):
        (own_folder() / "mine.json").write_text(changed)
        with pytest.raises(LookError, match="style card .*mine"):
            load_style("mine")
