"""Pictures of two persons who do not exist, and a face swap between them after a few steps of training."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
from support.cli_parts import call

from engines.looks import Look
from engines.looks_file import parse_look
from engines.style_lookup import own_folder

NAMES = ("Ann Made", "Jörg Made")
SMALL = ("--arg", "side=32", "--arg", "channels=4", "--arg", "latent=8", "--precision", "32-true", "--workers", "0")


def persons(data_dir: Path, folder: Path) -> tuple[Path, Path]:
    """Write nine turned pictures of each of two synthetic portraits; return both folders."""
    for name, kind in (("one", "female"), ("other", "male")):
        portrait = cv2.imread(str(min((data_dir / "faces" / "portraits_cc0" / kind).rglob("*.jpg"))))
        assert portrait is not None
        portrait = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
        (folder / name).mkdir()
        for number in range(9):
            turn = cv2.getRotationMatrix2D((128, 128), 3 * (number - 4), 0.9 + 0.02 * number)
            picture = cv2.warpAffine(portrait, turn, (256, 256), borderMode=cv2.BORDER_REPLICATE)
            cv2.imwrite(str(folder / name / f"{number}.png"), picture)
    return folder / "one", folder / "other"


def consent(*names: str) -> list[str]:
    return [word for name in names for word in ("--i-have-consent-of", name)]


def train(one: Path, other: Path, folder: Path, *options: object) -> Path:
    """Train three steps from the command line; return the folder of the style `swap`."""
    words = (
        "--method",
        "face-swap",
        "--from",
        one,
        "--to",
        other,
        *consent(*NAMES),
        *SMALL,
        "--steps",
        3,
        "--batch",
        2,
    )
    done = call("train", "swap", *words, "--work", folder / "work", "--out", folder / "out", *options)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def swap_look(trained: Path) -> Look:
    """Copy the style to the user's own ones, and return a look of it."""
    own_folder().mkdir(parents=True, exist_ok=True)
    for file in trained.iterdir():
        shutil.copy(file, own_folder())
    return parse_look("swap", {"layers": [{"style": "swap"}]})
