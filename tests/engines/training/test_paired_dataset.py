"""Pairs from disk, the split, the batches and the webcam look."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.kit_parts import make_pairs, make_recipe, negative, write_pairs

from engines.errors import OptionsError
from engines.training.data.augmentation import Batches
from engines.training.data.paired_dataset import Skipped, load_pairs, partners_of, split
from engines.training.data.picture_pairs import psnr_db
from engines.training.data.webcam import Webcam, light_curve, relit
from engines.training.recipe import Objectives

PLAIN = {"webcam": 0.0, "light": 0.0, "turned": 0.0, "objectives": Objectives()}


def test_pairs_come_back_as_they_were_written(tmp_path: Path) -> None:
    pairs = make_pairs()
    (tmp_path / "TERMS.txt").write_text("MIT,\n made up\n")
    read, skipped = load_pairs(*write_pairs(pairs, tmp_path))
    assert read.names == pairs.names
    assert np.array_equal(read.before_rgb, pairs.before_rgb)
    assert np.array_equal(read.after_rgb, pairs.after_rgb)
    assert read.terms == "MIT, made up"
    assert skipped.line() == ""


def test_what_is_no_pair_is_skipped_counted_and_named(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(6), tmp_path)
    (after / "00.png").unlink()
    (before / "01.png").write_bytes(b"no picture")
    cv2.imwrite(str(after / "02.png"), np.zeros((20, 30, 3), np.uint8))
    for folder in (before, after):
        cv2.imwrite(str(folder / "03.png"), np.zeros((24, 24, 3), np.uint8))
    read, skipped = load_pairs(before, after)
    assert read.names == ("04", "05")
    line = skipped.line()
    assert f"1 without a partner ({before / '00.png'})" in line
    assert f"1 unreadable ({before / '01.png'}" in line
    assert "2 of another size" in line
    assert "its partner is 30x20" in line
    assert "\n" not in line


def test_pairs_of_any_size_are_brought_to_one(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(2), tmp_path)
    for folder in (before, after):
        cv2.imwrite(str(folder / "wide.png"), np.full((60, 100, 3), 90, np.uint8))
    read, skipped = load_pairs(before, after, size_wh=(32, 32))
    assert read.before_rgb.shape == (3, 32, 32, 3)
    assert skipped.line() == ""


def test_folders_without_a_whole_pair_are_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="no such folder"):
        load_pairs(tmp_path / "none", tmp_path)
    before, after = write_pairs(make_pairs(1), tmp_path)
    (after / "00.png").rename(after / "other.png")
    with pytest.raises(OptionsError, match="2 without a partner"):
        load_pairs(before, after)


def test_a_jpeg_and_a_png_of_one_name_are_partners(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(1), tmp_path)
    cv2.imwrite(str(before / "00.jpg"), cv2.imread(str(before / "00.png")))
    (before / "00.png").unlink()
    skipped = Skipped()
    assert partners_of(before, after, skipped) == [("00", before / "00.jpg", after / "00.png")]


def test_all_lights_of_a_face_are_on_one_side_of_the_split() -> None:
    names = tuple(f"{face:02}{light}" for face in range(20) for light in ("", "~1", "~b1"))
    learned, held = split(names, 0.2, 48, 0)
    assert {names[i][:2] for i in learned}.isdisjoint({names[i][:2] for i in held})
    assert len({names[i][:2] for i in held}) == 4
    assert not any("~" in names[i] for i in held)
    assert split(names, 0.2, 48, 0) == (learned, held)
    with pytest.raises(OptionsError, match="two or more"):
        split(("00", "00~1"), 0.1, 48, 0)


def test_all_regions_of_a_photo_are_on_one_side_of_the_split() -> None:
    names = tuple(f"{photo:02}.{end}" for photo in range(12) for end in ("head", "head~1", "frame", "frame~b1"))
    learned, held = split(names, 0.3, 48, 0)
    assert {names[i][:2] for i in learned}.isdisjoint({names[i][:2] for i in held})
    assert {names[i][2:] for i in held} == {".head", ".frame"}
    own, _ = split(("me.1", "me.2", "me.3"), 0.3, 48, 0)  # no kinds of regions: three pictures
    assert len(own) == 2


def test_a_second_picture_of_the_same_name_is_named(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(2), tmp_path)
    cv2.imwrite(str(before / "01.jpg"), np.zeros((48, 48, 3), np.uint8))
    read, skipped = load_pairs(before, after)
    assert read.names == ("00", "01")
    assert f"1 named as another ({before / '01.png'}, beside 01.jpg)" in skipped.line()


def test_a_batch_depends_on_its_step_alone() -> None:
    pairs, recipe = make_pairs(), make_recipe(webcam=1.0, light=1.0, turned=0.5)
    forwards, backwards = Batches(pairs, recipe), Batches(pairs, recipe)
    try:
        ones = [forwards.get(step) for step in range(3)]
        others = [backwards.make(step) for step in (2, 1, 0)][::-1]
    finally:
        forwards.close()
        backwards.close()
    for one, other in zip(ones, others, strict=True):
        assert np.array_equal(one.before, other.before)
        assert np.array_equal(one.after, other.after)
    assert not np.array_equal(ones[0].before, ones[1].before)
    assert not np.array_equal(ones[0].before, Batches(pairs, recipe, rank=1).make(0).before)


def test_plain_batches_are_pieces_of_the_pairs() -> None:
    batch = Batches(make_pairs(), make_recipe(**PLAIN)).make(0)
    assert batch.before.shape == batch.after.shape == (4, 32, 32, 3)
    assert batch.shift_xy is None
    assert np.array_equal(batch.after, negative(batch.before))


def test_light_and_turning_reach_input_and_target_alike() -> None:
    """A target that equals its input still does after them; only the webcam's faults part them."""
    pairs = make_pairs()
    pairs = replace(pairs, after_rgb=pairs.before_rgb)
    scene = Batches(pairs, make_recipe(**{**PLAIN, "light": 1.0, "turned": 1.0})).make(0)
    assert np.array_equal(scene.before, scene.after)
    spoilt = Batches(pairs, make_recipe(**{**PLAIN, "webcam": 1.0})).make(0)
    assert not np.array_equal(spoilt.before, spoilt.after)


