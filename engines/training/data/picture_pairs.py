"""Find and read pictures of the same name in two folders."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError

ImageU8 = NDArray[np.uint8]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(slots=True)
class Skipped:
    """Pictures that cannot be used, by reason. Each entry names the file."""

    unpaired: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return one line that lists them, or "" if there are none."""
        parts = (
            ("without a partner", self.unpaired),
            ("unreadable", self.unreadable),
            ("of another size", self.sizes),
            ("with a duplicate name", self.duplicates),
        )
        listed = [f"{len(names)} {reason} ({shortened(names)})" for reason, names in parts if names]
        return f"skipped: {'; '.join(listed)}" if listed else ""


def shortened(names: list[str]) -> str:
    """Return the first three names and the number of the others."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def find_pairs(before: Path, after: Path, skipped: Skipped) -> list[tuple[str, Path, Path]]:
    """Return name and both files of every pair, sorted by name. The suffixes of a pair may differ.

    Files without a partner, and second files of one name, are added to `skipped`.

    Raises:
        OptionsError: A folder is missing or holds no picture.
    """
    found = [_pictures_in(folder, skipped) for folder in (before, after)]
    for here, there in (found, found[::-1]):
        skipped.unpaired += [str(here[name]) for name in sorted(here.keys() - there.keys())]
    return [(name, found[0][name], found[1][name]) for name in sorted(found[0].keys() & found[1].keys())]


def complete_pairs(before: Path, after: Path) -> list[tuple[Path, Path]]:
    """Return the files of all pairs, sorted by name, if every picture has a partner.

    Raises:
        OptionsError: A folder is missing or empty, or a picture has no partner.
    """
    skipped = Skipped()
    pairs = find_pairs(before, after, skipped)
    if skipped.unpaired or skipped.duplicates:
        do = "pictures are paired by their file names: add the partner, or remove the picture"
        raise OptionsError(f"pairs in {before} and {after}", skipped.line().removeprefix("skipped: "), do)
    return [(one, other) for _, one, other in pairs]


def _pictures_in(folder: Path, skipped: Skipped) -> dict[str, Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.name[0] != ".")
    except OSError as error:
        reason = {FileNotFoundError: "no such folder", NotADirectoryError: "a file, not a folder"}.get(type(error))
        raise OptionsError(
            f"folder {folder}", reason or error.strerror or str(error), "name a folder of pictures"
        ) from error
    if not paths:
        raise OptionsError(f"folder {folder}", "no picture in it", f"use {', '.join(_SUFFIXES)}")
    found: dict[str, Path] = {}
    for path in paths:
        if found.setdefault(path.stem, path) != path:
            skipped.duplicates.append(f"{path}, beside {found[path.stem].name}")
    return found


def read_rgb(path: Path) -> ImageU8:
    """Read a picture file as (H, W, 3) RGB uint8. Grey and 16-bit pictures are converted, transparency is dropped.

    Raises:
        OptionsError: The file cannot be read, or is no picture.
    """
    requested = f"picture {path}"
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise OptionsError(requested, error.strerror or str(error), "check the file and its permissions") from error
    try:
        picture_bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # larger than OpenCV's limit
        picture_bgr = None
    if picture_bgr is None:
        raise OptionsError(requested, "not a readable picture", "replace it, or remove it from both folders")
    return np.ascontiguousarray(picture_bgr[:, :, ::-1], np.uint8)


def size_text(picture: ImageU8) -> str:
    """Return the size of a picture (H, W, 3) as "WxH"."""
    return f"{picture.shape[1]}x{picture.shape[0]}"
