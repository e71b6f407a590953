"""Pairs on disk -> pairs in memory, and which of them are held out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from engines.errors import OptionsError
from engines.training.data.picture_pairs import ImageU8, read_rgb

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
VARIANT = "~"  # NAME~1.png is NAME.png in another light: the same person, so never on the other side of the split
_KINDS = ("face", "head", "frame")  # NAME.head.png and NAME.frame.png are regions of one photo: the same holds


@dataclass(slots=True)
class Skipped:
    """Pictures that were left out, each named, by reason."""

    alone: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    def line(self) -> str:
        """What was skipped, in one line; empty where nothing was."""
        parts = (
            ("without a partner", self.alone), ("unreadable", self.unreadable), ("of another size", self.sizes),
            ("named as another", self.twice),
        )  # fmt: skip
        said = [f"{len(names)} {what} ({_some(names)})" for what, names in parts if names]
        return f"skipped: {'; '.join(said)}" if said else ""


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pictures before and after, (N, H, W, 3) RGB uint8, in the order of their names."""

    names: tuple[str, ...]
    before_rgb: ImageU8
    after_rgb: ImageU8
    terms: str

    def digest(self) -> str:
        """SHA-256 of all pixels."""
        return hashlib.sha256(self.before_rgb.tobytes() + self.after_rgb.tobytes()).hexdigest()

    def only(self, chosen: list[int]) -> Pairs:
        """Some of them."""
        names = tuple(self.names[i] for i in chosen)
        return Pairs(names, self.before_rgb[chosen], self.after_rgb[chosen], self.terms)


def load_pairs(
    before: Path, after: Path, *, size_wh: tuple[int, int] | None = None,
    on_pair: Callable[[int], None] = lambda _total: None,
) -> tuple[Pairs, Skipped]:  # fmt: skip
    """All pairs of two folders that have the same name (the ending may differ), and what had to be left out.

    Args:
        before: folder of the inputs.
        after: folder of the targets.
        size_wh: brings pairs of any size to this one; without it, those that have not the size of most are skipped.
        on_pair: told the number of pairs there are, after each.

    Raises:
        OptionsError: a folder is missing or empty, or no whole pair is left.
    """
    skipped = Skipped()
    partners = partners_of(before, after, skipped)
    read: list[tuple[str, ImageU8, ImageU8]] = []
    for name, one, other in partners:
        pair = _read(one, other, size_wh, skipped)
        read += [(name, *pair)] if pair is not None else []
        on_pair(len(partners))
    usual = Counter(_size(one) for _, one, _ in read).most_common(1)
    odd = [f"{name}: {_size(one)}, most are {usual[0][0]}" for name, one, _ in read if _size(one) != usual[0][0]]
    skipped.sizes += odd
    read = [pair for pair in read if _size(pair[1]) == usual[0][0]]
    if not read:
        got = skipped.line() or "no picture of one has a partner in the other"
        raise OptionsError(f"pairs in {before} and {after}", got, "give both pictures of a pair the same name and size")
    names, ones, others = zip(*read, strict=True)
    return Pairs(tuple(names), np.stack(ones), np.stack(others), terms_of(before, after)), skipped


def partners_of(before: Path, after: Path, skipped: Skipped) -> list[tuple[str, Path, Path]]:
    """Name and both files of each pair, in the order of the names; others are noted.

    Raises:
        OptionsError: a folder is missing or holds no picture.
    """
    ones, others = _pictures_in(before, skipped), _pictures_in(after, skipped)
    for here, there in ((ones, others), (others, ones)):
        skipped.alone += [str(here[name]) for name in sorted(here.keys() - there.keys())]
    return [(name, ones[name], others[name]) for name in sorted(ones.keys() & others.keys())]


def _pictures_in(folder: Path, skipped: Skipped) -> dict[str, Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.name[0] != ".")
    except OSError as error:
        why = "there is no such folder" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise OptionsError(f"folder {folder}", why, "name a folder of pictures") from error
    if not paths:
        raise OptionsError(f"folder {folder}", "no picture in it", f"use {', '.join(_SUFFIXES)}")
    found: dict[str, Path] = {}
    for path in paths:
        if found.setdefault(path.stem, path) != path:
            skipped.twice.append(f"{path}, beside {found[path.stem].name}")
    return found


def _read(
    before: Path, after: Path, size_wh: tuple[int, int] | None, skipped: Skipped
) -> tuple[ImageU8, ImageU8] | None:
    pictures: list[ImageU8] = []
    for path in (before, after):
        try:
            pictures.append(read_rgb(path))
        except OptionsError as error:
            skipped.unreadable.append(f"{path}: {error.got}")
            return None
    if pictures[0].shape != pictures[1].shape:
        skipped.sizes.append(f"{before}: {_size(pictures[0])}, its partner is {_size(pictures[1])}")
        return None
    if size_wh is not None and pictures[0].shape[:2] != size_wh[::-1]:
        pictures = [_fitted(picture, size_wh) for picture in pictures]
    return pictures[0], pictures[1]


def _fitted(picture: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    """The picture's middle in the wanted shape, brought to the wanted size."""
    height, width = picture.shape[:2]
    share = min(width / size_wh[0], height / size_wh[1])
    cut_w, cut_h = max(1, round(size_wh[0] * share)), max(1, round(size_wh[1] * share))
    left, top = (width - cut_w) // 2, (height - cut_h) // 2
    how = cv2.INTER_AREA if share > 1 else cv2.INTER_CUBIC
    return cv2.resize(picture[top : top + cut_h, left : left + cut_w], size_wh, interpolation=how)  # type: ignore[return-value]


def _size(picture: ImageU8) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"


def terms_of(*folders: Path) -> str:
    """What TERMS.txt says in the folders or above them, each text once; "not stated" where there is none."""
    texts: dict[str, None] = {}
    for folder in folders:
        for place in (folder, *folder.resolve().parents[:2]):
            try:
                texts[" ".join((place / "TERMS.txt").read_text(encoding="utf-8", errors="replace").split())] = None
                break
            except OSError:
                continue
    return " | ".join(texts) or "not stated"


def photo_of(name: str) -> str:
    """What a pair was made from: its name without its light and without the kind of its region."""
    plain = name.split(VARIANT)[0]
    photo, _, kind = plain.rpartition(".")
    return photo if photo and kind in _KINDS else plain


def split(names: tuple[str, ...], share: float, most: int, seed: int) -> tuple[list[int], list[int]]:
    """Numbers of the pairs to learn from and to hold out; all lights and regions of one photo are on the same
    side.

    Raises:
        OptionsError: fewer than two photos.
    """
    photos = sorted({photo_of(name) for name in names})
    if len(photos) < 2:
        raise OptionsError("training", f"only {len(photos)} picture", "give two or more: one is held out for the score")
    order = np.random.default_rng(seed).permutation(len(photos))
    count = int(np.clip(round(share * len(photos)), 1, min(most, len(photos) - 1)))
    out = {photos[i] for i in order[:count]}
    learned = [i for i, name in enumerate(names) if photo_of(name) not in out]
    held = [i for i, name in enumerate(names) if photo_of(name) in out]
    plain = [i for i in held if VARIANT not in names[i]]
    return learned, plain or held