def test_two_views_of_a_place_are_shifted_as_they_say() -> None:
    recipe = make_recipe(**{**PLAIN, "objectives": Objectives(temporal=1)}, batch=16)
    batch = Batches(make_pairs(6, 64), recipe).make(0)
    assert batch.shift_xy is not None
    whole = 0
    for first, second, (x, y) in zip(batch.after[:8], batch.after[8:], batch.shift_xy, strict=True):
        if x == round(x) and y == round(y):
            left, top = int(x), int(y)
            inner = slice(8, 24)
            moved = first[8 + top : 24 + top, 8 + left : 24 + left]
            assert np.abs(second[inner, inner].astype(int) - moved).max() <= 1
            whole += 1
    assert whole >= 2


def test_targets_with_a_grid_keep_their_place_on_it() -> None:
    pairs = make_pairs(6, 64)
    tiles = np.indices((64, 64)).sum(0) % 8 == 0
    hatched = np.broadcast_to(np.where(tiles, 0, 255).astype(np.uint8)[None, :, :, None], pairs.after_rgb.shape)
    changes = {**PLAIN, "turned": 1.0, "grid_px": 8, "objectives": Objectives(temporal=1)}
    batch = Batches(replace(pairs, after_rgb=np.ascontiguousarray(hatched)), make_recipe(**changes, batch=16)).make(0)
    middle = batch.after[:, 8:24, 8:24]
    assert np.array_equal(middle, np.broadcast_to(hatched[:1, 8:24, 8:24], middle.shape))


def test_a_webcam_spoils_but_does_not_move_or_tint(portrait_bgr: np.ndarray) -> None:
    picture = np.ascontiguousarray(portrait_bgr[100:356, 100:356, ::-1])
    webcam, scores = Webcam(1.0), []
    for seed in range(40):
        spoilt = webcam.spoil(picture, np.random.default_rng(seed))
        assert spoilt.shape == picture.shape
        assert np.array_equal(spoilt, webcam.spoil(picture, np.random.default_rng(seed)))
        assert np.abs(spoilt.mean((0, 1)) - picture.mean((0, 1))).max() < 4
        scores.append(psnr_db(picture, spoilt))
    assert min(scores) < 30
    assert len({round(score, 2) for score in scores}) > 20
    assert min(scores) > 17
    assert np.array_equal(Webcam(0.0).spoil(picture, np.random.default_rng(0)), picture)


def test_light_keeps_black_black_and_order(portrait_bgr: np.ndarray) -> None:
    means = []
    for seed in range(30):
        curve = light_curve(np.random.default_rng(seed))
        assert (np.diff(curve.astype(int), axis=0) >= 0).all()
        assert (curve[0] == 0).all()
        means.append(relit(np.ascontiguousarray(portrait_bgr), curve).mean())
    assert min(means) < 0.8 * portrait_bgr.mean() < portrait_bgr.mean() < max(means)


def test_batches_end_their_thread() -> None:
    import threading

    batches = Batches(make_pairs(), make_recipe())
    batches.get(0)
    batches.close()
    end_s = time.monotonic() + 2
    while any(thread.name.startswith("batches") for thread in threading.enumerate()) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert not any(thread.name.startswith("batches") for thread in threading.enumerate())
