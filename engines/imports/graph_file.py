"""The kind of an imported graph's file, and the check of its bytes before another library parses them."""

from __future__ import annotations

from pathlib import Path

from engines.errors import os_errors
from engines.imports.onnx_file import read_onnx
from engines.imports.tflite_file import check_tflite

KINDS = ("onnx", "tflite")


def is_graph(path: Path) -> bool:
    """Whether a file is meant as a graph: by its suffix, or by the signature of TensorFlow Lite."""
    return path.suffix.lower().lstrip(".") in KINDS or _kind(path) == "tflite"


def checked_graph(path: Path) -> tuple[str, bytes]:
    """Return kind ("onnx" or "tflite") and bytes of a graph's file, with all tensors inside.

    Raises OptionsError if it is neither, is damaged, or claims more than it has.
    """
    kind = _kind(path)
    return kind, check_tflite(path) if kind == "tflite" else read_onnx(path)


def _kind(path: Path) -> str:
    with os_errors(f"file {path}", "check the path"), path.open("rb") as file:
        return "tflite" if file.read(8)[4:] == b"TFL3" else "onnx"
