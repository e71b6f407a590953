"""`veneer train` with the methods from noise, on small pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.cli_parts import call

from engines.paths import portraits_dir
from engines.training.checkpoints.resume import CHECKPOINT

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = ("--size", 16, "--batch", 4, "--arg", "channels=4", "--arg", "latent=8", "--critic-channels", 4, "--steps", 4)
COUNT = 24


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for i in range(COUNT):
        cv2.imwrite(str(tmp_path / "photos" / f"{i:02}.png"), rng.integers(0, 256, (20, 20, 3), np.uint8))
    return tmp_path / "photos"


def table(folder: Path, rows: list[str]) -> Path:
    (folder / "labels.csv").write_text("\n".join(["file,hair", *rows]))
    return folder / "labels.csv"


def train(photos: Path, work: Path, *words: object) -> Any:
    usual = ("--method", "dcgan", "--precision", "32-true", "--workers", 0, "--threads", 1)
    return call("train", "faces", "--photos", photos, "--work", work, *SMALL, *usual, *words)


def test_labels_without_a_picture_are_no_classes(photos: Path, tmp_path: Path) -> None:
    rows = [f"{i:02}.png,{'dark' if i % 2 else 'light'}" for i in range(COUNT)]
    labels = table(tmp_path, [*rows, "ghost.png,blond"])
    done = train(photos, tmp_path / "work", "--labels", labels, "--most", 20)
    assert done.returncode == 0, done.stderr
    card = json.loads((portraits_dir() / "faces.json").read_text())
    assert card["attributes"] == {"hair": ["dark", "light"]} and "20 pictures" in done.stderr
    film = cv2.VideoCapture(str(tmp_path / "work" / "growth.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) >= 1


def test_a_label_of_unreadable_pictures_is_one_line(photos: Path, tmp_path: Path) -> None:
    (photos / "00.png").write_bytes(b"no picture")
    labels = table(tmp_path, [f"{i:02}.png,{'dark' if i else 'light'}" for i in range(COUNT)])
    done = train(photos, tmp_path / "work", "--labels", labels)
    assert done.returncode == 2 and "no usable picture has the label 'hair=light'" in done.stderr


def test_unusable_pictures_leave_the_earlier_training(photos: Path, tmp_path: Path) -> None:
    kept = tmp_path / "work" / CHECKPOINT
    kept.parent.mkdir()
    kept.write_bytes(b"an earlier training")
    for path in list(photos.iterdir())[3:]:
        path.unlink()
    done = train(photos, kept.parent, "--again")
    assert done.returncode == 2 and "3 usable pictures" in done.stderr
    assert kept.read_bytes() == b"an earlier training"
