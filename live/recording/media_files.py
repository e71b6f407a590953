"""The pictures and films of a folder, and the names of their results."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from live.picture_files.picture_reader import HEIC_SUFFIXES, PICTURE_SUFFIXES
from live.picture_files.picture_writer import WRITABLE_SUFFIXES
from live.recording.recording_file import SUFFIXES as WRITABLE_VIDEO_SUFFIXES

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")
Pairs = list[tuple[Path, Path]]
"""Input and output files."""


def collect_media(source: Path, output: Path) -> tuple[Pairs, list[str], Counter[str]]:
    """List the pictures and videos below a folder with their outputs.

    No output replaces an input or another output.

    Returns:
        The files, one message for each that cannot be done, and the numbers of other files by suffix.
    """
    root, out = source.resolve(), output.resolve()
    inputs: dict[Path, Path] = {}
    failed: list[str] = []
    paths, skipped = _media_files(source, out, failed)
    for path in paths:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            failed.append(f"{path}: a link that leads nowhere")
            continue
        if real.is_file() and not (out.is_relative_to(root) and real.is_relative_to(out)):
            inputs[path] = real
    pairs = []
    for path, target in _unique_targets({path: output / path.relative_to(source) for path in inputs}).items():
        if target.resolve() in inputs.values():
            failed.append(f"{path}: its result would replace the input {target}")
        else:
            pairs.append((path, target))
    return pairs, failed, skipped


def _media_files(source: Path, out: Path, failed: list[str]) -> tuple[list[Path], Counter[str]]:
    """Return all files with the suffix of a picture or video, and count the others, but for those below `out`.

    Unreadable folders are reported in `failed`.
    """
    paths: list[Path] = []
    skipped: Counter[str] = Counter()
    for folder, _, names in os.walk(source, onerror=lambda error: failed.append(f"{error.filename}: {error.strerror}")):
        for path in (Path(folder, name) for name in names):
            suffix = path.suffix.lower()
            if suffix in (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES):
                paths.append(path)
            elif not path.resolve().is_relative_to(out):
                skipped[suffix or "without suffix"] += 1
    return sorted(paths), skipped


def is_writable(path: Path) -> bool:
    """Return whether pictures or films are written with the suffix of a path."""
    return path.suffix.lower() in (*WRITABLE_SUFFIXES, *WRITABLE_VIDEO_SUFFIXES)


def other_suffix(path: Path) -> str:
    """Return the suffix of the result of a file whose own format is only read."""
    return ".jpg" if path.suffix.lower() in HEIC_SUFFIXES else ".mp4"


def _unique_targets(targets: dict[Path, Path]) -> dict[Path, Path]:
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
