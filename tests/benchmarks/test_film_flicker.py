"""The flicker of a look on a film, as viewers see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.video_files import write_video

from benchmarks.faces.film_flicker import measure
from engines.errors import SourceError
from engines.looks import find_look
from engines.looks_file import load_looks
from live.portrait import portrait_bgr


def moving_film(path: Path, *, face: bool) -> Path:
    picture = portrait_bgr() if face else np.full((512, 512, 3), 90, np.uint8)
    noise = np.random.default_rng(0).normal(0, 3, (8, 400, 480, 3))
    frames = [np.clip(picture[at : at + 400, at : at + 480] + noise[at], 0, 255) for at in range(8)]
    return write_video(path, [np.asarray(frame, np.uint8) for frame in frames])


def test_an_unpainted_film_changes_as_the_camera_does(tmp_path: Path) -> None:
    found = measure(find_look(load_looks(), "none"), moving_film(tmp_path / "a.mp4", face=True), 100)
    assert found.pairs == 7
    assert found.ratio == pytest.approx(1.0)


def test_make_up_adds_no_flicker(tmp_path: Path) -> None:
    found = measure(find_look(load_looks(), "glaze"), moving_film(tmp_path / "a.mp4", face=True), 100)
    assert found.ratio == pytest.approx(1.0, abs=0.1)
    assert found.ratio != 1.0


def test_a_film_without_a_face_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"empty\.mp4.*no two frames in turn show a face"):
        measure(find_look(load_looks(), "none"), moving_film(tmp_path / "empty.mp4", face=False), 100)
