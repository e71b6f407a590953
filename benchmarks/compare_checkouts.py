"""Compare the pictures of two checkouts: `python -m benchmarks.compare_checkouts OLD NEW --photos DIR`.

Each checkout runs its own `veneer apply` through its own `.venv`, with the same looks, on the same photos and on the
same film of the demo portrait. The decoded pixels are compared. The exit code is 0 if every picture is bit-identical.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engines.looks_file import load_looks
from live.portrait import portrait_bgr

FILM_FRAMES = 150


@dataclass(frozen=True, slots=True)
class Difference:
    """Pictures in a file, those that differ or exist in one checkout only, and the largest difference, 0..255."""

    pictures: int
    differing: int
    max_levels: int


def pictures_of(path: Path) -> list[NDArray[np.uint8]]:
    """Decode a photo or all frames of a film, each (H, W, 3) uint8 BGR.

    Raises:
        FileNotFoundError: The file does not exist or holds no picture.
    """
    if path.suffix == ".mp4":
        with av.open(str(path)) as film:
            return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in film.decode(video=0)]
    photo: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if photo is None:
        raise FileNotFoundError(path)
    return [photo]


def compare(old: Path, new: Path) -> Difference:
    """Compare two files picture by picture."""
    pairs = list(zip(old_pictures := pictures_of(old), new_pictures := pictures_of(new), strict=False))
    missing = abs(len(old_pictures) - len(new_pictures))
    levels = [255 if a.shape != b.shape else int(cv2.absdiff(a, b).max()) for a, b in pairs]
    return Difference(len(pairs) + missing, sum(level > 0 for level in levels) + missing, max(levels, default=0))


def veneer(checkout: Path, home: Path, *arguments: str) -> None:
    """Run `veneer` of a checkout with its own settings, cache and data folders."""
    python = checkout.resolve() / ".venv" / "bin" / "python"
    environment = {**os.environ, "VENEER_HOME": str(home), "PYTHONPATH": str(checkout.resolve())}
    command = [str(python), "-m", "live", *arguments]
    subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL)


def make_inputs(folder: Path, photos: list[Path], new: Path) -> None:
    """Write the portrait, the photos and a film of the demo portrait into one folder."""
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "portrait.png"), portrait_bgr())
    for place in photos:
        for photo in sorted(place.iterdir()):
            if photo.suffix.lower() in (".png", ".jpg"):
                shutil.copy(photo, folder / f"{place.name}-{photo.name}")
    film, frames = str(folder / "demo.mp4"), str(FILM_FRAMES)
    arguments = ("--source", "demo", "--look", "none", "--sink", f"file:{film}", "--frames", frames)
    veneer(new, folder.parent / "film-home", "run", *arguments)


def main() -> None:
    """Compare two checkouts look by look and print one line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare_checkouts", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--photos", type=Path, action="append", default=[], help="folder of PNG and JPEG photos")
    parser.add_argument("--look", action="append", help="a look to compare; default: all shipped looks")
    asked = parser.parse_args()
    identical = True
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make_inputs(work / "in", asked.photos, asked.new)
        for look in asked.look or load_looks():
            outputs = {name: work / name / look for name in ("old", "new")}
            for name, checkout in (("old", asked.old), ("new", asked.new)):
                arguments = ("apply", str(work / "in"), str(outputs[name]), "--look", look, "--runtime", "openvino")
                outputs[name].parent.mkdir(exist_ok=True)
                veneer(checkout, work / f"{name}-home", *arguments)
            rows = [compare(outputs["old"] / path.name, path) for path in sorted(outputs["new"].iterdir())]
            pictures, differing = sum(row.pictures for row in rows), sum(row.differing for row in rows)
            worst = max(row.max_levels for row in rows)
            print(f"{look}: {pictures} pictures, {differing} differ, at most {worst} of 255", flush=True)
            identical &= differing == 0 and len(rows) == len(list(outputs["old"].iterdir()))
    sys.exit(0 if identical else 1)


if __name__ == "__main__":
    main()
