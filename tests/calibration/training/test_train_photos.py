"""The photos of a training: which are cut to regions, and when they are cut again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest
from support.train_parts import call

from calibration.training.own_pairs import cut_pairs
from calibration.training.train_photos import prepare_regions
from calibration.training.train_request import TrainRequest
from engines.errors import OptionsError
from engines.training.data.aligned import region_names
from engines.training.methods.paired import PairedConfig
from engines.training.teachers.teacher_dataset import draw_pairs
from live.portrait import portrait_bgr


def request(work: Path, *faces: Path, **changes: Any) -> TrainRequest:
    return TrainRequest(**{"name": "x", "teacher": "sketch", "faces": [*faces], "work": work, **changes})


def photo(path: Path, side_px: int = 256) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(portrait_bgr(), (side_px, side_px), interpolation=cv2.INTER_AREA))
    return path


def test_an_interrupted_collection_starts_again(tmp_path: Path) -> None:
    one = photo(tmp_path / "a" / "one.png").parent
    two = photo(tmp_path / "b" / "two.png").parent
    assert prepare_regions(request(tmp_path, one), 0).regions == 1
    whole = region_names(tmp_path / "regions")
    assert prepare_regions(request(tmp_path, one), 0).regions == 0, "they exist"

    def stop(_total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_regions(request(tmp_path, two), 0, on_photo=stop)
    assert prepare_regions(request(tmp_path, one), 0).regions == 1
    assert region_names(tmp_path / "regions") == whole
    (tmp_path / "regions" / "collected.json").write_bytes(b"")
    assert prepare_regions(request(tmp_path, one), 0).regions == 1


def test_all_regions_of_a_photo_have_its_name(tmp_path: Path) -> None:
    for folder in "abcde":
        photo(tmp_path / "faces" / folder / "x.png")
    prepare_regions(request(tmp_path, tmp_path / "faces"), 0)
    names = region_names(tmp_path / "regions")
    assert [name for name in names if name.endswith(".frame")] == ["x.frame", "x____.frame"]
    assert len(names) == 7


def test_a_broken_link_is_named_and_skipped(tmp_path: Path) -> None:
    faces = photo(tmp_path / "faces" / "one.png").parent
    (faces / "lost.png").symlink_to(tmp_path / "nowhere.png")
    found = prepare_regions(request(tmp_path, faces), 0)
    assert found.regions == 1
    assert len(found.unreadable) == 1 and "lost.png" in found.unreadable[0]


def test_pictures_made_by_a_run_are_no_photos_of_the_next(tmp_path: Path) -> None:
    photo(tmp_path / "one.png")
    assert prepare_regions(request(tmp_path / "train-x", tmp_path), 0).regions == 1
    assert prepare_regions(request(tmp_path / "train-x", tmp_path), 0).regions == 0
    assert region_names(tmp_path / "train-x" / "regions") == ["one.frame", "one.head"]


def test_foreign_pictures_in_the_work_folder_are_kept(tmp_path: Path) -> None:
    mine = photo(tmp_path / "regions" / "mine.png")
    with pytest.raises(OptionsError, match="not made there"):
        prepare_regions(request(tmp_path, photo(tmp_path / "faces" / "one.png").parent), 0)
    assert mine.exists()


def test_cut_and_drawn_pairs_replace_each_other(tmp_path: Path) -> None:
    faces = photo(tmp_path / "faces" / "one.png").parent
    prepare_regions(request(tmp_path, faces, region="face"), 0)
    draw_pairs(tmp_path / "regions", "sketch", tmp_path / "pairs", side_px=64, processes=1)
    photo(tmp_path / "before" / "own.png")
    photo(tmp_path / "after" / "own.png")
    cut_pairs(tmp_path / "before", tmp_path / "after", tmp_path / "pairs", kind="frame", side_px=64)
    assert {path.name for path in (tmp_path / "pairs").rglob("*.*")} == {"own.png", "cut.json"}
    drawn = draw_pairs(tmp_path / "regions", "sketch", tmp_path / "pairs", side_px=64, processes=1)
    assert (drawn.drawn, drawn.existing) == (1, 0)
    assert {path.name for path in (tmp_path / "pairs").rglob("*.*")} == {"one.face.png", "made.json"}


def config(request: TrainRequest, **given: Any) -> PairedConfig:
    return PairedConfig(**request.config_values(PairedConfig, given, {}))


def test_pencil_drawings_are_not_relit_with_their_photo(tmp_path: Path) -> None:
    pencil = request(tmp_path, tmp_path, teacher="sketch")
    assert config(pencil).relit == 0 and pencil.variants["lights"] == 1, "paper is white in any light"
    colours = request(tmp_path, tmp_path, teacher="retouch")
    assert config(colours).relit > 0 and colours.variants["lights"] == 0
    chosen = request(tmp_path, tmp_path, teacher="sketch", lights=3)
    assert config(chosen, relit=0.1).relit == 0.1 and chosen.variants["lights"] == 3


def test_portraits_from_noise_are_cut_to_faces_first(photos: Path, tmp_path: Path) -> None:
    folder, table = tmp_path / "many", tmp_path / "labels.csv"
    folder.mkdir()
    wide = cv2.copyMakeBorder(portrait_bgr(), 0, 0, 500, 0, cv2.BORDER_REPLICATE)  # the face is not in the middle
    for number in range(16):
        cv2.imwrite(str(folder / f"{number}.png"), wide)
    (folder / "wall.png").write_bytes((photos / "wall.png").read_bytes())
    table.write_text("file,side\n" + "".join(f"{number}.png,right\n" for number in range(16)), encoding="utf-8")
    made = ("--photos", folder, "--labels", table, "--work", tmp_path / "w", "--out", tmp_path / "out")
    quick = ("--method", "cgan", "--size", "16", "--steps", "1", "--threads", "1", "--workers", "0")
    printed = call("mine", *made, *quick, "--region", "head")
    assert "1 without a face" in printed and "16 pictures" in printed
    assert len(list((tmp_path / "w" / "regions").glob("*.head.png"))) == 16
    assert "1 without a label (wall.png)" in call("mine", *made, *quick, "--again")
