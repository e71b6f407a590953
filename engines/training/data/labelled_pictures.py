"""Pictures of one size with labels or without, and their batches, for networks that make pictures from noise."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError, VeneerError, os_errors
from engines.training.data.picture_pairs import ImageU8, Skipped, cropped_to, pictures_in, read_rgb
from engines.untrusted_files import shown

Attributes = dict[str, tuple[str, ...]]  # values by the attribute's name, both as in the table
MIN_PICTURES = 16
_MAX_VALUES = 1000
_DO = "write a CSV with the column file and one column for each attribute, for example anna.jpg,smiling"


@dataclass(frozen=True, eq=False)
class Labels:
    """A table of labels.

    Attributes:
        attributes: Values of each attribute, sorted.
        rows: Values of each picture by its name without the suffix, in the order of the attributes.
    """

    attributes: Attributes
    rows: Mapping[str, tuple[str, ...]]

    @property
    def length(self) -> int:
        """Length of a label: one number for each value of each attribute."""
        return label_length(self.attributes)

    def only(self, names: Collection[str]) -> Labels:
        """Return the rows of these pictures, with the values that occur in them; all rows if none is of them."""
        rows = {name: row for name, row in self.rows.items() if name in names} or self.rows
        return Labels(_attributes(tuple(self.attributes), rows), rows)

    def of_regions(self, kind: str) -> Labels:
        """Return the same table for regions that were cut from the pictures, which are named NAME.KIND."""
        return Labels(self.attributes, {f"{name}.{kind}": row for name, row in self.rows.items()})


def label_length(attributes: Mapping[str, tuple[str, ...]]) -> int:
    """Return the length of a label."""
    return sum(map(len, attributes.values()))


def label_of(attributes: Mapping[str, tuple[str, ...]], values: Mapping[str, str]) -> NDArray[np.float32]:
    """Return the label (length,) of one value for each attribute; attributes without a value are zero."""
    ones = [[float(values.get(name) == one) for one in known] for name, known in attributes.items()]
    return np.array([number for part in ones for number in part], np.float32)


def _attributes(names: Sequence[str], rows: Mapping[str, tuple[str, ...]]) -> Attributes:
    return {name: tuple(sorted({row[i] for row in rows.values()})) for i, name in enumerate(names)}


def read_labels(file: Path) -> Labels:
    """Read a table: the column `file`, and a column for each attribute.

    Raises OptionsError if the file is not readable, has no such columns, or too many values.
    """
    with os_errors(f"--labels {file}", "check the path"):
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    table = csv.DictReader(text.splitlines())
    try:
        lines = list(table)
    except csv.Error as error:
        raise OptionsError(f"--labels {file}", f"not readable ({error})", _DO) from error
    names = [name for name in table.fieldnames or () if name and name != "file"]
    if "file" not in (table.fieldnames or ()) or not names:
        raise OptionsError(f"--labels {file}", "no column file, or no other column beside it", _DO)
    rows = {Path(row["file"] or "").stem: tuple((row[name] or "").strip() for name in names) for row in lines}
    attributes = _attributes(names, rows)
    crowded = [name for name, values in attributes.items() if len(values) > _MAX_VALUES]
    if crowded or not rows:
        got = f"column {shown(crowded[0])} has more than {_MAX_VALUES} values" if crowded else "no row in it"
        raise OptionsError(f"--labels {file}", got, _DO)
    return Labels(attributes, rows)


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Pictures of one size.

    Attributes:
        names: Their names.
        pictures_rgb: (N, S, S, 3) RGB uint8.
        labels: (N, length) float32, ones and zeros; length 0 without labels.
        attributes: What the labels mean.
        terms: The terms of use.
    """

    names: tuple[str, ...]
    pictures_rgb: ImageU8
    labels: NDArray[np.float32]
    attributes: Attributes
    terms: str

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.names)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of all pictures, pixels."""
        height, width = self.pictures_rgb.shape[1:3]
        return width, height

    def digest(self) -> str:
        """Return the SHA-256 of all pixels and labels."""
        digest = hashlib.sha256(np.ascontiguousarray(self.pictures_rgb).tobytes())
        digest.update(np.ascontiguousarray(self.labels).tobytes() + repr(self.attributes).encode())
        return digest.hexdigest()


def open_labelled(
    folder: Path,
    side_px: int,
    labels: Labels | None,
    terms: str,
    on_picture: Callable[[int], None],
    *,
    most: int | None = None,
    seed: int = 0,
) -> tuple[LabelledPictures, Skipped]:
    """Read the pictures of a folder, cut to a square in their middle.

    Args:
        folder: The folder.
        side_px: Width and height, pixels.
        labels: Pictures that are not in the table are skipped.
        terms: The terms of use.
        on_picture: Called with the number of all pictures after each.
        most: Use at most this many pictures, chosen by the seed.
        seed: Of the choice.

    Raises:
        OptionsError: The folder is missing, fewer than `MIN_PICTURES` can be used, or none has one of the labels.
    """
    skipped, names, pictures = Skipped(), list[str](), list[ImageU8]()
    files = pictures_in(folder, skipped)
    if most is not None and most < len(files):
        order = np.random.default_rng(seed).permutation(len(files))[:most]
        files = {name: files[name] for name in (list(files)[i] for i in sorted(order))}
    for name, path in files.items():
        on_picture(len(files))
        if labels is not None and name not in labels.rows:
            skipped["without a label"].append(path.name)
            continue
        try:
            pictures.append(cropped_to(read_rgb(path), (side_px, side_px)))
        except VeneerError as error:
            skipped["unreadable"].append(f"{path}: {error.got}")
        else:
            names.append(name)
    if len(names) < MIN_PICTURES:
        got = f"{len(names)} usable pictures" + (f" ({skipped.line()})" if skipped.line() else "")
        do = f"at least {MIN_PICTURES} are needed, some hundred for pictures worth seeing"
        raise OptionsError(f"pictures in {folder}", got, f"{do}; labels belong to pictures by their names")
    attributes = {} if labels is None else labels.attributes
    rows = [() if labels is None else labels.rows[name] for name in names]
    made = np.stack([label_of(attributes, dict(zip(attributes, row, strict=True))) for row in rows])
    values = [f"{name}={value}" for name, known in attributes.items() for value in known]
    if unused := [value for value, used in zip(values, made.any(0), strict=True) if not used]:
        got = f"no usable picture has the label {shown(unused[0])}"
        raise OptionsError(f"labels of {folder}", got, "add such pictures, or remove the label from the table")
    return LabelledPictures(tuple(names), np.stack(pictures), made, attributes, terms), skipped


def random_labelled(side_px: int, classes: int, count: int = 8) -> LabelledPictures:
    """Return random pixels and labels that stand for the pictures of a training."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (count, side_px, side_px, 3), np.uint8)
    values = tuple(map(str, range(classes)))
    labels = np.eye(max(1, classes), dtype=np.float32)[np.arange(count) % max(1, classes), :classes]
    return LabelledPictures(tuple(map(str, range(count))), pictures, labels, {"label": values} if values else {}, "")


@dataclass(frozen=True, slots=True, eq=False)
class LabelledBatch:
    """One batch: pictures (N, S, S, 3) RGB uint8 and labels (N, length)."""

    pictures_rgb: ImageU8
    labels: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class LabelledBatches:
    """Random batches by step, several for each; `mirror` mirrors half of the pictures."""

    data: LabelledPictures
    batch: int
    several: int
    mirror: bool
    seed: int
    rank: int

    def __getitem__(self, step: int) -> list[LabelledBatch]:
        """Return the batches of a step."""
        rng = np.random.default_rng((self.seed, self.rank, step))
        batches = []
        for _ in range(self.several):
            chosen = rng.integers(0, len(self.data), self.batch)
            pictures = self.data.pictures_rgb[chosen]
            if self.mirror:
                turned = rng.random(self.batch) < 0.5
                pictures[turned] = pictures[turned, :, ::-1]
            batches.append(LabelledBatch(pictures, self.data.labels[chosen]))
        return batches
