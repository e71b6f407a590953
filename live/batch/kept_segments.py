"""Finished segments of a long film, which the next run reuses if this one is interrupted."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engines.files import atomic_write
from live.batch.file_work import Item, WorkOrder
from live.batch.manifest import Record
from live.sources.segment_source import FilmSegment

PREFIX = "segments-"
_DIVISION = "division.json"
_CHARACTERS = 16


class KeptSegments:
    """The folder of a film's segments: how the film is divided, the finished segments, and a record of each.

    Args:
        order: With a staging folder, in which the folder is.
        item: The film. Its folder is another one if the film or the recipe has changed.
    """

    def __init__(self, order: WorkOrder, item: Item) -> None:
        assert order.staging is not None
        about = json.dumps([item.path, item.input, order.recipe], sort_keys=True).encode()
        self.folder = order.staging / f"{PREFIX}{hashlib.sha256(about).hexdigest()[:_CHARACTERS]}"

    def division(self) -> list[FilmSegment]:
        """Return the segments of the run that was interrupted; empty without one."""
        return [FilmSegment(**fields) for fields in _read(self.folder / _DIVISION) or []]

    def keep_division(self, segments: list[FilmSegment]) -> None:
        """Make the folder, and store how the film is divided. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic_write(self.folder / _DIVISION, json.dumps([asdict(segment) for segment in segments]))

    def record(self, target: Path) -> Record | None:
        """Return the record of a segment that is finished; None if it is to be done."""
        fields = _read(target.with_suffix(".json"))
        if fields is None or not target.is_file() or target.stat().st_size != fields["output_bytes"]:
            return None
        return Record(**{**fields, "input": tuple(fields["input"]), "notes": ()})

    def keep_record(self, target: Path, record: Record) -> None:
        """Store the record of a finished segment. If the folder is gone, the segment would be done again."""
        with contextlib.suppress(OSError):
            atomic_write(target.with_suffix(".json"), json.dumps(asdict(record)))


def finished_in(folder: Path) -> int:
    """Return the number of finished segments in the folder of a film."""
    return sum(path.name != _DIVISION for path in folder.glob("*.json"))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):  # not there, or cut off
        return None
