"""PersonFinder on scenes composed from the built-in portrait."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.person_scenes.scenes import KINDS, PersonScene, compose, cut_out
from live.pipeline.frame import Face, ImageU8
from live.portrait import portrait_bgr
from live.render.look_tile import find_faces
from live.tracking import scene_cut
from live.tracking.person_finder import PersonFinder
from live.tracking.person_segmenter import PersonSegmenter
from live.tracking.person_views import with_heads, with_unsure_parts

_ALONE, _EDGE = KINDS.index("alone"), KINDS.index("edge")


@cache
def _scene(seed: int) -> tuple[PersonScene, tuple[Face, ...]]:
    cutout = cut_out(portrait_bgr())
    assert cutout is not None
    cutout.alpha[330:, 275:] = 0  # the helmet
    scene = compose(seed, [cutout])
    return scene, tuple(find_faces(scene.bgr))


def _missed(scene: PersonScene, mask: ImageU8) -> float:
    """Return the part of the persons that the mask does not show."""
    height, width = mask.shape
    rows, columns = np.nonzero(scene.persons > 0.99)
    at = rows * height // scene.bgr.shape[0], columns * width // scene.bgr.shape[1]
    return float((mask[at] < 128).mean())


def test_user_alone_has_the_same_mask_as_without_the_search() -> None:
    scene, faces = _scene(_ALONE)
    with PersonSegmenter(still=True) as segmenter:
        whole = segmenter.mask(scene.bgr)
    finder = PersonFinder(still=True)
    assert (finder.persons(scene.bgr, faces, 0.0) != whole).mean() < 0.02
    finder.close()


def test_half_head_at_the_edge_is_found_and_stays() -> None:
    with PersonSegmenter(still=True) as segmenter:
        edges = [_scene(seed) for seed in range(_EDGE, _EDGE + 6 * len(KINDS), len(KINDS))]
        scene, faces = max(edges, key=lambda found: _missed(found[0], segmenter.mask(found[0].bgr)))
        whole_missed = _missed(scene, segmenter.mask(scene.bgr))
    finder = PersonFinder()
    missed = [_missed(scene, finder.persons(scene.bgr, faces, number / 30)) for number in range(60)]
    finder.close()
    assert max(missed) < whole_missed / 2


def test_person_who_left_fades_within_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_cut, "_CUT", 256.0)  # the change of the whole picture is not a cut here
    scene, faces = _scene(_EDGE)
    empty = np.full_like(scene.bgr, 150)
    finder = PersonFinder()
    for number in range(40):
        finder.persons(scene.bgr, faces, number / 30)
    left = [int(finder.persons(empty, (), number / 30).max()) for number in range(40, 200)]
    finder.close()
    assert left[5] > 128 and left[-1] < 64


def test_lost_face_stays_on_the_map_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_cut, "_CUT", 256.0)
    scene, faces = _scene(_ALONE)
    empty = np.full_like(scene.bgr, 150)
    finder = PersonFinder()
    finder.persons(scene.bgr, faces, 0.0)
    x, y = faces[0].landmarks_xy[1] * np.array([256 / scene.bgr.shape[1], 144 / scene.bgr.shape[0]])
    shown = [int(finder.persons(empty, (), 0.05 * number)[int(y), int(x)]) for number in range(1, 80)]
    finder.close()
    assert shown[8] > 128 and shown[-1] < 64


def test_unsure_parts_of_persons_are_drawn_furniture_is_not() -> None:
    found = np.zeros((144, 256), np.uint8)
    found[20:144, 60:110] = 255  # a person
    found[20:144, 110:113] = (200, 130, 70)  # its outline is soft
    found[90:144, 113:150] = 90  # clothes in the colours of the wall
    found[60:144, 200:250] = 110  # a lamp
    found[20:60, 40:57] = 90  # a curtain beside the head
    bodies = np.zeros_like(found)
    bodies[80:144, 60:150] = 255  # the chest
    shown = with_unsure_parts(found, bodies)
    assert (shown[95:, 113:148] == 255).all()
    assert (shown[:70] == found[:70]).all() and (shown[:, 160:] == found[:, 160:]).all()


def test_furniture_beside_a_person_gets_no_outline() -> None:
    whole, heads = np.zeros((144, 256), np.uint8), np.zeros((144, 256), np.uint8)
    whole[20:144, 80:140] = heads[20:70, 85:135] = 255
    persons = whole.copy()
    persons[90:144, 145:220] = 255  # a table, found by a view beside the person
    persons[60:144, 10:60] = heads[62:90, 20:50] = 255  # another person
    outlined = with_heads(whole, persons, heads)
    assert (
        not outlined[:, 150:].any()
        and outlined[70:140, 15:55].all()
        and (outlined[:, 80:140] == whole[:, 80:140]).all()
    )


def test_chest_is_drawn_where_only_the_head_is_segmented(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, faces = _scene(_ALONE)
    head_only = np.zeros((144, 256), np.uint8)
    scale = np.array([256 / scene.bgr.shape[1], 144 / scene.bgr.shape[0]])
    low, high = (faces[0].landmarks_xy.min(0) * scale).astype(int), (faces[0].landmarks_xy.max(0) * scale).astype(int)
    head_only[max(0, low[1] - 10) : high[1], low[0] - 5 : high[0] + 5] = 255
    monkeypatch.setattr(PersonSegmenter, "mask", lambda *_: head_only)
    finder = PersonFinder(still=True)
    shown = finder.persons(scene.bgr, faces, 0.0)
    finder.close()
    assert shown[min(143, int(high[1] + 0.5 * (high[1] - low[1]))), (low[0] + high[0]) // 2] == 255


@pytest.mark.parametrize("shape_hw", [(16, 300), (30, 30), (400, 2000), (2000, 400), (61, 40)])
def test_any_frame_size_gives_a_map(shape_hw: tuple[int, int]) -> None:
    finder = PersonFinder(still=True)
    assert finder.persons(np.full((*shape_hw, 3), 90, np.uint8), (), 0.0).dtype == np.uint8
    finder.close()


def test_untracked_heads_are_noticed() -> None:
    scene, faces = _scene(_EDGE + len(KINDS))
    finder = PersonFinder(still=True)
    finder.persons(scene.bgr, faces, 0.0)
    tracked = finder.untracked_heads
    finder.persons(scene.bgr, (), 0.0)
    assert finder.untracked_heads and not (tracked and len(faces) > 1)
    finder.close()


def test_persons_are_segmented_at_most_40_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    mask = PersonSegmenter.mask
    monkeypatch.setattr(PersonSegmenter, "mask", lambda self, frame: calls.append(1) or mask(self, frame))
    frame_bgr, finder = portrait_bgr(), PersonFinder()
    maps = [finder.mask(frame_bgr, number / 60) for number in range(6)]
    assert len(calls) == 3 and maps[1] is maps[0] and maps[2] is not maps[0]
    finder.mask(np.ascontiguousarray(frame_bgr[::-1]), 6 / 60 - 0.001)
    assert len(calls) == 4, "a cut is segmented at once"
    finder.close()


def test_segmentation_that_began_earlier_gives_the_same_map() -> None:
    scene, faces = _scene(_ALONE)
    frames = [np.roll(scene.bgr, 4 * number, 1) for number in range(4)]
    plain, early = PersonFinder(), PersonFinder()
    for number, frame_bgr in enumerate(frames):
        if number != 2:  # not begun: it is segmented when it is needed
            early.begin(frame_bgr, number / 30)
        expected = plain.persons(frame_bgr, faces, number / 30)
        assert (early.persons(frame_bgr, faces, number / 30) == expected).all()
    early.begin(frames[0], 1.0)
    unlike = np.abs(early.mask(frames[3], 1.0).astype(int) - plain.mask(frames[3], 1.0))
    assert unlike.mean() < 2, "the segmentation of another frame is not used"
    for finder in (plain, early):
        finder.close()


def test_a_failed_search_is_reported_with_the_next_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, faces = _scene(_ALONE)

    def broken(*_: object) -> None:
        raise RuntimeError("no memory")

    finder = PersonFinder()
    finder.persons(scene.bgr, faces, 0.0)
    monkeypatch.setattr(PersonFinder, "_search", broken)
    finder.persons(scene.bgr, faces, 0.2)
    finder.search_due()
    with pytest.raises(RuntimeError, match="no memory"):
        finder.persons(scene.bgr, faces, 0.21)
    assert finder.persons(scene.bgr, faces, 0.24).any()
    finder.close()


@pytest.mark.parametrize("height", [480, 240])
def test_further_persons_are_searched_after_the_frame(height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, faces = _scene(_EDGE)
    scale = height / scene.bgr.shape[0]
    shown_bgr = np.asarray(cv2.resize(scene.bgr, None, fx=scale, fy=scale), np.uint8)
    faces = tuple(replace(face, landmarks_xy=face.landmarks_xy * np.float32(scale)) for face in faces)
    searched = list[tuple[str, int]]()
    search = PersonFinder._search

    def recorded(self: PersonFinder, kind: str, box: Any, frame_bgr: ImageU8, *rest: Any) -> None:
        searched.append((kind, int(frame_bgr.sum(dtype=np.int64))))
        search(self, kind, box, frame_bgr, *rest)

    monkeypatch.setattr(PersonFinder, "_search", recorded)
    last = []
    for repainted in (False, True):
        finder, frame_bgr = PersonFinder(), shown_bgr.copy()
        finder.persons(frame_bgr, faces, 0.0)
        count = len(searched)
        finder.persons(frame_bgr, faces, 0.2)
        assert len(searched) == count, "the frame does not wait for it"
        if repainted:
            frame_bgr[:] = 0  # by a look that covers everything
        finder.search_due()
        finder.search_due()
        assert len(searched) == count + 1
        last.append(searched[-1])
        finder.close()
    assert last[0] == last[1]
