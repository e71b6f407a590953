"""Progressive training by groups of persons: on all, then by age, then by age and gender, as in Photo2Cartoon."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from rich.console import Console

from calibration.training.train_request import TrainRequest
from engines.errors import OptionsError, os_errors
from engines.training.checkpoints.resume import CHECKPOINT
from engines.training.data.unpaired_dataset import UnpairedDataset
from engines.training.method import TrainingMethod
from engines.training.progress import Outcome
from engines.training.reporting.progress_bar import training_bar
from engines.training.trainer import fit

Save = Callable[[TrainRequest, TrainingMethod[Any], Outcome, str], None]

_COLUMNS = ("file", "age", "gender")
_WORD = re.compile(r"[a-z0-9]{1,20}")
_SHARE = 4  # a group is trained for one of that many of the steps
_MIN_PICTURES = 2
_DO = "write a CSV with the columns file,age,gender, for example anna.jpg,young,woman"


@dataclass(frozen=True, slots=True)
class Group:
    """One network to fine-tune.

    Attributes:
        name: As in "young" or "young-woman".
        base: The group whose network it starts from; "" for that of all persons.
        photos: Indices of its photos.
        drawings: Indices of its drawings; all drawings if none of the table belongs to the group.
    """

    name: str
    base: str
    photos: tuple[int, ...]
    drawings: tuple[int, ...]


def train_groups(
    request: TrainRequest,
    method: TrainingMethod[Any],
    groups: Sequence[Group],
    fabric: Fabric,
    console: Console,
    save: Save,
) -> None:
    """Fine-tune the network of all persons for each group.

    Args:
        request: The training of all persons.
        method: With the config of that training, whose steps may follow from `--minutes`.
        groups: See `plan_groups`.
        fabric: The devices.
        console: For the progress.
        save: Writes the style of a group, named NAME-GROUP.

    Raises as `fit` does.
    """
    config = dataclasses.replace(method.config, steps=max(1, method.config.steps // _SHARE))
    quiet = console if fabric.is_global_zero else Console(quiet=True)
    for group in groups:
        work = request.folder / "groups" / group.name
        own = type(method)(config, method.data.subset(group.photos, group.drawings))
        quiet.print(f"group {group.name}: {len(group.photos)} photos, {len(group.drawings)} drawings")
        base = request.folder / "groups" / group.base if group.base else request.folder
        resume = request.resume and (work / CHECKPOINT).exists()
        with training_bar(quiet, f"training {group.name}") as watch:
            outcome = fit(own, work, fabric=fabric, watch=watch, resume=resume, start_run=base)
        if fabric.is_global_zero:
            save(request, own, outcome, group.name)


def read_groups(file: Path) -> dict[str, tuple[str, str]]:
    """Return age and gender, in words, of each picture by its name without the suffix.

    Raises OptionsError if the file is not readable, lacks a column, or has a word that cannot name a style.
    """
    with os_errors(f"--groups {file}", "check the path"):
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    rows = csv.DictReader(text.splitlines())
    missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise OptionsError(f"--groups {file}", f"no column {', '.join(missing)}", _DO)
    found = {}
    try:
        lines = list(rows)
    except csv.Error as error:
        raise OptionsError(f"--groups {file}", f"not readable ({error})", _DO) from error
    for number, row in enumerate(lines, 2):
        words = tuple((row[name] or "").strip().lower() for name in _COLUMNS[1:])
        if not all(map(_WORD.fullmatch, words)):
            got = f"line {number}: age {row['age']!r}, gender {row['gender']!r}"
            raise OptionsError(f"--groups {file}", got, "use one word of small letters or digits for each")
        found[Path(row["file"]).stem] = (words[0], words[1])
    return found


def plan_groups(data: UnpairedDataset, table: Mapping[str, tuple[str, str]]) -> list[Group]:
    """Return the groups by age, then those by age and gender. Raises OptionsError if no photo is in the table."""
    known = [table.get(name) for name in data.photo_names]
    ages = sorted({one[0] for one in known if one})
    both = sorted({one for one in known if one})
    if not both:
        got = f"none of the {len(data)} photos is in it, for example {data.photo_names[0]}"
        raise OptionsError("--groups", got, _DO)
    plans = [*((age, "", (age,)) for age in ages), *((f"{age}-{gender}", age, (age, gender)) for age, gender in both)]
    groups = []
    for name, base, words in plans:
        photos = tuple(_members(data.photo_names, table, words))
        drawings = tuple(_members(data.drawing_names, table, words)) or tuple(range(len(data.drawing_names)))
        if len(photos) < _MIN_PICTURES:
            do = f"add photos, or leave {name} out of the table"
            raise OptionsError(f"group {name}", f"{len(photos)} photo", do)
        groups.append(Group(name, base, photos, drawings))
    return groups


def _members(names: tuple[str, ...], table: Mapping[str, tuple[str, str]], words: tuple[str, ...]) -> Iterator[int]:
    return (i for i, name in enumerate(names) if name in table and table[name][: len(words)] == words)
