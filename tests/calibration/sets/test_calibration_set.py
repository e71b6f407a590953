"""Calibration sets: the built-in set, and the user's own set of photos and clips."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.sets.set_builder import CLIP_FRAMES, built_in, own_set
from calibration.sets.set_pictures import clips, stills
from engines.cache import calibration_set
from engines.cache.calibration_set import CASES, MARKER
from engines.errors import OptionsError
from engines.style_lookup import load_style
from engines.training.data.aligned import load_region, region_names, save_region
from live.picture_files.picture_writer import write_picture


def test_built_in_set_holds_live_crops_of_every_case(built_in_set: Path) -> None:
    toon, lips = load_style("toon"), load_style("lips-glaze")
    for style in (lips, toon, toon.on("face"), toon.on("person")):
        found = stills(style)
        assert {one.case for one in found} == set(CASES)
        width, height = style.size_wh
        assert all(one.crop_bgr.shape == (height, width, 3) and one.crop_bgr.dtype == np.uint8 for one in found)
    mean = {case: np.mean([one.crop_bgr.mean() for one in stills(toon) if one.case == case]) for case in CASES}
    assert mean["dark"] < 0.35 * mean["plain"]
    sharp = {case: np.mean([_edges(one.crop_bgr) for one in stills(toon) if one.case == case]) for case in CASES}
    assert sharp["noisy"] > 1.3 * sharp["plain"] and sharp["coarse"] < 0.7 * sharp["plain"]
    lit = [one.crop_bgr.mean() for one in stills(lips) if one.case == "dark"]
    assert min(lit) > 90, "dark mouths are normalised for lip networks"


def _edges(crop_bgr: NDArray[np.uint8]) -> float:
    return float(np.abs(cv2.Laplacian(crop_bgr, cv2.CV_32F)).mean())


def test_turned_case_rotates_heads_by_12_to_45_degrees(built_in_set: Path) -> None:
    tilts = {}
    for name in region_names(built_in_set):
        _, case, kind = name.rsplit(".", 2)
        if kind == "head" and case in ("plain", "turned"):
            across = np.subtract(*load_region(built_in_set, name).landmarks_xy[[263, 33]])
            tilts.setdefault(case, []).append(abs(np.degrees(np.arctan2(across[1], across[0]))))
    assert max(tilts["plain"]) < 10 and all(12 < tilt < 45 for tilt in tilts["turned"])


def test_built_in_clip_moves_slightly(built_in_set: Path) -> None:
    (frames,) = clips(load_style("toon"))
    assert len(frames) == CLIP_FRAMES
    changes = [np.abs(now.astype(int) - before).mean() for before, now in pairwise(frames)]
    assert all(0.5 < change < 25 for change in changes)


def test_set_is_created_once_and_ignored_if_incomplete(built_in_set: Path) -> None:
    marker, digest = (built_in_set / MARKER).read_text(), calibration_set.digest()
    before = (built_in_set / MARKER).stat().st_mtime_ns
    assert built_in() == built_in_set and (built_in_set / MARKER).stat().st_mtime_ns == before
    assert digest != ""
    try:
        (built_in_set / MARKER).unlink()
        assert calibration_set.digest() == "" and stills(load_style("toon")) == []
    finally:
        (built_in_set / MARKER).write_text(marker)
    assert calibration_set.digest() == digest


def write_clip(path: Path, portrait_bgr: NDArray[np.uint8], frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (384, 384))
    small = cv2.resize(portrait_bgr, (384, 384), interpolation=cv2.INTER_AREA)
    for number in range(frames):
        writer.write(np.roll(small, number % 7, 1))
    writer.release()


def test_photos_and_clips_are_added_to_the_own_set(tmp_path: Path, portrait_bgr: NDArray[np.uint8]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    write_picture(photos / "me.v1.jpg", portrait_bgr)
    write_picture(photos / "wall.png", np.full((200, 300, 3), 90, np.uint8))
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff but no more")
    (photos / "notes.txt").write_text("no picture")
    write_clip(photos / "film.avi", portrait_bgr, 45)
    done = own_set([photos])
    assert done.sources == 2 and [Path(name).name for name in done.faceless] == ["wall.png"]
    assert len(done.unreadable) == 1 and "broken.jpg" in done.unreadable[0]
    toon = load_style("toon")
    assert len(stills(toon)) == 2 * len(CASES), "one photo, and the first frame of the clip"
    assert [len(frames) for frames in clips(toon)] == [CLIP_FRAMES]
    assert done.regions == len(region_names(calibration_set.own_folder())) == 2 * (2 * len(CASES) + CLIP_FRAMES)
    digest = calibration_set.digest()
    assert own_set([photos / "me.v1.jpg"]).regions == done.regions, "the same photo is not added twice"
    assert calibration_set.digest() == digest
    write_picture(photos / "me again.png", portrait_bgr[:, ::-1])
    assert own_set([photos / "me again.png"]).regions == done.regions + 2 * len(CASES)
    assert calibration_set.digest() != digest, "other images give other INT8 engines"


def test_photos_beyond_the_maximum_are_counted(tmp_path: Path, portrait_bgr: NDArray[np.uint8]) -> None:
    for number in range(3):
        write_picture(tmp_path / f"{number}.png", np.roll(portrait_bgr, number, 1))
    done = own_set([tmp_path], most=1)
    assert (done.sources, done.left_out) == (1, 2)


def test_collection_errors_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionsError, match="there is no such folder"):
        own_set([tmp_path / "nowhere"])
    with pytest.raises(OptionsError, match="no photos or clips there.*png"):
        own_set([tmp_path])
    write_picture(tmp_path / "wall.png", np.full((200, 300, 3), 90, np.uint8))
    with pytest.raises(OptionsError, match="no face in 1 photos and clips"):
        own_set([tmp_path])
    assert calibration_set.digest() == ""
    blocked = calibration_set.own_folder()
    blocked.rmdir()
    blocked.write_text("a file where the folder should be")
    with pytest.raises(OptionsError, match="calibration set in"):
        own_set([tmp_path])


def test_interrupted_collection_leaves_no_valid_set(
    tmp_path: Path, portrait_bgr: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(tmp_path / "me.png", portrait_bgr)
    own_set([tmp_path])

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("calibration.sets.region_collector.save_region", stop)
    with pytest.raises(KeyboardInterrupt):
        own_set([tmp_path])
    assert calibration_set.marker(calibration_set.own_folder()) is None
    monkeypatch.setattr("calibration.sets.region_collector.save_region", save_region)
    own_set([tmp_path])
    assert calibration_set.digest() != ""
