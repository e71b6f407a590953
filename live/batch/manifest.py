"""The manifest beside the output of `veneer apply FOLDER OUT`: one line of JSON a file, only ever appended to.

A line is written in one call, so that several processes may append; the last line of a file counts. A line that a crash
cut off is no line: its file is done again. Opening reads no line but its name, so a million lines take a second or two.
"""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engines.errors import SinkError
from live.recording.recording_file import error_text

SUFFIX = ".veneer.jsonl"
_START, _END = b'{"path": "', b'", "state": '
DONE = ("done", "partial")
"""States in which an output is complete; of a partial one the input could be read only in part."""


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one file.

    Attributes:
        path: The input, relative to its folder, with forward slashes.
        state: "done", "partial", "failed" or "quarantined".
        output: The result, relative to its folder.
        input: Size in bytes and time of change in ns of the input.
        output_bytes: Size of the result.
        recipe: What the result depends on besides the input; see `live.batch.recipe`.
        precision: Runtime and precision of each style, such as "toon: openvino int8".
        frames: Number of pictures.
        seconds: How long it took.
        stages_s: Seconds of each stage; stages of a film overlap.
        error: Why it failed, or what of the input is missing.
        tries: How often it was tried.
        node: Where it was done; empty in the calling process.
        notes: Lines for the user; not kept in the manifest.
    """

    path: str
    state: str
    output: str = ""
    input: tuple[int, int] = (0, 0)
    output_bytes: int = 0
    recipe: dict[str, str] = field(default_factory=dict)
    precision: str = ""
    frames: int = 0
    seconds: float = 0.0
    stages_s: dict[str, float] = field(default_factory=dict)
    error: str = ""
    tries: int = 1
    node: str = ""
    notes: tuple[str, ...] = ()

    def line(self) -> bytes:
        """Return the record as a line of the manifest; path and state come first."""
        fields = {name: value for name, value in asdict(self).items() if name != "notes"}
        return json.dumps(fields).encode() + b"\n"


class Manifest:
    """The records of a folder. Another process may append to the same file meanwhile.

    Args:
        path: The file; it is created with its first record.

    Raises:
        SinkError: The file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data: mmap.mmap | bytes = b""
        self._offsets: dict[bytes, int] = {}
        self._exists = True
        try:
            self._read()
        except FileNotFoundError:
            self._exists = False
        except OSError as error:
            raise SinkError(f"manifest {path}", error_text(error), "check the file") from None

    def __len__(self) -> int:
        return len(self._offsets)

    def get(self, path: str) -> Record | None:
        """Return the record that was the last one of a file when the manifest was opened; None without one."""
        offset = self._offsets.get(json.dumps(path)[1:-1].encode())
        if offset is None:
            return None
        end = self._data.find(b"\n", offset)
        try:
            fields: dict[str, Any] = json.loads(self._data[offset : end if end >= 0 else len(self._data)])
            return Record(**{**fields, "input": tuple(fields["input"])})
        except (ValueError, TypeError, KeyError):  # cut off, or of another version
            return None

    def append(self, record: Record) -> None:
        """Add a record. Raises OSError: the folder is gone, or the disk is full."""
        create = 0 if self._exists else os.O_CREAT  # one that is gone with its folder comes back with it
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | create | getattr(os, "O_BINARY", 0), 0o666)
        self._exists = True
        try:
            os.write(descriptor, record.line())
        finally:
            os.close(descriptor)

    def _read(self) -> None:
        """Find the last line of every file, without parsing any."""
        with self.path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            offset, skip = 0, len(_START)
            for line in file:
                if line.startswith(_START):
                    self._offsets[line[skip : line.find(_END, skip)]] = offset
                offset += len(line)
        if not line.endswith(b"\n"):  # a crash cut it off: the next record begins a line of its own
            with self.path.open("ab") as file:
                file.write(b"\n")
