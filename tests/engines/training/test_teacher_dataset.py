"""Pairs drawn by a teacher from regions of the portrait."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.kit_parts import full_disk
from support.portrait_region import portrait_region
from support.root import ROOT

from engines.errors import OptionsError
from engines.training.data.aligned import load_region, save_region
from engines.training.teachers import load_teacher, teacher_dataset
from engines.training.teachers.teacher_dataset import draw_pairs, source_digest

SIDE = 64


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three regions of the portrait."""
    folder = tmp_path_factory.mktemp("regions")
    region = portrait_region("head")
    for i in range(3):
        mirrored = np.ascontiguousarray(np.roll(region.rgb, 3 * i, 1))
        save_region(dataclasses.replace(region, name=f"r{i}", rgb=mirrored), folder)
    return folder


@pytest.fixture(scope="module")
def drawn(regions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pairs of all regions, to be copied."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_pairs(regions, "sketch", folder, side_px=SIDE, processes=1)
    return folder


def pictures(out: Path) -> dict[str, bytes]:
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(out.rglob("*.png"))}


def rgb(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture[:, :, ::-1]


def test_pairs_are_the_region_and_its_drawing(regions: Path, tmp_path: Path) -> None:
    totals: list[int] = []
    result = draw_pairs(regions, "sketch", tmp_path, side_px=SIDE, processes=1, lights=1, on_pair=totals.append)
    assert (result.drawn, result.existing, result.unreadable) == (6, 0, [])
    assert totals == [6] * 6
    region = load_region(regions, "r1")
    for side, picture in (("before", region.rgb), ("after", load_teacher("sketch")(region))):
        small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        assert np.array_equal(rgb(tmp_path / side / "r1.png"), small)
    plain, lit = (rgb(tmp_path / "before" / f"r1{end}.png").astype(int) for end in ("", "~1"))
    assert np.abs(plain - lit).mean() > 1


def test_two_processes_draw_the_same_and_resume(regions: Path, drawn: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    draw_pairs(regions, "sketch", two, side_px=SIDE, processes=2)
    assert pictures(two) == pictures(drawn)
    (two / "after" / "r0.png").unlink()
    kept_ns = (two / "after" / "r1.png").stat().st_mtime_ns
    result = draw_pairs(regions, "sketch", two, side_px=SIDE, processes=1)
    assert (result.drawn, result.existing) == (1, 2)
    assert (two / "after" / "r1.png").stat().st_mtime_ns == kept_ns
    assert pictures(two) == pictures(drawn)


def test_another_teacher_or_source_draws_all_again(
    regions: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(teacher_dataset, "source_digest", lambda *_args, **_named: "changed")
    assert draw_pairs(regions, "sketch", tmp_path, side_px=SIDE, processes=1).drawn == 3
    monkeypatch.undo()
    assert draw_pairs(regions, "retouch", tmp_path, side_px=SIDE, processes=1, blemished=1).drawn == 6
    assert json.loads((tmp_path / "made.json").read_text())["teacher"] == "retouch"
    assert pictures(tmp_path)["after/r0.png"] != pictures(drawn)["after/r0.png"]
    spotted, clean = (rgb(tmp_path / "before" / f"r0{end}.png").astype(int) for end in ("~b1", ""))
    assert np.abs(spotted - clean).max() > 8
    assert pictures(tmp_path)["after/r0~b1.png"] == pictures(tmp_path)["after/r0.png"]


def test_the_digest_depends_on_the_teacher_only() -> None:
    assert source_digest("retouch") != source_digest("sketch")
    assert source_digest("sketch") == source_digest("sketch")
    assert source_digest("retouch", blemishes=True) != source_digest("retouch")


def test_an_unreadable_region_is_named_and_skipped(regions: Path, tmp_path: Path) -> None:
    broken = tmp_path / "regions"
    broken.mkdir()
    for path in regions.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "r1.npz").write_bytes(b"no npz")
    result = draw_pairs(broken, "sketch", tmp_path / "out", side_px=SIDE, processes=1)
    assert result.drawn == 2
    assert len(result.unreadable) == 1 and result.unreadable[0].startswith("r1:")


def test_what_cannot_be_drawn_is_one_line(regions: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="did you mean 'sketch'"):
        draw_pairs(regions, "skech", tmp_path / "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionsError, match="photos that show faces"):
        draw_pairs(tmp_path / "empty", "sketch", tmp_path / "b")
    own = tmp_path / "own" / "before"
    own.mkdir(parents=True)
    (own / "mine.png").write_bytes(b"a picture of mine")
    with pytest.raises(OptionsError, match="not made there"):
        draw_pairs(regions, "sketch", tmp_path / "own")
    assert (own / "mine.png").read_bytes() == b"a picture of mine"


def test_pairs_without_a_region_are_deleted(regions: Path, drawn: Path, tmp_path: Path) -> None:
    fewer = tmp_path / "regions"
    shutil.copytree(regions, fewer)
    shutil.copytree(drawn, tmp_path / "out")
    (fewer / "r2.png").unlink()
    result = draw_pairs(fewer, "sketch", tmp_path / "out", side_px=SIDE, processes=1)
    assert (result.drawn, result.existing) == (0, 2)
    assert {name.split("/")[1] for name in pictures(tmp_path / "out")} == {"r0.png", "r1.png"}


def test_a_damaged_marker_draws_all_again(regions: Path, drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    (tmp_path / "made.json").write_bytes(b"")
    assert draw_pairs(regions, "sketch", tmp_path, side_px=SIDE, processes=1).drawn == 3


def test_errors_of_worker_processes_keep_their_parts() -> None:
    error = pickle.loads(pickle.dumps(OptionsError("pair x.png", "No space left", "make room")))
    assert type(error) is OptionsError
    assert (str(error), error.do) == ("pair x.png: No space left - make room", "make room")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_drawing_processes_end_with_a_killed_parent(how: signal.Signals) -> None:
    code = (
        "import multiprocessing, os, time; from concurrent.futures import ProcessPoolExecutor as Pool\n"
        "from engines.training.teachers import teacher_dataset\n"
        "pool = Pool(1, multiprocessing.get_context('spawn'), initializer=teacher_dataset._start_process)\n"
        "print(pool.submit(os.getpid).result(), flush=True)\n"
        "pool.submit(time.sleep, 40).result()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert int(parent.stdout.readline()) != parent.pid
    parent.send_signal(how)
    parent.communicate(timeout=20)  # the output ends when no process holds it open


def test_a_full_disk_leaves_complete_pictures_only(regions: Path, tmp_path: Path) -> None:
    with (
        full_disk(after_bytes=2000),
        pytest.raises(OptionsError, match="make room; finished pairs are kept"),
    ):
        draw_pairs(regions, "sketch", tmp_path, side_px=SIDE, processes=1)
    assert pictures(tmp_path) == {}
    assert not list(tmp_path.rglob("*.part*"))
    assert draw_pairs(regions, "sketch", tmp_path, side_px=SIDE, processes=1).drawn == 3
