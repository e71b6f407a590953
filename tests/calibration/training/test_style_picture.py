"""`veneer train NAME --style-picture FILE`: a live look from one picture, with a VGG of random weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.cli_parts import call
from support.style_pictures import write_stripes
from support.vgg_parts import keep_vgg

from calibration.training.train_style import eyes_and_mouths
from engines.style_lookup import load_style
from live.pipeline.frame import Frame
from live.portrait import portrait_bgr
from live.tracking.face_mesh import FaceMeshTracker

SMALL = ("--steps", 3, "--batch", 2, "--crop", 64, "--arg", "channels=4", "--arg", "deep=4", "--arg", "blocks=1")


def style_file(folder: Path) -> Path:
    return write_stripes(folder / "stripes.png")


def test_a_picture_becomes_a_live_look(tmp_path: Path) -> None:
    keep_vgg()
    (tmp_path / "photos").mkdir()
    for i in range(4):
        cv2.imwrite(str(tmp_path / "photos" / f"{i}.png"), np.roll(portrait_bgr()[::4, ::4], 9 * i, axis=1))
    (tmp_path / "photos" / "broken.png").write_text("no picture")
    words = ("--precision", "32-true", "--work", tmp_path / "work", "--workers", 0)
    done = call(
        "train", "mine", "--style-picture", style_file(tmp_path), "--photos", tmp_path / "photos", *SMALL, *words
    )
    assert done.returncode == 0, done.stderr
    assert "1 unreadable" in done.stderr and "held-out cost" in done.stdout
    style = load_style("mine")
    assert (style.region, style.size_wh, style.covers) == ("frame", (448, 256), True)
    assert style.card["style_picture"]["file"] == "stripes.png"
    assert set(style.card["losses"]) == {"content", "style", "temporal", "smooth", "keep_face"}


def test_eyes_and_mouth_are_where_the_face_has_them() -> None:
    tracker = FaceMeshTracker(max_faces=1, smooth=False, still=True)
    face_bgr = cv2.resize(portrait_bgr(), (256, 256), interpolation=cv2.INTER_AREA)
    mask = eyes_and_mouths(tracker.track(Frame(np.asarray(face_bgr, np.uint8), 0, 0.0)), 256)
    tracker.close()
    assert 0.002 < (mask > 128).mean() < 0.03
    assert mask[:, :80].max() == 0 and mask[128:].max() == 0  # the portrait's face is above and right of the middle


@pytest.mark.parametrize(
    "words, said",
    [
        (("--style-picture", "gone.png"), "there is no such file"),
        (("--style-picture", "stripes.png", "--region", "head"), "learned for whole frames"),
        (("--style-picture", "stripes.png", "--teacher", "cel", "--faces", "."), "the two cannot be combined"),
        (("--style-picture", "stripes.png", "--method", "paired"), "together"),
        (("--style-picture", "stripes.png", "--precision", "32-true"), "veneer models add vgg FILE"),
        (("--method", "style_picture", "--before", ".", "--after", "."), "together"),
    ],
)
def test_wrong_requests_give_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    style_file(tmp_path)
    done = call("train", "mine", *words, cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and said in done.stderr
