"""Pairs on disk, their split, batches of crops, and the webcam augmentation."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.kit_parts import make_pairs, negative, paired, write_pairs
from support.root import ROOT

from engines.errors import EngineError, OptionsError
from engines.training.data.batch_stream import BatchStream
from engines.training.data.paired_batches import PairedBatches
from engines.training.data.paired_dataset import PairedDataset, open_pairs, split
from engines.training.data.picture_pairs import Skipped, find_pairs
from engines.training.data.webcam import light_curve, relit, spoil
from engines.training.metrics.psnr import psnr_db

PLAIN = {"webcam": 0.0, "relit": 0.0, "turned": 0.0, "temporal": 0.0}


def batches(pairs: PairedDataset, *, rank: int = 0, **changes: object) -> PairedBatches:
    """Batches of all pairs, without temporal views unless asked for."""
    return replace(paired(pairs, **{"temporal": 0.0, **changes}).dataset(rank), pairs=pairs)


def load_pairs(before: Path, after: Path, **options: object) -> tuple[PairedDataset, Skipped]:
    return open_pairs(before, after, before.parent / "pairs.u8", **{"size_wh": (48, 48), **options})  # type: ignore[arg-type]


def stacked(pictures: object) -> np.ndarray:
    return np.stack([pictures[i] for i in range(len(pictures))])  # type: ignore[arg-type, index]


def test_pairs_are_read_as_they_were_written(tmp_path: Path) -> None:
    pairs = make_pairs()
    (tmp_path / "TERMS.txt").write_text("MIT,\n made up\n")
    read, skipped = load_pairs(*write_pairs(pairs, tmp_path))
    assert read.names == pairs.names
    assert np.array_equal(stacked(read.before_rgb), pairs.before_rgb)
    assert np.array_equal(stacked(read.after_rgb), pairs.after_rgb)
    assert read.digest() == pairs.digest()
    assert read.subset([2, 4]).subset([1]).digest() == pairs.subset([4]).digest()
    assert read.terms == "MIT, made up"
    assert skipped.line() == ""


def test_incomplete_pairs_are_skipped_and_named(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(6), tmp_path)
    (after / "00.png").unlink()
    (before / "01.png").write_bytes(b"no picture")
    cv2.imwrite(str(after / "02.png"), np.zeros((20, 30, 3), np.uint8))
    for folder in (before, after):
        cv2.imwrite(str(folder / "03.png"), np.zeros((24, 24, 3), np.uint8))
    read, skipped = load_pairs(before, after)
    assert read.names == ("03", "04", "05")
    line = skipped.line()
    assert f"1 without a partner ({before / '00.png'})" in line
    assert f"1 unreadable ({before / '01.png'}" in line
    assert "1 of another size" in line
    assert "its partner is 30x20" in line
    assert "\n" not in line


def test_pairs_of_any_size_are_resized_to_one(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(2), tmp_path)
    for folder in (before, after):
        cv2.imwrite(str(folder / "wide.png"), np.full((60, 100, 3), 90, np.uint8))
    read, skipped = load_pairs(before, after, size_wh=(32, 32))
    assert stacked(read.before_rgb).shape == (3, 32, 32, 3)
    assert skipped.line() == ""


def test_folders_without_a_complete_pair_are_an_error(tmp_path: Path) -> None:
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
    assert find_pairs(before, after, skipped) == [("00", before / "00.jpg", after / "00.png")]


def test_variants_of_a_photo_are_on_one_side_of_the_split() -> None:
    names = tuple(f"{face:02}{light}" for face in range(20) for light in ("", "~1", "~b1"))
    learned, held = split(names, 0.2, 48, 0)
    assert {names[i][:2] for i in learned}.isdisjoint({names[i][:2] for i in held})
    assert len({names[i][:2] for i in held}) == 4
    assert not any("~" in names[i] for i in held)
    assert split(names, 0.2, 48, 0) == (learned, held)
    with pytest.raises(OptionsError, match="two or more"):
        split(("00", "00~1"), 0.1, 48, 0)


def test_regions_of_a_photo_are_on_one_side_of_the_split() -> None:
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
    assert f"1 with a duplicate name ({before / '01.png'}, beside 01.jpg)" in skipped.line()


def test_a_batch_depends_on_its_step_only() -> None:
    options = {"webcam": 1.0, "relit": 1.0, "turned": 0.5}
    forwards, backwards = batches(make_pairs(), **options), batches(make_pairs(), **options)
    ones = [forwards[step] for step in range(3)]
    others = [backwards[step] for step in (2, 1, 0)][::-1]
    for one, other in zip(ones, others, strict=True):
        assert np.array_equal(one.before_rgb, other.before_rgb)
        assert np.array_equal(one.after_rgb, other.after_rgb)
    assert not np.array_equal(ones[0].before_rgb, ones[1].before_rgb)
    assert not np.array_equal(ones[0].before_rgb, batches(make_pairs(), rank=1, **options)[0].before_rgb)


def test_workers_give_the_same_batches_and_end(tmp_path: Path) -> None:
    pairs, _ = open_pairs(*write_pairs(make_pairs(), tmp_path), tmp_path / "pairs.u8", size_wh=(48, 48))
    source = batches(pairs, webcam=1.0)
    assert len(pickle.dumps(source)) < 10_000, "pictures are sent to the workers"
    stream = BatchStream(source, 3, 40, workers=2)
    try:
        workers = multiprocessing.active_children()
        for step in (3, 4, 5):
            assert np.array_equal(stream.get().before_rgb, source[step].before_rgb)
    finally:
        stream.close()
    assert len(workers) == 2
    assert not any(worker.is_alive() for worker in workers)


def test_errors_of_workers_are_one_line(tmp_path: Path) -> None:
    pairs, _ = open_pairs(*write_pairs(make_pairs(), tmp_path), tmp_path / "pairs.u8", size_wh=(48, 48))
    source = batches(pairs)
    (tmp_path / "pairs.u8").unlink()
    stream = BatchStream(source, 0, 9, workers=1)
    try:
        with pytest.raises(OptionsError, match=r"pairs\.u8.* - start again") as caught:
            stream.get()
        assert "Traceback" not in str(caught.value)
        os.kill(multiprocessing.active_children()[0].pid or 0, 9)
        with pytest.raises(EngineError, match="--workers"):
            for _ in range(9):
                with pytest.raises(OptionsError):
                    stream.get()
    finally:
        stream.close()


def test_workers_end_with_a_killed_parent() -> None:
    code = (
        "import sys, time; sys.path[:0] = ['tests']\n"
        "from support.kit_parts import paired; from engines.training.data.batch_stream import BatchStream\n"
        "stream = BatchStream(paired().dataset(0), 0, 99, workers=1)\n"
        "stream.get()\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    parent.kill()
    parent.communicate(timeout=30)  # the output ends when no process holds it open


def test_batches_without_augmentation_are_plain_crops() -> None:
    batch = batches(make_pairs(), **PLAIN)[0]
    assert batch.before_rgb.shape == batch.after_rgb.shape == (4, 32, 32, 3)
    assert batch.shift_xy is None
    assert np.array_equal(batch.after_rgb, negative(batch.before_rgb))


def test_relighting_and_rotation_apply_to_both_sides() -> None:
    """A target equal to its input stays equal; only the camera faults separate them."""
    pairs = make_pairs()
    pairs = replace(pairs, after_rgb=pairs.before_rgb)
    scene = batches(pairs, **{**PLAIN, "relit": 1.0, "turned": 1.0})[0]
    assert np.array_equal(scene.before_rgb, scene.after_rgb)
    spoilt = batches(pairs, **{**PLAIN, "webcam": 1.0})[0]
    assert not np.array_equal(spoilt.before_rgb, spoilt.after_rgb)


def test_two_views_differ_by_the_stated_shift() -> None:
    batch = batches(make_pairs(6, 64), **{**PLAIN, "temporal": 1.0}, batch=16)[0]
    assert batch.shift_xy is not None
    whole = 0
    for first, second, (x, y) in zip(batch.after_rgb[:8], batch.after_rgb[8:], batch.shift_xy, strict=True):
        if x == round(x) and y == round(y):
            left, top = int(x), int(y)
            inner = slice(8, 24)
            moved = first[8 + top : 24 + top, 8 + left : 24 + left]
            assert np.abs(second[inner, inner].astype(int) - moved).max() <= 1
            whole += 1
    assert whole >= 2


def test_targets_with_a_grid_stay_on_it() -> None:
    pairs = make_pairs(6, 64)
    tiles = np.indices((64, 64)).sum(0) % 8 == 0
    hatched = np.broadcast_to(np.where(tiles, 0, 255).astype(np.uint8)[None, :, :, None], pairs.after_rgb.shape)
    changes = {**PLAIN, "turned": 1.0, "grid_px": 8, "temporal": 1.0}
    batch = batches(replace(pairs, after_rgb=np.ascontiguousarray(hatched)), **changes, batch=16)[0]
    middle = batch.after_rgb[:, 8:24, 8:24]
    assert np.array_equal(middle, np.broadcast_to(hatched[:1, 8:24, 8:24], middle.shape))


def test_webcam_faults_neither_move_nor_tint(portrait_bgr: np.ndarray) -> None:
    picture = np.ascontiguousarray(portrait_bgr[100:356, 100:356, ::-1])
    scores = []
    for seed in range(40):
        spoilt = spoil(picture, np.random.default_rng(seed))
        assert spoilt.shape == picture.shape
        assert np.array_equal(spoilt, spoil(picture, np.random.default_rng(seed)))
        assert np.abs(spoilt.mean((0, 1)) - picture.mean((0, 1))).max() < 4
        scores.append(psnr_db(picture, spoilt))
    assert min(scores) < 30
    assert len({round(score, 2) for score in scores}) > 20
    assert min(scores) > 17
    assert np.array_equal(spoil(picture, np.random.default_rng(0), 0.0), picture)


def test_relighting_keeps_black_and_the_order_of_levels(portrait_bgr: np.ndarray) -> None:
    means = []
    for seed in range(30):
        curve = light_curve(np.random.default_rng(seed))
        assert (np.diff(curve.astype(int), axis=0) >= 0).all()
        assert (curve[0] == 0).all()
        means.append(relit(np.ascontiguousarray(portrait_bgr), curve).mean())
    assert min(means) < 0.8 * portrait_bgr.mean() < portrait_bgr.mean() < max(means)
