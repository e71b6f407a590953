"""The files of the user's own styles: names, writing both files at once, removing and renaming them."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engines.cache.cache_entry import file_digest
from engines.errors import LookError, OptionsError, os_errors
from engines.files import atomic_path
from engines.style_lookup import WEIGHT_SUFFIXES, own_folder, own_names, shipped_names
from engines.text import did_you_mean
from engines.untrusted_files import shown

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_RESERVED = ("lips", "shade", "none")


def check_name(name: str, *, again: bool, replace: bool) -> None:
    """Raise an OptionsError if a style of this name cannot be written, or would replace one without permission."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise OptionsError(f"style {shown(name)}", "not a name for a style", "use small letters, digits, hyphens")
    if name in shipped_names() and not replace:
        do = "choose another name, or add --replace to use yours instead of the shipped one"
        raise OptionsError(f"style {name!r}", "a shipped style has this name", do)
    if name in own_names() and not again:
        do = "choose another name, or add --again, which overwrites it"
        raise OptionsError(f"style {name!r}", "you have a style of this name", do)


def origin_of(source: Path, licence: str) -> dict[str, Any]:
    """Return the part of a card that says where a style comes from: the file's name and digest, and the licence."""
    with os_errors(f"file {source}", "check the path"):
        digest = file_digest(source)
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return {"source": source.name, "source_sha256": digest, "licence": licence or "not stated", "date": today}


def write_style(
    card: Mapping[str, Any], suffix: str, write: Callable[[Path], object], folder: Path | None = None
) -> Path:
    """Write a style into the user's folder, with `weights_sha256` added to the card; return the weights' path.

    Both files are complete before either gets its final name. A style of this name with other weights is replaced.

    Args:
        card: With the style's name.
        suffix: Of the weights, as in ".safetensors".
        write: Writes the weights to the path that it is given.
        folder: Where both files go; None for the user's styles.
    """
    folder, name = folder or own_folder(), str(card["name"])
    target = folder / f"{name}{suffix}"
    with os_errors(f"style {name!r} in {folder}", "make the folder writable, or make room"):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(target.with_suffix(".json")) as card_part, atomic_path(target) as part:
            write(part)
            whole = {**card, "weights_sha256": file_digest(part)}
            card_part.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for other in WEIGHT_SUFFIXES:  # of an earlier style of this name, of another kind
            if other != suffix:
                target.with_suffix(other).unlink(missing_ok=True)
    return target


def files_of(name: str) -> list[Path]:
    """Return the files of one of the user's own styles, the card first. Raises OptionsError if there is none."""
    if name not in own_names():
        if name in shipped_names():
            raise OptionsError(f"style {name!r}", "it comes with the program", "only your own styles can be removed")
        do = did_you_mean(name, own_names(), otherwise=f"your own are {', '.join(own_names()) or 'none'}")
        raise OptionsError(f"style {shown(name)}", "you have no such style", do)
    suffixes = (".json", *WEIGHT_SUFFIXES, ".png")
    return [path for suffix in suffixes if (path := own_folder() / f"{name}{suffix}").is_file()]


def remove_style(name: str) -> list[str]:
    """Delete the files of one of the user's own styles; return their names. Engines made of it leave the cache later.

    Raises OptionsError if there is no such style, or its files cannot be deleted.
    """
    paths = files_of(name)
    for path in paths:
        with os_errors(f"style {name!r}", "make its folder writable"):
            path.unlink(missing_ok=True)
    return [path.name for path in paths]


@contextlib.contextmanager
def restored_on_error(name: str) -> Iterator[None]:
    """Put the files of one of the user's own styles back, or remove a new style, if an exception is raised inside."""
    folder = own_folder()
    with tempfile.TemporaryDirectory(prefix="veneer-") as kept:
        for path in files_of(name) if name in own_names() else []:
            shutil.copy2(path, kept)
        try:
            yield
        except BaseException:
            if name in own_names():
                remove_style(name)
            for path in Path(kept).iterdir():
                shutil.copy2(path, folder)
            raise


def restore_shipped(name: str) -> str:
    """Use a shipped style again that one of the user's own replaces, and keep that one under another name.

    Returns:
        The new name of the user's style; "" if the shipped one is in use already.

    Raises:
        LookError: There is no shipped style of this name.
        OptionsError: The folder of the user's styles cannot be written.
    """
    if name not in shipped_names():
        do = did_you_mean(name, shipped_names(), otherwise=f"shipped styles are {', '.join(shipped_names())}")
        raise LookError(f"style {shown(name)}", "no shipped style has this name", do)
    folder = own_folder()
    if name not in own_names():
        return ""
    candidates = itertools.chain([f"my-{name}"], (f"my-{name}-{number}" for number in itertools.count(2)))
    new = next(one for one in candidates if not any(folder.glob(f"{one}.*")))
    with os_errors(f"style {name!r} in {folder}", "make the folder writable, or make room"):
        files = [path for suffix in (*WEIGHT_SUFFIXES, ".png") if (path := folder / f"{name}{suffix}").exists()]
        for weights in files:  # copied, so that an interruption leaves a whole style under either name
            with atomic_path(folder / f"{new}{weights.suffix}") as part:
                shutil.copy2(weights, part)
        (folder / f"{name}.json").rename(folder / f"{new}.json")
        for weights in files:
            weights.unlink(missing_ok=True)
    return new
