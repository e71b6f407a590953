"""Measure what `veneer apply` keeps of pictures: `python -m benchmarks.picture_files [--look LOOK] [--faces DIR]`.

Writes pictures of many makes with the same face, renders the look onto each, and compares the pixels outside the
painted region with the input, in CIEDE2000, each in the colours of its own profile. The painted region is found on
the plain PNG and widened, so that a coder's blocks at its edge are not counted. With `--faces`, the same for portraits
of a folder. The exit code is 0 if the mean difference of every picture is below 0.5 and every animation keeps its
frames and times.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from benchmarks.picture_files.picture_samples import face_rgb, portrait_rgb, write_animations, write_stills
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
    parser.add_argument("--faces", type=Path, help="folder of portraits (default: the built-in one)")
    parser.add_argument("--portraits", type=int, default=8, help="number of portraits of that folder")
    arguments = parser.parse_args()
    found = sorted(arguments.faces.rglob("*.jpg")) if arguments.faces else []
    chosen = [portrait_rgb(path) for path in found[:: max(1, len(found) // arguments.portraits)]]
    kept: dict[str, list[Kept]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as top:
        for number, portrait in enumerate(chosen[: arguments.portraits] or [face_rgb()]):
            for one in measure((arguments.keep or Path(top)) / str(number), portrait, arguments.look):
                kept[one.name].append(one)
    for name, same in kept.items():
        means, highest, one = [each.mean_de for each in same], max(each.max_de for each in same), same[0]
        words = f"dE {np.mean(means):6.3f} mean {max(means):6.3f} worst {highest:6.2f} pixel"
        print(f"{name:24} {words}   {one.before:44} -> {one.after}")
    everything = [one for same in kept.values() for one in same]
    mean_de, worst_de = (float(of([one.mean_de for one in everything])) for of in (np.mean, np.max))
    print(f"{len(everything)} files, dE outside the painted region: mean {mean_de:.3f}, worst file {worst_de:.3f}")
    changed = any(one.before != one.after for one in everything if "frames" in one.before)
    return int(worst_de >= MAX_MEAN_DE or changed)


def measure(folder: Path, portrait: NDArray[np.uint8], look: str) -> list[Kept]:
    """Write pictures of every make with a (320, 320, 3) RGB portrait into a folder, render a look, and compare."""
    source, output = folder / "in", folder / "out"
    source.mkdir(parents=True)
    write_stills(source, portrait)
    write_animations(source, portrait)
    apply_to(source, output, ApplyOptions(look=look, max_faces=1))
    outside = _outside(source / "plain.png", output / "plain.png")
    return [compare(path, _result_of(path, output), outside) for path in sorted(source.iterdir())]


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


def _outside(source: Path, painted: Path) -> NDArray[np.bool_]:
    """Return where the look did not paint, without a margin."""
    changed: Any = (read_picture(painted) != read_picture(source)).any(axis=2).astype(np.uint8)
    widened = cv2.dilate(changed, np.ones((2 * _WIDEN_PX + 1, 2 * _WIDEN_PX + 1), np.uint8))
    return np.asarray(widened == 0)


def _result_of(source: Path, output: Path) -> Path:
    suffix = ".jpg" if source.suffix == ".heic" else source.suffix
    return output / f"{source.stem}{suffix}"


if __name__ == "__main__":
    raise SystemExit(main())
