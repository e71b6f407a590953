"""Extraction of aligned regions from photos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.head_parts import portrait_face

from calibration.sets.region_collector import collect, photos_in
from engines.errors import OptionsError
from engines.training.data.aligned import load_region, region_names, save_region
from live.picture_files.picture_writer import write_picture


def _photos(folder: Path) -> Path:
    folder.mkdir()
    portrait, _ = portrait_face()
    write_picture(folder / "astronaut.png", portrait)
    (folder / "below").mkdir()
    write_picture(folder / "below" / "astronaut.jpg", cv2.resize(portrait, None, fx=0.8, fy=0.8))
    write_picture(folder / "wall.png", np.full((200, 300, 3), 90, np.uint8))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff but no more")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_faces_become_regions_and_other_files_are_listed(tmp_path: Path) -> None:
    out = tmp_path / "regions"
    out.mkdir()
    photos = photos_in([_photos(tmp_path / "photos")])
    assert [path.name for path in photos] == ["astronaut.png", "astronaut.jpg", "broken.jpg", "wall.png"]
    seen: list[None] = []
    done = collect(photos, out, kinds=("head", "face"), side_px=256, on_photo=lambda: seen.append(None))
    assert done.regions == 4 and len(seen) == 4
    assert [Path(name).name for name in done.faceless] == ["wall.png"]
    assert len(done.unreadable) == 1 and "broken.jpg" in done.unreadable[0]
    names = region_names(out)
    assert names == ["astronaut.face", "astronaut.head", "astronaut_.face", "astronaut_.head"]
    close, head = load_region(out, names[0]), load_region(out, names[1])
    assert close.rgb.shape == head.rgb.shape == (256, 256, 3) and head.kind == "head"
    eyes = [float(np.linalg.norm(region.landmarks_xy[33] - region.landmarks_xy[263])) for region in (close, head)]
    assert eyes[0] > 1.2 * eyes[1]
    red = head.rgb[tuple(head.landmarks_xy[50].astype(int)[::-1])].astype(int)  # a cheek, in RGB
    assert red[0] > red[2] + 15
    nose = head.landmarks_xy[1].astype(int)
    assert head.person[nose[1], nose[0]] > 180 and head.person[4, 4] < 60


def test_region_equals_the_live_crop(tmp_path: Path) -> None:
    from engines.regions.upright import PictureRegion, face_box

    portrait, face = portrait_face()
    write_picture(tmp_path / "one.png", portrait)
    collect([tmp_path / "one.png"], tmp_path, kinds=("head",), side_px=256)
    box = face_box(face.landmarks_xy, "head")
    assert box is not None
    live_bgr = PictureRegion(box, (256, 256), (512, 512)).crop(portrait)
    assert np.array_equal(load_region(tmp_path, "one.head").rgb, live_bgr[:, :, ::-1])


def test_missing_or_empty_photo_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="no such folder"):
        photos_in([tmp_path / "nowhere"])
    with pytest.raises(OptionsError, match="no pictures there"):
        photos_in([tmp_path])


def test_damaged_region_is_reported_and_not_unpickled(tmp_path: Path) -> None:
    portrait, _ = portrait_face()
    write_picture(tmp_path / "one.png", portrait)
    collect([tmp_path / "one.png"], tmp_path, kinds=("head",), side_px=64)
    np.savez(tmp_path / "one.head.npz", landmarks_xy=np.array([object()], dtype=object), allow_pickle=True)
    with pytest.raises(OptionsError, match=r"region .*one\.head\.png"):
        load_region(tmp_path, "one.head")


def test_non_finite_landmarks_are_reported(tmp_path: Path) -> None:
    portrait, _ = portrait_face()
    write_picture(tmp_path / "one.png", portrait)
    collect([tmp_path / "one.png"], tmp_path, kinds=("head",), side_px=64)
    region = load_region(tmp_path, "one.head")
    region.landmarks_xy[7] = np.nan
    save_region(region, tmp_path)
    with pytest.raises(OptionsError, match="not finite"):
        load_region(tmp_path, "one.head")


def test_photo_listed_twice_is_used_once(tmp_path: Path) -> None:
    folder = _photos(tmp_path / "photos")
    (folder / "again.png").symlink_to(folder / "below" / "astronaut.jpg")
    once = photos_in([folder, folder / "below", tmp_path / "photos" / ".." / "photos"])
    assert sorted(path.name for path in once) == ["again.png", "astronaut.png", "broken.jpg", "wall.png"]


def test_unwritable_output_folder_is_reported(tmp_path: Path) -> None:
    portrait, _ = portrait_face()
    write_picture(tmp_path / "one.png", portrait)
    with pytest.raises(OptionsError, match="regions in"):
        collect([tmp_path / "one.png"], tmp_path / "not" / "there", kinds=("head",), side_px=64)
