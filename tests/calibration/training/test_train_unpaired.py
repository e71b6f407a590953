"""`veneer train` on photos and drawings without pairs, and on groups of persons."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.cli_parts import call as run_command
from support.train_parts import call

from calibration.training.train_drawings import aligned
from calibration.training.train_groups import plan_groups, read_groups
from engines.errors import LookError, OptionsError
from engines.looks_file import load_looks
from engines.style_lookup import load_style, own_folder
from engines.training.data.unpaired_dataset import UnpairedDataset
from engines.training.methods import FROM_NOISE, load_method, method_names
from live.portrait import portrait_bgr

QUICK = (
    "--method", "cyclegan", "--preset", "tiny", "--side", "32", "--steps", "2", "--arg", "channels=4", "--arg",
    "blocks=1", "--critic-channels", "4", "--threads", "1", "--precision", "32-true", "--workers", "0",
)  # fmt: skip


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """A posterised portrait, whose face is found, and a flat drawing without a face."""
    folder = tmp_path / "drawings"
    folder.mkdir()
    cv2.imwrite(str(folder / "face.png"), portrait_bgr() // 48 * 48)
    flat = np.full((90, 120, 3), 220, np.uint8)
    cv2.imwrite(str(folder / "flat.png"), cv2.circle(flat, (60, 45), 30, (40, 30, 20), 3))
    return folder


def test_photos_and_drawings_make_styles_of_groups(photos: Path, drawings: Path, tmp_path: Path) -> None:
    table = tmp_path / "attributes.csv"
    table.write_text("file,age,gender\na.png,young,woman\nb.png,young,woman\n", encoding="utf-8")
    unpaired = ("--photos", photos, "--drawings", drawings, "--groups", table)
    printed = call("mine", *unpaired, "--work", tmp_path / "w", "--out", own_folder(), *QUICK)
    assert "mine: SWD to the drawings" in printed
    assert "drawings: 1 aligned by eyes and mouth, 1 without a face cut by their frame" in printed
    assert "1 without a face (" in printed and "wall.png" in printed
    card = json.loads((own_folder() / "mine-young-woman.json").read_text())
    assert (card["group"], card["method"], card["size_wh"]) == ("young-woman", "cyclegan", [32, 32])
    assert (tmp_path / "w" / "samples.png").exists() and (tmp_path / "w" / "curves.png").exists()
    looks = tmp_path / "looks.toml"
    looks.write_text('[looks.me]\ngroup = "young-woman"\nlayers = [{ style = "mine" }]\n', encoding="utf-8")
    (layer,) = load_looks(looks)["me"].layers
    assert layer.style == load_style("mine-young-woman")
    looks.write_text('[looks.me]\ngroup = "old-man"\nlayers = [{ style = "mine" }]\n', encoding="utf-8")
    with pytest.raises(LookError, match="group 'old-man'.*there are young, young-woman"):
        load_looks(looks)


def test_eyes_and_mouth_come_to_their_places() -> None:
    drawing = np.full((200, 300, 3), 255, np.uint8)
    for x, y in ((150, 80), (150, 120)):
        cv2.circle(drawing, (x, y), 4, (0, 0, 0), -1)
    places = np.array(((0.5, 0.4), (0.5, 0.6)))
    cut = aligned(drawing, np.array(((150.0, 80.0), (150.0, 120.0))), places)
    assert cut is not None
    dark = np.argwhere(cut[:, :, 0] < 128)
    rows = np.unique(dark[:, 0])
    upper, lower = rows[rows < 256].mean(), rows[rows > 256].mean()
    assert upper == pytest.approx(0.4 * 512, abs=2) and lower == pytest.approx(0.6 * 512, abs=2)
    assert aligned(drawing, np.array(((150.0, 80.0), (150.0, 82.0))), places) is None, "a face of two pixels"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--photos", "P"), "--photos without --drawings"),
        (("--photos", "P", "--drawings", "none"), "there is no such folder"),
        (("--photos", "P", "--drawings", "D", "--method", "pix2pix"), "it trains on pairs of pictures"),
        (("--before", "P", "--after", "P", "--method", "cyclegan"), "without pairs"),
        (("--photos", "P", "--drawings", "D", "--method", "cyclegan", "--preset", "huge"), "there is no such preset"),
        (("--photos", "P", "--drawings", "E", *QUICK), "drawings in .* no pictures there"),
        (("--photos", "W", "--drawings", "D", *QUICK), "no face on 1 pictures"),
    ],
)
def test_wrong_folders_are_one_line(
    options: tuple[str, ...], told: str, photos: Path, drawings: Path, tmp_path: Path
) -> None:
    for name in ("empty", "walls"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "walls" / "wall.png"), np.full((200, 200, 3), 120, np.uint8))
    folders = {"P": photos, "D": drawings, "E": tmp_path / "empty", "W": tmp_path / "walls"}
    with pytest.raises(OptionsError, match=told) as error:
        call("mine", *(folders.get(one, one) for one in options), "--work", tmp_path / "w", "--out", tmp_path / "o")
    assert "\n" not in str(error.value)


def test_a_table_of_groups_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text("file,age\na.png,young\n", encoding="utf-8")
    with pytest.raises(OptionsError, match="no column gender"):
        read_groups(file)
    file.write_text("file,age,gender\na.png,very young,woman\n", encoding="utf-8")
    with pytest.raises(OptionsError, match="line 2: age 'very young'"):
        read_groups(file)
    file.write_text("file,age,gender\na.png,young,woman\nb.jpg,Old,man\nd1.png,old,man\n", encoding="utf-8")
    table = read_groups(file)
    pixels = np.zeros((4, 32, 32, 3), np.uint8)
    eyes = np.zeros((4, 2, 2), np.float32)
    photos = UnpairedDataset(("a", "a", "b", "b"), ("d1", "d2", "d3", "d4"), pixels, pixels, eyes, "")
    groups = {group.name: group for group in plan_groups(photos, table)}
    assert list(groups) == ["old", "young", "old-man", "young-woman"]
    assert groups["old-man"].base == "old" and groups["old-man"].drawings == (0,)
    assert groups["young"].drawings == (0, 1, 2, 3), "no drawing of the table belongs to it"
    with pytest.raises(OptionsError, match="none of the 4 photos is in it"):
        plan_groups(photos, {})


def test_groups_are_checked_before_the_training(photos: Path, drawings: Path, tmp_path: Path) -> None:
    words = ("train", "mine", *QUICK, "--photos", photos, "--drawings", drawings, "--work", tmp_path / "w")
    table = tmp_path / "groups.csv"
    for text, line in (
        (None, "check the path"),
        ("file,age,gender\n" + "x" * 200_000 + ",young,woman", "not readable"),
        ("file,age,gender\nother.png,young,woman", "none of the"),
    ):
        if text is not None:
            table.write_text(text)
        done = run_command(*words, "--groups", table)
        assert done.returncode == 2 and line in done.stderr and "training on" not in done.stderr


def test_a_style_of_a_group_is_not_overwritten(photos: Path, drawings: Path, tmp_path: Path) -> None:
    own_folder().mkdir(parents=True)
    (own_folder() / "mine-young.json").write_text("{}")
    (tmp_path / "groups.csv").write_text("file,age,gender\nanna.png,young,woman")
    words = ("--photos", photos, "--drawings", drawings, "--work", tmp_path / "w", "--groups", tmp_path / "groups.csv")
    done = run_command("train", "mine", "--method", "cyclegan", *words)
    assert done.returncode == 2 and "mine-young.json holds a finished style" in done.stderr


def test_an_imported_style_is_not_overwritten(photos: Path, drawings: Path, tmp_path: Path) -> None:
    own_folder().mkdir(parents=True)
    (own_folder() / "mine.json").write_text("{}")
    (own_folder() / "mine.onnx").write_bytes(b"")
    words = ("--photos", photos, "--drawings", drawings, "--work", tmp_path / "w")
    done = run_command("train", "mine", "--method", "cyclegan", *words)
    assert done.returncode == 2 and "mine.json holds a finished style" in done.stderr


@pytest.mark.parametrize("method", method_names())
def test_every_adversarial_method_has_its_options(method: str) -> None:
    chosen = load_method(method)
    if not hasattr(chosen.config_class, "gan") or method in FROM_NOISE:
        pytest.skip("it has no discriminator of that kind, or its presets choose the loss")
    assert "--gan" in run_command("train", "mine", "--method", method, "--help").stdout
