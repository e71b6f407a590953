"""The pictures and films of a folder, and the names of their results."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from live.picture_files.picture_reader import HEIC_SUFFIXES, PICTURE_SUFFIXES
from live.picture_files.picture_writer import WRITABLE_SUFFIXES
from live.recording.recording_file import SUFFIXES as WRITABLE_VIDEO_SUFFIXES

VIDEO_SUFFIXES = (
    ".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".vob", ".wmv", ".asf", ".flv", ".ogv",
    ".ts", ".mts", ".m2ts", ".3gp", ".3g2", ".mxf",
)  # fmt: skip
Pairs = list[tuple[Path, Path]]
"""Input and output files."""


@dataclass(frozen=True, slots=True)
class Media:
    """The files of a folder.

    Attributes:
        pairs: Inputs and outputs.
        failed: One message for each file or folder that cannot be done.
        skipped: Numbers of other files by suffix.
    """

    pairs: Pairs
    failed: list[str]
    skipped: Counter[str]


def collect_media(source: Path, output: Path) -> Media:
    """List the pictures and videos below a folder with their outputs; links to folders are followed.

    No output replaces an input or another output.
    """
    root, out = source.resolve(), output.resolve()
    inputs: dict[Path, Path] = {}
    failed: list[str] = []
    paths, skipped = _media_files(source, failed)
    for path in paths:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            failed.append(f"{path}: a link that leads nowhere")
            continue
        if not real.is_file():
            failed.append(f"{path}: a pipe or a device, and no file")
        elif root.is_relative_to(out) or not real.is_relative_to(out):  # a link into the output
            inputs[path] = real
    pairs, taken = [], set(inputs.values())
    for path, target in unique_targets({path: output / path.relative_to(source) for path in inputs}).items():
        if target.resolve() in taken:
            failed.append(f"{path}: its result would replace the input {target}")
        else:
            pairs.append((path, target))
    return Media(pairs, failed, skipped)


def _media_files(source: Path, failed: list[str]) -> tuple[list[Path], Counter[str]]:
    """Return all files with the suffix of a picture or video, and count the others.

    Unreadable folders, and links that lead in a circle, are reported in `failed`.
    """
    paths: list[Path] = []
    skipped: Counter[str] = Counter()

    def unreadable(error: OSError) -> None:
        failed.append(f"{error.filename}: {error.strerror}")

    for folder, folders, names in os.walk(source, onerror=unreadable, followlinks=True):
        for link in [name for name in folders if _is_loop(Path(folder, name), source)]:
            folders.remove(link)
            failed.append(f"{Path(folder, link)}: a link to a folder that it lies in")
        for path in (Path(folder, name) for name in names):
            suffix = path.suffix.lower()
            if suffix in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES):
                paths.append(path)
            else:
                skipped[suffix or "without suffix"] += 1
    return sorted(paths), skipped


def _is_loop(folder: Path, source: Path) -> bool:
    """Whether a folder below `source` is a link to one that it lies in, which would be walked without end."""
    if not folder.is_symlink():
        return False
    real = folder.resolve()
    above = (parent for parent in folder.parents if parent.is_relative_to(source))
    return any(parent.resolve().is_relative_to(real) for parent in above)


def is_writable(path: Path) -> bool:
    """Return whether pictures or films are written with the suffix of a path."""
    return path.suffix.lower() in (*WRITABLE_SUFFIXES, *WRITABLE_VIDEO_SUFFIXES)


def other_suffix(path: Path) -> str:
    """Return the suffix of the result of a file whose own format is only read."""
    return ".jpg" if path.suffix.lower() in HEIC_SUFFIXES else ".mp4"


def unique_targets(targets: dict[Path, Path]) -> dict[Path, Path]:
    """Rename files of formats that cannot be written; if clip.mp4 is taken, clip.avi becomes clip.avi.mp4."""
    taken = {str(target).casefold() for target in targets.values() if is_writable(target)}
    unique = {}
    for path, target in targets.items():
        if not is_writable(target):
            suffix = other_suffix(target)
            longer, target = target, target.with_suffix(suffix)
            while str(target).casefold() in taken:
                target = longer = longer.with_name(f"{longer.name}{suffix}")
            taken.add(str(target).casefold())
        unique[path] = target
    return unique
