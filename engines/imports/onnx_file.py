"""Look through an untrusted ONNX file before another library parses it.

The walk reads lengths and numbers only: it
compares what tensors claim with the bytes that they have, and collects inputs, outputs, operators and the files that
tensors are stored in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from engines.errors import OptionsError
from engines.imports.onnx_external import with_external
from engines.imports.onnx_fields import MAX_BYTES, Damaged, Entry, Fields
from engines.untrusted_files import read_whole, shown

_OPSETS = range(7, 27)
_DOMAINS = ("", "ai.onnx")
_MAX_NODES, _MAX_DEPTH = 20_000, 6
_ITEM_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}  # by data type
_DO = "export the model again, as one ONNX file of standard operators"
_EXTERNAL, _RAW = 1, 9
_MAX_DIMS = 16


@dataclass
class OnnxSummary:
    """What a file holds.

    Attributes:
        inputs: Names and shapes of the inputs that no initializer fills; -1 for sides that are not fixed.
        outputs: The same of the outputs.
        external: Ranges of the tensors that are stored in other files.
        nodes: Number of operators.
        opset: Version of the standard operators.
    """

    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    external: list[Entry] = field(default_factory=list)
    nodes: int = 0
    opset: int = 0
    _filled: set[str] = field(default_factory=set)


def read_onnx(path: Path) -> bytes:
    """Return an ONNX model as one file, with the tensors of other files inside.

    Raises:
        OptionsError: It is not an ONNX model, is damaged, claims more than it has, has operators of other domains, does
            not have one input, or refers to files outside of its folder.
    """
    requested = f"model {path}"
    try:
        data = read_whole(path, MAX_BYTES)
        summary = summarise(data)
        _check(summary)
        if summary.external:
            data = with_external(data, summary.external, path)
            summarise(data)  # the tensors are compared with the bytes that were read
        return data
    except Damaged as error:
        raise OptionsError(requested, str(error), _DO) from error
    except OSError as error:
        raise OptionsError(requested, error.strerror or str(error), "check the path") from error


def summarise(data: bytes) -> OnnxSummary:
    """Walk through a model. Raises Damaged."""
    walk = _Walk(data)
    summary = OnnxSummary()
    try:
        walk.model(summary)
    except (IndexError, OverflowError) as error:
        raise Damaged("it is truncated or not an ONNX model") from error
    for name in summary._filled:  # files of old versions list initializers among the inputs
        summary.inputs.pop(name, None)
    return summary


def _check(summary: OnnxSummary) -> None:
    if not summary.nodes or not summary.outputs:
        raise Damaged("it is truncated or not an ONNX model")
    if summary.opset not in _OPSETS:
        raise Damaged(f"its operators are of opset {summary.opset}, {_OPSETS[0]} to {_OPSETS[-1]} can be read")
    if len(summary.inputs) != 1:
        names = ", ".join(shown(name) for name in list(summary.inputs)[:4]) or "none"
        raise Damaged(f"it has {len(summary.inputs)} inputs ({names}), and a style has one picture")


class _Walk(Fields):
    """One walk through the bytes of a model."""

    def model(self, summary: OnnxSummary) -> None:
        for entry in self.fields(0, len(self.data)):
            if entry.number == 7:
                self._graph(entry, summary, 0)
            elif entry.number == 8:
                inner = {one.number: one for one in self.fields(entry.begin, entry.end)}
                domain = self.text(inner[1]) if 1 in inner else ""
                if domain in _DOMAINS:
                    summary.opset = inner[2].value if 2 in inner else 0
            elif entry.number == 25:
                raise Damaged("it has functions of its own, which cannot be read")

    def _graph(self, graph: Entry, summary: OnnxSummary, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise Damaged("its graphs are nested too deeply")
        for entry in self.fields(graph.begin, graph.end):
            if entry.number == 1:
                self._node(entry, summary, depth)
            elif entry.number == 5:
                name = self.tensor(entry, summary)
                if depth == 0:
                    summary._filled.add(name)
            elif entry.number in (11, 12) and depth == 0:
                name, shape = self._value(entry)
                (summary.inputs if entry.number == 11 else summary.outputs)[name] = shape
            elif entry.number == 15:
                raise Damaged("it has sparse tensors, which cannot be read")

    def _node(self, node: Entry, summary: OnnxSummary, depth: int) -> None:
        summary.nodes += 1
        if summary.nodes > _MAX_NODES:
            raise Damaged(f"it has more than {_MAX_NODES} operators")
        for entry in self.fields(node.begin, node.end):
            if entry.number == 7 and (domain := self.text(entry)) not in _DOMAINS:
                raise Damaged(f"it has operators of {shown(domain)}, which cannot be read")
            if entry.number != 5:
                continue
            for part in self.fields(entry.begin, entry.end):
                if part.number in (5, 10):
                    self.tensor(part, summary)
                elif part.number in (6, 11):
                    self._graph(part, summary, depth + 1)

    def tensor(self, tensor: Entry, summary: OnnxSummary) -> str:
        """Check one tensor; return its name."""
        dims, kind, held, raw, name, is_external = list[int](), 0, 0, -1, "", False
        for entry in self.fields(tensor.begin, tensor.end):
            if entry.number == 1:
                dims += self.numbers(entry)
            elif entry.number == 2:
                kind = entry.value
            elif entry.number == 8:
                name = self.text(entry)
            elif entry.number == 14:
                is_external = entry.value == _EXTERNAL
            elif entry.number == _RAW:
                raw = entry.end - entry.begin
            elif entry.number in (4, 5, 6, 7, 10, 11):
                held += max(1, entry.end - entry.begin)
        if len(dims) > _MAX_DIMS or any(side > MAX_BYTES for side in dims):
            raise Damaged(f"tensor {shown(name)} claims a shape that no tensor has")
        claimed = math.prod(dims) * _ITEM_BYTES.get(kind, 1)
        if claimed > MAX_BYTES:
            raise Damaged(f"tensor {shown(name)} claims {claimed / 1e9:.1f} GB")
        if is_external:
            summary.external.append(tensor)
        elif (claimed > raw) if raw >= 0 else (math.prod(dims) > held):
            raise Damaged(f"tensor {shown(name)} claims {claimed} bytes, and has {max(raw, held)}")
        return name

    def _value(self, value: Entry) -> tuple[str, tuple[int, ...]]:
        """Return name and shape of an input or output."""
        name, shape = "", list[int]()
        for entry in self.fields(value.begin, value.end):
            if entry.number == 1:
                name = self.text(entry)
            elif entry.number == 2:
                for kind in self.fields(entry.begin, entry.end):
                    for part in self.fields(kind.begin, kind.end) if kind.number == 1 else ():
                        for side in self.fields(part.begin, part.end) if part.number == 2 else ():
                            numbers = [one.value for one in self.fields(side.begin, side.end) if one.number == 1]
                            shape.append(numbers[0] if numbers and 0 < numbers[0] <= MAX_BYTES else -1)
        return name, tuple(shape)
