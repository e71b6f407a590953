"""Same-named pictures, before and after: finding them, reading them, and the score that compares two of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError

ImageU8 = NDArray[np.uint8]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_BEST_DB = 100.0
_TWIN_CORRELATION = 0.955


def partners(before: Path, after: Path) -> list[tuple[Path, Path]]:
    """The pictures of two folders that have the same file name, in the order of their names.

    Raises:
        OptionsError: a folder is missing or empty, or a picture has no partner in the other folder.
    """
    found = [_pictures(folder) for folder in (before, after)]
    for names, here, there in ((found[0] - found[1], before, after), (found[1] - found[0], after, before)):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            asked, got = f"a partner of {here / min(names)}{more}", f"{there} holds no picture of that name"
            raise OptionsError(asked, got, "pictures are paired by their file names: add it, or take the other away")
    return [(before / name, after / name) for name in sorted(found[0])]


def _pictures(folder: Path) -> set[str]:
    try:
        names = {path.name for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.name[0] != "."}
    except OSError as error:
        raise OptionsError(f"folder {folder}", _reason(error), "name a folder that holds pictures") from error
    if not names:
        raise OptionsError(f"folder {folder}", "no picture in it", f"it wants files ending in {', '.join(_SUFFIXES)}")
    return names


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such folder"
    return "that is a file, not a folder" if isinstance(error, NotADirectoryError) else (error.strerror or str(error))


def read_rgb(path: Path) -> ImageU8:
    """A picture file as (H, W, 3) RGB uint8; grey and 16-bit pictures are converted, transparency is dropped.

    Raises:
        OptionsError: the file cannot be read, or is no picture.
    """
    asked = f"picture {path}"
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise OptionsError(asked, error.strerror or str(error), "check the file and its rights") from error
    try:
        picture_bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # larger than OpenCV takes
        picture_bgr = None
    if picture_bgr is None:
        raise OptionsError(asked, "not a readable picture", "replace it, or take it out of both folders")
    return np.ascontiguousarray(picture_bgr[:, :, ::-1], np.uint8)


def read_pairs(before: Path, after: Path, size_wh: tuple[int, int]) -> tuple[ImageU8, ImageU8]:
    """All pairs of two folders as two arrays (N, H, W, 3), RGB uint8, in the order of the file names.

    Raises:
        OptionsError: see `partners` and `read_rgb`; or a picture has another size.
    """
    stacks: tuple[list[ImageU8], list[ImageU8]] = ([], [])
    for pair in partners(before, after):
        for stack, path in zip(stacks, pair, strict=True):
            picture_rgb = read_rgb(path)
            height, width = picture_rgb.shape[:2]
            if (width, height) != size_wh:
                wanted = f"{size_wh[0]}x{size_wh[1]}"
                raise OptionsError(f"picture {path} at {wanted}", f"it is {width}x{height}", f"cut crops of {wanted}")
            stack.append(picture_rgb)
    return np.stack(stacks[0]), np.stack(stacks[1])


def psnr_db(one: ImageU8, other: ImageU8) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures of the same shape, peak 255; 100 dB where they are equal."""
    error = float(np.mean(np.square(one.astype(np.float32) - other.astype(np.float32)), dtype=np.float64))
    return min(_BEST_DB, 10 * float(np.log10(255.0**2 / error))) if error > 0 else _BEST_DB


def split_folds(before_rgb: ImageU8, folds: int, *, seed: int) -> list[list[int]]:
    """The numbers of the pictures (N, H, W, 3), shuffled into `folds` parts of nearly the same size.

    Pictures that are nearly the same (a mouth that was cut twice) stay in one part, so that no part is easy because
    its twin was learned.
    """
    groups = _twin_groups(before_rgb)
    order = np.random.default_rng(seed).permutation(len(groups))
    parts: list[list[int]] = [[] for _ in range(folds)]
    for group in sorted((groups[i] for i in order), key=len, reverse=True):
        min(parts, key=len).extend(group)
    return parts


def _twin_groups(pictures_rgb: ImageU8) -> Sequence[list[int]]:
    flat = pictures_rgb.reshape(len(pictures_rgb), -1).astype(np.float64)
    flat -= flat.mean(1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    alike = flat @ flat.T > _TWIN_CORRELATION
    groups: list[list[int]] = []
    for i in range(len(flat)):
        for group in groups:
            if alike[i, group].any():
                group.append(i)
                break
        else:
            groups.append([i])
    return groups
