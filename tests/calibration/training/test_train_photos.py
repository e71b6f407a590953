"""The photos of a training: which are cut, and when they are cut again."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import cv2
import pytest

from calibration.train_command import style
from calibration.training.own_pairs import cut_pairs
from calibration.training.train_photos import regions_ready
from calibration.training.train_request import Request
from engines.errors import OptionsError
from engines.training.data.aligned import region_names
from engines.training.teachers.teacher_dataset import make_pairs
from live.portrait import portrait_bgr


def request(work: Path, *faces: Path, **changes: Any) -> Request:
    """As the command line makes it."""
    usual = {name: option.default for name, option in inspect.signature(style).parameters.items()}
    return Request(**{**usual, "name": "x", "teacher": "toon", "faces": [*faces], "work": work, **changes})


def photo(path: Path, side_px: int = 256) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(portrait_bgr(), (side_px, side_px), interpolation=cv2.INTER_AREA))
    return path


def test_a_stopped_collection_is_begun_anew(tmp_path: Path) -> None:
    one = photo(tmp_path / "a" / "one.png").parent
    two = photo(tmp_path / "b" / "two.png").parent
    assert regions_ready(request(tmp_path, one)).regions == 1
    whole = region_names(tmp_path / "regions")
    assert regions_ready(request(tmp_path, one)).regions == 0, "they are there"

    def stop(_total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        regions_ready(request(tmp_path, two), on_photo=stop)
    assert regions_ready(request(tmp_path, one)).regions == 1
    assert region_names(tmp_path / "regions") == whole
    (tmp_path / "regions" / "collected.json").write_bytes(b"")
    assert regions_ready(request(tmp_path, one)).regions == 1


def test_a_photo_has_one_name_whatever_is_cut_from_it(tmp_path: Path) -> None:
    for folder in "abcde":
        photo(tmp_path / "faces" / folder / "x.png")
    regions_ready(request(tmp_path, tmp_path / "faces"))
    names = region_names(tmp_path / "regions")
    assert [name for name in names if name.endswith(".frame")] == ["x.frame", "x____.frame"]
    assert len(names) == 7


def test_a_link_to_nowhere_is_named_and_the_others_are_cut(tmp_path: Path) -> None:
    faces = photo(tmp_path / "faces" / "one.png").parent
    (faces / "lost.png").symlink_to(tmp_path / "nowhere.png")
    found = regions_ready(request(tmp_path, faces))
    assert found.regions == 1
    assert len(found.unreadable) == 1 and "lost.png" in found.unreadable[0]


def test_what_a_run_made_is_no_photo_of_the_next(tmp_path: Path) -> None:
    photo(tmp_path / "one.png")
    assert regions_ready(request(tmp_path / "train-x", tmp_path)).regions == 1
    assert regions_ready(request(tmp_path / "train-x", tmp_path)).regions == 0
    assert region_names(tmp_path / "train-x" / "regions") == ["one.frame", "one.head"]


def test_pictures_that_are_no_regions_are_left_where_they_are(tmp_path: Path) -> None:
    mine = photo(tmp_path / "regions" / "mine.png")
    with pytest.raises(OptionsError, match="not made there"):
        regions_ready(request(tmp_path, photo(tmp_path / "faces" / "one.png").parent))
    assert mine.exists()


def test_cut_pairs_and_drawn_ones_take_each_others_place(tmp_path: Path) -> None:
    faces = photo(tmp_path / "faces" / "one.png").parent
    regions_ready(request(tmp_path, faces, region="face"))
    make_pairs(tmp_path / "regions", "toon", tmp_path / "pairs", side_px=64, processes=1)
    photo(tmp_path / "before" / "own.png")
    photo(tmp_path / "after" / "own.png")
    cut_pairs(tmp_path / "before", tmp_path / "after", tmp_path / "pairs", kind="frame", side_px=64)
    assert {path.name for path in (tmp_path / "pairs").rglob("*.*")} == {"own.png", "cut.json"}
    made = make_pairs(tmp_path / "regions", "toon", tmp_path / "pairs", side_px=64, processes=1)
    assert (made.made, made.there) == (1, 0)
    assert {path.name for path in (tmp_path / "pairs").rglob("*.*")} == {"one.face.png", "made.json"}


def test_a_pencil_drawing_is_never_lit_along_with_its_photo(tmp_path: Path) -> None:
    pencil = request(tmp_path, tmp_path, teacher="sketch", relit=None, lights=None)
    assert pencil.recipe().light == 0 and pencil.more_lights == 1, "paper is white in any light"
    colours = request(tmp_path, tmp_path, relit=None, lights=None)
    assert colours.recipe().light > 0 and colours.more_lights == 0
    asked = request(tmp_path, tmp_path, relit=0.1, lights=3)
    assert asked.recipe().light == 0.1 and asked.more_lights == 3
