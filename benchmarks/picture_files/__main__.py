"""Measure what `veneer apply` keeps of pictures: `python -m benchmarks.picture_files [--look LOOK] [--keep DIR]`.

Writes pictures of many makes with the same face, renders the look onto each, and compares the pixels outside the
painted region with the input, in CIEDE2000, each in the colours of its own profile. The painted region is found on
the plain PNG and widened, so that a coder's blocks at its edge are not counted. The exit code is 0 if the mean
difference over all pictures is below 0.5 and every animation keeps its frames and times.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from benchmarks.picture_files.picture_samples import face_rgb, write_animations, write_stills
from benchmarks.picture_files.rgb_profiles import ADOBE_RGB, DISPLAY_P3, PROPHOTO, SRGB
from live.options import ApplyOptions
from live.picture_files.picture import Picture
from live.picture_files.picture_reader import PictureFile, read_picture
from live.recording.file_apply import apply_to

MAX_MEAN_DE = 0.5
_WIDEN_PX = 25
_PROFILES = {profile.icc(): profile for profile in (ADOBE_RGB, PROPHOTO, DISPLAY_P3)}


@dataclass(frozen=True)
class Kept:
    """What is kept of one file: mean and highest CIEDE2000 outside the painted region, and its properties."""

    name: str
    mean_de: float
    max_de: float
    before: str
    after: str


def main() -> int:
    """Print one line per file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--look", default="matte-red")
    parser.add_argument("--keep", type=Path, help="write the pictures into this folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        folder = arguments.keep or Path(top)
        source, output = folder / "in", folder / "out"
        source.mkdir(parents=True)
        write_stills(source)
        write_animations(source)
        apply_to(source, output, ApplyOptions(look=arguments.look, max_faces=1))
        outside = _outside(output / "plain.png")
        kept = [compare(path, _result_of(path, output), outside) for path in sorted(source.iterdir())]
    for one in kept:
        print(f"{one.name:24} dE {one.mean_de:6.3f} mean {one.max_de:6.2f} max   {one.before:44} -> {one.after}")
    mean_de = float(np.mean([one.mean_de for one in kept]))
    print(f"{len(kept)} files, mean dE outside the painted region {mean_de:.3f}")
    animations = [one for one in kept if "frames" in one.before]
    return int(mean_de >= MAX_MEAN_DE or any(one.before != one.after for one in animations))


def compare(source: Path, result: Path, outside: NDArray[np.bool_]) -> Kept:
    """Compare the frames of a file with those of its result.

    Args:
        outside: (H, W), True where the look does not paint.
    """
    before, after = PictureFile(source), PictureFile(result)
    pairs = list(zip(before.frames(), after.frames(), strict=True))
    differences = [deltaE_ciede2000(_lab(one), _lab(other))[_visible(one, outside)] for one, other in pairs]
    everywhere = np.concatenate(differences)
    words = [_in_words(file, [pair[side] for pair in pairs]) for side, file in enumerate((before, after))]
    return Kept(source.name, float(everywhere.mean()), float(everywhere.max()), *words)


def _in_words(file: PictureFile, pictures: list[Picture]) -> str:
    first = pictures[0]
    words = [f"{8 * first.rgb.itemsize} bit", "grey" if first.is_grey else "RGB"]
    words += ["alpha"] if first.alpha is not None else []
    words += [_PROFILES[first.profile.icc].name] if first.profile else []
    words += ["EXIF"] if first.exif else []
    if len(pictures) > 1:
        total_ms = sum(picture.duration_ms for picture in pictures)
        words += [f"{len(pictures)} frames {total_ms:g} ms, plays {file.plays}"]
    return ", ".join(words)


def _lab(picture: Picture) -> NDArray[np.float64]:
    profile = _PROFILES[picture.profile.icc] if picture.profile else SRGB
    return profile.lab(picture.rgb)


def _visible(picture: Picture, outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return outside if picture.alpha is None else outside & (picture.alpha > 0)


def _outside(painted: Path) -> NDArray[np.bool_]:
    """Return where the look did not paint, without a margin."""
    changed: Any = (read_picture(painted) != face_rgb()[:, :, ::-1]).any(axis=2).astype(np.uint8)
    widened = cv2.dilate(changed, np.ones((2 * _WIDEN_PX + 1, 2 * _WIDEN_PX + 1), np.uint8))
    return np.asarray(widened == 0)


def _result_of(source: Path, output: Path) -> Path:
    suffix = ".jpg" if source.suffix == ".heic" else source.suffix
    return output / f"{source.stem}{suffix}"


if __name__ == "__main__":
    raise SystemExit(main())
