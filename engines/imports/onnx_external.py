"""The tensors of an ONNX model that are stored in other files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engines.imports.onnx_fields import MAX_BYTES, Damaged, Entry, Fields, varint
from engines.untrusted_files import plain_size, shown


def with_external(data: bytes, tensors: Sequence[Entry], path: Path) -> bytes:
    """Return the model of the path with these tensors, which are stored in other files of its folder, inside.

    Raises:
        Damaged: They claim more than the files have, or files of other folders.
        OSError: A file cannot be read.
    """
    claimed = len(data) + sum(_place(data, entry, path)[2] for entry in tensors)
    if claimed > MAX_BYTES:  # several tensors may claim the same bytes: nothing is read before
        raise Damaged(f"with its external tensors it has {claimed / 1e6:.0f} MB, more than {MAX_BYTES / 1e6:.0f}")
    replaced = {(entry.begin, entry.end): _whole_tensor(data, entry, path) for entry in tensors}
    return _rewritten(Fields(data), data, 0, len(data), replaced)


def _rewritten(walk: Fields, data: bytes, begin: int, end: int, replaced: dict[tuple[int, int], bytes]) -> bytes:
    """Return a message with some of its parts, at any depth, replaced; lengths are written anew."""
    out, last = bytearray(), begin
    for entry in walk.fields(begin, end):
        inside = [span for span in replaced if entry.begin <= span[0] and span[1] <= entry.end]
        if inside:
            new = replaced.get((entry.begin, entry.end))
            body = _rewritten(walk, data, entry.begin, entry.end, replaced) if new is None else new
            out += data[last : last + _key_length(data, last)] + varint(len(body)) + body
        else:
            out += data[last : entry.end]
        last = entry.end
    return bytes(out)


def _key_length(data: bytes, at: int) -> int:
    return next(length for length in range(1, 11) if data[at + length - 1] < 0x80)


def _whole_tensor(data: bytes, tensor: Entry, path: Path) -> bytes:
    """Return a tensor's message with its bytes inside. Raises Damaged or OSError."""
    kept, last = bytearray(), tensor.begin
    for entry in Fields(data).fields(tensor.begin, tensor.end):
        if entry.number not in (9, 13, 14):
            kept += data[last : entry.end]
        last = entry.end
    file, offset, length = _place(data, tensor, path)
    with file.open("rb") as opened:
        opened.seek(offset)
        content = opened.read(length)
    return bytes(kept) + b"\x4a" + varint(len(content)) + content  # field 9, raw_data


def _place(data: bytes, tensor: Entry, path: Path) -> tuple[Path, int, int]:
    """Return the file, the offset and the length of a tensor's bytes. Raises Damaged or OSError."""
    walk, where = Fields(data), dict[str, str]()
    for entry in walk.fields(tensor.begin, tensor.end):
        if entry.number == 13:
            pair = {one.number: walk.text(one) for one in walk.fields(entry.begin, entry.end)}
            where[pair.get(1, "")] = pair.get(2, "")
    location = where.get("location", "")
    folder, file = path.resolve().parent, (path.resolve().parent / location).resolve()
    if not location or "\0" in location or not file.is_relative_to(folder) or Path(location).is_absolute():
        raise Damaged(f"it refers to {shown(location)}, which is not in its folder")
    size = plain_size(file, MAX_BYTES)
    try:
        offset, length = int(where.get("offset", "0")), int(where.get("length", "-1"))
    except ValueError:
        raise Damaged(f"its tensors in {shown(location)} have no place") from None
    length = size - offset if length < 0 else length
    if offset < 0 or length < 0 or offset + length > size:
        raise Damaged(f"its tensors claim {length} bytes at {offset} of {shown(location)}, which has {size}")
    return file, offset, length
