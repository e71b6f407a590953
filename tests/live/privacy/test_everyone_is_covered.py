"""A covering look draws or blurs every person in the picture: at the edges, behind, small, many, masked."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.ffmpeg_program import ffmpeg

from benchmarks.person_scenes.coverage import Coverage, score
from benchmarks.person_scenes.scenes import KINDS, Cutout, PersonScene, compose, cut_out
from engines.looks_file import load_looks
from live.options import ApplyOptions
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import Frame, ImageU8
from live.portrait import portrait_bgr
from live.recording.file_apply import apply_to
from live.render.look_tile import find_faces
from live.sources.video_source import VideoSource, film_frames

_MAX_BARE, _MAX_PATCH_PX = 0.04, 40  # of the persons' pixels; side of a bare square at 720 lines: see the policy's rule

_BEYOND_THE_RULE = {7}  # a fifth of a head behind a board


@cache
def _astronaut() -> Cutout:
    cutout = cut_out(portrait_bgr())
    assert cutout is not None
    cutout.alpha[330:, 275:] = 0  # the helmet
    return cutout


@pytest.fixture(scope="module")
def toon() -> Coverage:
    return Coverage(load_looks()["toon"], still=True)


def _is_covered(scene: PersonScene, coverage: Coverage) -> bool:
    drawn, fallback = coverage.drawn(Frame(scene.bgr, 0, 0.0))
    found = score(drawn, scene.persons)
    return found["bare"] < _MAX_BARE and found["patch_px"] < _MAX_PATCH_PX and not fallback


@pytest.mark.parametrize("kind", KINDS)
def test_toon_draws_everyone(kind: str, toon: Coverage) -> None:
    seeds = {KINDS.index(kind) + len(KINDS) * number for number in range(3)} - _BEYOND_THE_RULE
    assert [seed for seed in seeds if not _is_covered(compose(seed, [_astronaut()]), toon)] == []


@pytest.mark.data
def test_five_portraits_in_a_row_are_all_drawn(data_dir: Path, toon: Coverage) -> None:
    pictures = sorted((data_dir / "faces/portraits_cc0").rglob("*.jpg"))[:5]
    people = [cutout for path in pictures if (cutout := cut_out(read_picture(path)))]
    row_bgr = np.hstack([cv2.resize(one.bgr, (400, 400), interpolation=cv2.INTER_AREA) for one in people])
    persons = np.hstack([cv2.resize(one.alpha, (400, 400)) for one in people])
    drawn, fallback = toon.drawn(Frame(np.asarray(row_bgr, np.uint8), 0, 0.0))
    assert not fallback and score(drawn, persons)["bare"] < _MAX_BARE


def test_judge_notices_a_bare_bystander() -> None:
    """Without the search for everyone, half a head at the edge stays photographic."""
    look = load_looks()["toon"]
    blind = Coverage(replace(look, no_face="raw"), still=True)
    assert not all(_is_covered(compose(seed, [_astronaut()]), blind) for seed in range(1, 25))


@pytest.mark.parametrize("region", ["head", "face"])
def test_look_without_a_body_layer_blurs_the_rest_of_everyone(region: str) -> None:
    scene, look = compose(KINDS.index("edge"), [_astronaut()]), load_looks()["toon"]
    style = replace(look.layers[1].style, region=region)  # type: ignore[type-var]
    coverage = Coverage(replace(look, layers=(replace(look.layers[1], style=style),)), still=True)
    shown = coverage.shown(Frame(scene.bgr.copy(), 0, 0.0))
    person, wall = scene.persons > 0.99, scene.persons == 0
    assert _detail(shown)[person].mean() < 0.4 * _detail(scene.bgr)[person].mean()
    assert (shown[wall] == scene.bgr[wall]).all(1).mean() > 0.8, "the room stays"


def _detail(bgr: ImageU8) -> np.ndarray:
    grey = bgr.mean(2)
    return np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))


@pytest.mark.parametrize("name", ["toon", "comic", "gouache"])
@pytest.mark.parametrize("suffix", [".png", ".mkv"])
def test_face_that_is_not_tracked_is_blurred(tmp_path: Path, name: str, suffix: str) -> None:
    """The body layer keeps too much of the photo: drawn by it alone, a face is recognised."""
    portrait, source, output = portrait_bgr(), tmp_path / f"pair{suffix}", tmp_path / f"drawn{suffix}"
    pair_bgr = np.hstack([portrait, portrait[:, ::-1]])
    write_picture(tmp_path / "pair.png", np.ascontiguousarray(pair_bgr))
    if suffix == ".mkv":
        ffmpeg("-loop", 1, "-i", tmp_path / "pair.png", "-frames:v", 4, "-c:v", "libx264", "-crf", 10, source)
    assert apply_to(source, output, ApplyOptions(look=name, max_faces=1)) == 0
    shown = read_picture(output) if suffix == ".png" else list(film_frames(output))[-1].bgr
    (face,) = find_faces(portrait)
    (left, top), (right, bottom) = (np.rint(edge(face.landmarks_xy, 0)).astype(int) for edge in (np.min, np.max))
    width = portrait.shape[1]
    boxes = [np.s_[top:bottom, left:right], np.s_[top:bottom, 2 * width - right : 2 * width - left]]
    kept = sorted(_detail(shown[box]).mean() / _detail(pair_bgr[box]).mean() for box in boxes)
    assert kept[0] < 0.3 < kept[1], "one is drawn, the other one blurred"


def test_whole_frame_drawing_covers_everything() -> None:
    sketch = Coverage(load_looks()["sketch"], still=True)
    drawn, fallback = sketch.drawn(Frame(compose(KINDS.index("edge"), [_astronaut()]).bgr, 0, 0.0))
    assert drawn.all() and not fallback


@pytest.mark.data
def test_half_face_at_the_edge_of_a_film_is_drawn(data_dir: Path) -> None:
    coverage, source = Coverage(load_looks()["toon"]), VideoSource(data_dir / "clips/intel_asl_ccby/bird.mkv")
    source.open()
    half_face = np.s_[100:240, 600:640]
    bare = []
    while (frame := source.read()) is not None:
        drawn, _ = coverage.drawn(frame)
        bare.append(1 - drawn[half_face].mean())
    source.close()
    assert len(bare) > 60 and max(bare[20:]) < 0.05, "live, the views are searched one after the other"
