"""Which files of a folder are to be done: those that are missing or changed since their last record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from live.batch.file_work import Item, WorkOrder
from live.batch.manifest import DONE, Manifest, Record
from live.recording.media_files import Pairs

InputOf = Callable[[Path], "tuple[int, int]"]
"""Returns size in bytes and time of change in ns of an input."""
BytesOf = Callable[[Path], "int | None"]
"""Returns the size of a result; None if there is none."""


@dataclass(slots=True)
class Plan:
    """What is to be done of a folder, and why the rest is not.

    Attributes:
        items: Files to do.
        done_before: Number of files whose results are complete and up to date.
        existed: Number of results that are kept because of --no-clobber.
        changed: Number of files to do that an earlier run has done; without those that --again asks for.
        quarantined: Records of files that failed on several workers and are not tried again.
    """

    items: list[Item] = field(default_factory=list)
    done_before: int = 0
    existed: int = 0
    changed: int = 0
    quarantined: list[Record] = field(default_factory=list)


def make_plan(
    order: WorkOrder, source: Path, pairs: Pairs, manifest: Manifest, input_of: InputOf, bytes_of: BytesOf
) -> Plan:
    """Compare the files of a folder with the manifest.

    Raises:
        OSError: A file cannot be examined.
    """
    plan, again = Plan(), order.options.again
    for path, target in pairs:
        item = Item(path.relative_to(source).as_posix(), path, target, input_of(path))
        record = manifest.get(item.path)
        is_current = record is not None and (record.input, record.recipe) == (item.input, order.recipe) and not again
        if record is not None and is_current and record.state == "quarantined":
            plan.quarantined.append(record)
        elif record is not None and is_current and record.state in DONE and bytes_of(target) == record.output_bytes:
            plan.done_before += 1
        elif order.options.no_clobber and bytes_of(target) is not None:
            plan.existed += 1
        else:
            plan.changed += record is not None and record.state in DONE and not again
            plan.items.append(item)
    return plan


def input_here(path: Path) -> tuple[int, int]:
    """Return size and time of change of a file on this machine. Raises OSError."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def bytes_here(path: Path) -> int | None:
    """Return the size of a file on this machine; None if it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return None
