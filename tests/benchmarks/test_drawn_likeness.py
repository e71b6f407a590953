"""`benchmarks.faces.drawn_likeness`: persons are found on photos, and drawings are looked up like them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.faces import drawn_likeness
from engines.errors import OptionsError

pytestmark = pytest.mark.usefixtures("one_thread")
NETWORK = "mobileface_v2_112_256d.xml"


def words(data_dir: Path, folder: Path, persons: int = 4) -> list[object]:
    """Copy smiling photos of four persons and neutral ones of some; return the options."""
    london = data_dir / "faces" / "london_ccby"
    for part, count in (("smiling_front", 4), ("neutral_front", persons)):
        (folder / part).mkdir()
        for photo in sorted((london / part).glob("*.jpg"))[:count]:
            shutil.copy(photo, folder / part)
    network = data_dir / "weights" / "mobileface_mit" / NETWORK
    return ["--network", network, "--photos", folder / "smiling_front", "--gallery", folder / "neutral_front"]


def run(monkeypatch: pytest.MonkeyPatch, *options: object) -> None:
    monkeypatch.setattr(sys, "argv", ["drawn_likeness", *map(str, options)])
    drawn_likeness.main()


def test_photos_and_drawings_are_looked_up(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, *words(data_dir, tmp_path), "--json", tmp_path / "out.json")
    assert "cosine_own" in capsys.readouterr().out
    found = {
        kind: list(map(float, scores)) for kind, *scores in json.loads((tmp_path / "out.json").read_text())["rows"]
    }
    assert set(found) == {"photo", "teacher", "network"} and found["photo"][0] == 100
    for kind in ("teacher", "network"):
        assert found["photo"][1] > found[kind][1] > found[kind][2], "nearer to the own person than to others"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("--style", "sketch"), "name a style of heads and its own teacher"),
        (("--teacher", "sketch"), "name a style of heads and its own teacher"),
        (("--style", "lips-glaze"), "works on lips"),
    ],
)
def test_a_style_that_the_teacher_does_not_draw_is_refused(
    changes: tuple[str, str], told: str, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionsError, match=told):
        run(monkeypatch, *words(data_dir, tmp_path), *changes)


def test_persons_missing_in_the_gallery_are_named(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionsError, match="no photo of 0"):
        run(monkeypatch, *words(data_dir, tmp_path, persons=2))


def test_a_file_that_is_no_network_is_refused(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionsError, match="--network"):
        run(monkeypatch, *words(data_dir, tmp_path), "--network", tmp_path / "none.xml")
