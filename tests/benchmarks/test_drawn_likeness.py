"""`benchmarks.faces.drawn_likeness`: persons are found on photos, and drawings are looked up like them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.faces import drawn_likeness

pytestmark = pytest.mark.usefixtures("one_thread")
NETWORK = "mobileface_v2_112_256d.xml"


def test_photos_and_drawings_are_looked_up(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    london = data_dir / "faces" / "london_ccby"
    for part in ("smiling_front", "neutral_front"):
        (tmp_path / part).mkdir()
        for photo in sorted((london / part).glob("*.jpg"))[:4]:
            shutil.copy(photo, tmp_path / part)
    words = ["--network", data_dir / "weights" / "mobileface_mit" / NETWORK, "--photos", tmp_path / "smiling_front"]
    words += ["--gallery", tmp_path / "neutral_front", "--json", tmp_path / "out.json"]
    monkeypatch.setattr(sys, "argv", ["drawn_likeness", *map(str, words)])
    drawn_likeness.main()
    assert "cosine_own" in capsys.readouterr().out
    found = {
        kind: list(map(float, scores)) for kind, *scores in json.loads((tmp_path / "out.json").read_text())["rows"]
    }
    assert set(found) == {"photo", "teacher", "network"} and found["photo"][0] == 100
    for kind in ("teacher", "network"):
        assert found["photo"][1] > found[kind][1] > found[kind][2], "nearer to the own person than to others"
