"""Look through an untrusted TensorFlow Lite file before another library parses it.

The format is a FlatBuffer (https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/schema/schema.fbs):
tables whose fields are offsets. All offsets that lead to operators, tensors and their bytes are followed here, inside
the file, and the shapes are compared with the bytes.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

from engines.errors import OptionsError
from engines.imports.onnx_fields import MAX_BYTES, Damaged
from engines.untrusted_files import read_whole, shown

_DO = "export the model again, with one picture in and one picture out"
_MAX_PARTS, _MAX_DIMS = 20_000, 8
_TRUNCATED = "it is truncated or not a TensorFlow Lite model"
_MODEL_CODES, _MODEL_GRAPHS, _MODEL_BUFFERS = 1, 2, 4
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 1, 2, 3
_CODE_CUSTOM = 1
_TENSOR_SHAPE, _TENSOR_BUFFER = 0, 2
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2


def check_tflite(path: Path) -> bytes:
    """Return the bytes of a TensorFlow Lite model.

    Raises:
        OptionsError: It is not such a model, is damaged, claims more than it has, has custom operators, or does not
            have one input and one output.
    """
    try:
        data = read_whole(path, MAX_BYTES)
        _Tables(data).model()
    except (Damaged, struct.error, IndexError, UnicodeDecodeError) as error:
        got = str(error) if isinstance(error, Damaged) else _TRUNCATED
        raise OptionsError(f"model {path}", got, _DO) from error
    except OSError as error:
        raise OptionsError(f"model {path}", error.strerror or str(error), "check the path") from error
    return data


class _Tables:
    """The tables of a FlatBuffer. Reading outside of it raises Damaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def model(self) -> None:
        if self._data[4:8] != b"TFL3":
            raise Damaged(_TRUNCATED)
        root = self._number(0)
        codes = self._tables(root, _MODEL_CODES)
        for code in codes:
            if self._field(code, _CODE_CUSTOM):
                raise Damaged("it has operators of its own, which cannot be read")
        buffers = [self._length_of(buffer, 0) for buffer in self._tables(root, _MODEL_BUFFERS)]
        graphs = self._tables(root, _MODEL_GRAPHS)
        if len(graphs) != 1:
            raise Damaged(f"it has {len(graphs)} graphs, and a style has one")
        self._graph(graphs[0], len(codes), buffers)

    def _graph(self, graph: int, codes: int, buffers: list[int]) -> None:
        tensors = self._tables(graph, _GRAPH_TENSORS)
        for tensor in tensors:
            shape = self._numbers(tensor, _TENSOR_SHAPE)
            buffer = self._scalar(tensor, _TENSOR_BUFFER)
            claimed = math.prod(max(1, side) for side in shape)
            if len(shape) > _MAX_DIMS or claimed > MAX_BYTES or buffer >= max(1, len(buffers)):
                raise Damaged(f"a tensor claims the shape {shown(tuple(shape))}")
        for operator in self._tables(graph, _GRAPH_OPERATORS):
            indices = self._numbers(operator, _OPERATOR_INPUTS) + self._numbers(operator, _OPERATOR_OUTPUTS)
            if self._scalar(operator, _OPERATOR_CODE) >= codes or any(
                one >= len(tensors) or one < -1 for one in indices
            ):
                raise Damaged(_TRUNCATED)
        for number, what in ((_GRAPH_INPUTS, "inputs"), (_GRAPH_OUTPUTS, "outputs")):
            indices = self._numbers(graph, number)
            if len(indices) != 1 or not 0 <= indices[0] < len(tensors):
                raise Damaged(f"it has {len(indices)} {what}, and a style has one picture")

    def _number(self, at: int) -> int:
        """Return the place that an unsigned offset at a place leads to."""
        place = at + int(struct.unpack_from("<I", self._data, at)[0])
        if not 0 < place < len(self._data) - 3:
            raise Damaged(_TRUNCATED)
        return place

    def _field(self, table: int, number: int) -> int:
        """Return the place of a table's field; 0 if the table does not have it."""
        back = int(struct.unpack_from("<i", self._data, table)[0])
        start = table - back
        if not 0 <= start <= len(self._data) - 4:
            raise Damaged(_TRUNCATED)
        length = int(struct.unpack_from("<H", self._data, start)[0])
        if 4 + 2 * number + 2 > length:
            return 0
        offset = int(struct.unpack_from("<H", self._data, start + 4 + 2 * number)[0])
        return table + offset if offset else 0

    def _vector(self, table: int, number: int, item_bytes: int) -> tuple[int, int]:
        """Return place and length of a vector."""
        field = self._field(table, number)
        if not field:
            return 0, 0
        vector = self._number(field)
        length = int(struct.unpack_from("<I", self._data, vector)[0])
        if vector + 4 + length * item_bytes > len(self._data):
            raise Damaged(f"it is truncated: a part claims {length * item_bytes} bytes, and there are fewer")
        return vector + 4, length

    def _tables(self, table: int, number: int) -> list[int]:
        start, length = self._vector(table, number, 4)
        if length > _MAX_PARTS:
            raise Damaged(f"it has more than {_MAX_PARTS} parts")
        return [self._number(start + 4 * index) for index in range(length)]

    def _numbers(self, table: int, number: int) -> list[int]:
        start, length = self._vector(table, number, 4)
        if length > _MAX_PARTS:
            raise Damaged(_TRUNCATED)
        return list(struct.unpack_from(f"<{length}i", self._data, start)) if length else []

    def _scalar(self, table: int, number: int) -> int:
        field = self._field(table, number)
        return int(struct.unpack_from("<I", self._data, field)[0]) if field else 0

    def _length_of(self, table: int, number: int) -> int:
        return self._vector(table, number, 1)[1]
