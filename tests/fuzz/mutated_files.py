"""Pictures and films with mutated headers: `python -m tests.fuzz.mutated_files FOLDER COUNT` writes them.

`veneer apply FOLDER OUTPUT` must then neither crash nor hang, and say one line for each file that it cannot do.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tests.fuzz import samples
from tests.fuzz.mutations import mutate_media

_SUFFIXES = {  # by the first bytes, or those after the fourth
    b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"II*\0": "tiff", b"BM": "bmp", b"GIF8": "gif", b"\x1aE\xdf\xa3": "mkv",
    b"RIFF": "webp", b"G@": "ts", b"ftyp": "mp4",
}  # fmt: skip


def write_mutated_files(folder: Path, count: int, *, seed: int = 0) -> list[Path]:
    """Write files of every kind, each mutated; the same seed gives the same files."""
    rng = random.Random(seed)
    kinds = [(_suffix(data), data) for data in samples.pictures() + samples.videos()]
    kinds = [(suffix, data) for suffix, data in kinds if suffix]
    rng.shuffle(kinds)
    paths = []
    for number in range(count):
        suffix, data = kinds[number % len(kinds)]
        paths.append(folder / f"{number:04}.{suffix}")
        paths[-1].write_bytes(mutate_media(data, rng))
    return paths


def _suffix(data: bytes) -> str | None:
    if data[8:12] == b"AVI ":
        return "avi"
    return next((name for start, name in _SUFFIXES.items() if start in (data[: len(start)], data[4:8])), None)


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True)
    write_mutated_files(Path(sys.argv[1]), int(sys.argv[2]))
