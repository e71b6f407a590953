"""The protobuf fields of an untrusted ONNX file.

The coding is described in https://protobuf.dev/programming-guides/encoding, the messages in
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MAX_BYTES = 500_000_000
_MAX_FIELDS = 2_000_000
_LENGTH = 2  # the coding of bytes, texts and messages


class Damaged(ValueError):  # noqa: N818
    """The bytes are not what an ONNX file has, or claim too much."""


class Entry(NamedTuple):
    """One field of a message: its number, its value if it is a number, the range of its bytes, and how it is coded."""

    number: int
    value: int
    begin: int
    end: int
    wire: int


class Fields:
    """Reads the fields of a file's messages.

    Args:
        data: The file.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self._fields = data, 0

    def fields(self, begin: int, end: int) -> Iterator[Entry]:
        """Yield the fields of a message. Raises Damaged if one does not end inside."""
        at = begin
        while at < end:
            self._fields += 1
            if self._fields > _MAX_FIELDS:
                raise Damaged(f"it has more than {_MAX_FIELDS} fields")
            key, at = self.varint(at, end)
            number, kind, value, start = key >> 3, key & 7, 0, at
            if kind == 0:
                value, at = self.varint(at, end)
            elif kind == _LENGTH:
                length, start = self.varint(at, end)
                at = start + length
            elif kind in (1, 5):
                at += 8 if kind == 1 else 4
            else:
                raise Damaged("it is truncated or not an ONNX model")
            if at > end:
                raise Damaged("it is truncated: a part claims more bytes than there are")
            yield Entry(number, value, start, at, kind)

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """Return the number at a position, and the position after it."""
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise Damaged("it is truncated or not an ONNX model")
            byte = self.data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (2**64 - 1), at
        raise Damaged("it is truncated or not an ONNX model")

    def text(self, entry: Entry) -> str:
        """Return a field's bytes as text. Raises Damaged if they are none."""
        try:
            return self.data[entry.begin : entry.end].decode()
        except UnicodeDecodeError:
            raise Damaged("a name in it is not a text") from None

    def numbers(self, entry: Entry) -> list[int]:
        """Return one number, or several in one field; negative ones are large."""
        if entry.wire != _LENGTH:
            return [entry.value]
        numbers, at = list[int](), entry.begin
        while at < entry.end:
            value, at = self.varint(at, entry.end)
            numbers.append(value)
        return numbers


def varint(value: int) -> bytes:
    """Return a number of 0 or more as a base-128 varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
