"""Write TensorFlow Lite models of operators in a row, with the FlatBuffers builder that MediaPipe requires."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flatbuffers

TANH, LOGISTIC = 28, 14  # builtin operators
_FLOAT32 = 0


def unary_model(operators: Sequence[int], shape: Sequence[int] = (1, 64, 96, 3), *, custom: str = "") -> bytes:
    """Return a model whose operators have one input and one output of the same shape.

    Args:
        operators: Builtin codes, in order.
        shape: Of all tensors, NHWC.
        custom: Name of an operator of its own, in the place of the first.
    """
    builder = flatbuffers.Builder(1024)

    def vector(items: Sequence[int], add: Callable[[int], None], item_bytes: int = 4) -> int:
        builder.StartVector(item_bytes, len(items), 4)
        for item in reversed(items):
            add(item)
        return int(builder.EndVector())

    def table(fields: dict[int, tuple[str, int]], count: int) -> int:
        builder.StartObject(count)
        for number, (kind, value) in fields.items():
            getattr(builder, f"Prepend{kind}Slot")(number, value, 0)
        return int(builder.EndObject())

    def offsets(items: Sequence[int]) -> int:
        return vector(items, builder.PrependUOffsetTRelative)

    own = builder.CreateString(custom) if custom else 0
    codes = []
    for index, code in enumerate(operators):
        fields = {0: ("Int8", code), 2: ("Int32", 1), 3: ("Int32", code)}
        codes.append(table(fields | ({1: ("UOffsetTRelative", own)} if custom and not index else {}), 4))
    buffers = [table({}, 1)]
    names = [builder.CreateString(f"t{i}") for i in range(len(operators) + 1)]
    tensors = []
    for name in names:
        sides = vector(list(shape), builder.PrependInt32)
        tensors.append(table({0: ("UOffsetTRelative", sides), 1: ("Int8", _FLOAT32), 3: ("UOffsetTRelative", name)}, 8))
    nodes = []
    for index in range(len(operators)):
        into, out = (vector([index + step], builder.PrependInt32) for step in (0, 1))
        nodes.append(table({0: ("Uint32", index), 1: ("UOffsetTRelative", into), 2: ("UOffsetTRelative", out)}, 5))
    ends = [vector([index], builder.PrependInt32) for index in (0, len(operators))]
    parts = [offsets(tensors), *ends, offsets(nodes)]
    graph = table({number: ("UOffsetTRelative", part) for number, part in enumerate(parts)}, 5)
    lists = {1: offsets(codes), 2: offsets([graph]), 4: offsets(buffers)}
    model = table({0: ("Uint32", 3), **{number: ("UOffsetTRelative", part) for number, part in lists.items()}}, 5)
    builder.Finish(model, file_identifier=b"TFL3")
    return bytes(builder.Output())
