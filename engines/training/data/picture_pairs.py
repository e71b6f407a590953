"""Find and read pictures of the same name in two folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError, VeneerError, os_errors

ImageU8 = NDArray[np.uint8]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


class Skipped(dict[str, list[str]]):
    """Pictures that cannot be used: entries that name the file, by reason."""

    def __missing__(self, reason: str) -> list[str]:
        return self.setdefault(reason, [])

    def line(self) -> str:
        """Return one line with the number and the first three entries of each reason, or "" if there are none."""
        listed = []
        for reason, names in self.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            listed += [f"{len(names)} {reason} ({', '.join(names[:3])}{more})"] if names else []
        return f"skipped: {'; '.join(listed)}" if listed else ""


def find_pairs(before: Path, after: Path, skipped: Skipped) -> list[tuple[str, Path, Path]]:
    """Return name and both files of every pair, sorted by name. The suffixes of a pair may differ.

    Files without a partner, and second files of one name, are added to `skipped`. Raises OptionsError if a folder is
    missing or holds no picture.
    """
    found = [pictures_in(folder, skipped) for folder in (before, after)]
    for here, there in (found, found[::-1]):
        skipped["without a partner"] += [str(here[name]) for name in sorted(here.keys() - there.keys())]
    return [(name, found[0][name], found[1][name]) for name in sorted(found[0].keys() & found[1].keys())]


def complete_pairs(before: Path, after: Path) -> list[tuple[Path, Path]]:
    """Return the files of all pairs, sorted by name, if every picture has a partner.

    Raises OptionsError if a folder is missing or empty, or a picture has no partner.
    """
    skipped = Skipped()
    pairs = find_pairs(before, after, skipped)
    if skipped.line():
        do = "pictures are paired by their file names: add the partner, or remove the picture"
        raise OptionsError(f"pairs in {before} and {after}", skipped.line().removeprefix("skipped: "), do)
    return [(one, other) for _, one, other in pairs]


def pictures_in(folder: Path, skipped: Skipped) -> dict[str, Path]:
    """Return the picture files of a folder by name, sorted. Second files of one name are added to `skipped`.

    Raises OptionsError if the folder is missing or holds no picture.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.name[0] != ".")
    except OSError as error:
        reason = {FileNotFoundError: "no such folder", NotADirectoryError: "a file, not a folder"}.get(type(error))
        got = reason or error.strerror or str(error)
        raise OptionsError(f"folder {folder}", got, "name a folder of pictures") from error
    if not paths:
        raise OptionsError(f"folder {folder}", "no picture in it", f"use {', '.join(_SUFFIXES)}")
    found: dict[str, Path] = {}
    for path in paths:
        if found.setdefault(path.stem, path) != path:
            skipped["with a duplicate name"].append(f"{path}, beside {found[path.stem].name}")
    return found


def read_rgb(path: Path) -> ImageU8:
    """Read a picture file as (H, W, 3) RGB uint8. Grey and 16-bit pictures are converted, transparency is dropped.

    Raises OptionsError if the file cannot be read, or is no picture.
    """
    requested = f"picture {path}"
    with os_errors(requested, "check the file and its permissions"):
        data = np.fromfile(path, np.uint8)
    try:
        picture_bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # larger than OpenCV's limit
        picture_bgr = None
    if picture_bgr is None:
        raise OptionsError(requested, "not a readable picture", "replace it, or remove it from both folders")
    return np.ascontiguousarray(picture_bgr[:, :, ::-1], np.uint8)


def read_pair(
    before: Path, after: Path, skipped: Skipped, read: Callable[[Path], ImageU8] = read_rgb, *, stacked: int = 1
) -> list[ImageU8]:
    """Return both pictures of a pair, (H, W, 3) uint8 as from `read`; [] if one is unreadable or their sizes differ.

    The second is `stacked` times as high as the first.
    """
    pictures: list[ImageU8] = []
    for path in (before, after):
        try:
            pictures.append(read(path))
        except VeneerError as error:
            skipped["unreadable"].append(f"{path}: {error.got}")
            return []
    height, width = pictures[0].shape[:2]
    one, other = size_text((stacked * height, width)), size_text(pictures[1].shape)
    if one != other:
        skipped["of another size"].append(f"{before}: {one}, its partner is {other}")
        return []
    return pictures


def cropped_to(picture: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    """Crop the middle of a picture (H, W, 3) uint8 to the aspect ratio of `size_wh`, and resize it to that size."""
    height, width = picture.shape[:2]
    scale = min(width / size_wh[0], height / size_wh[1])
    cut_w, cut_h = max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale))
    left, top = (width - cut_w) // 2, (height - cut_h) // 2
    interpolation = cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC
    cut = picture[top : top + cut_h, left : left + cut_w]
    return cv2.resize(cut, size_wh, interpolation=interpolation)  # type: ignore[return-value]


def size_text(shape: tuple[int, ...]) -> str:
    """Return "WxH" of the shape of a picture (H, W, 3)."""
    return f"{shape[1]}x{shape[0]}"
