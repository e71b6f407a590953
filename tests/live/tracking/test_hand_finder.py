"""Hands before faces on a film of a person who signs, and on pictures without a hand."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.head_parts import portrait_face
from support.patience import Patience

from live.pipeline.frame import Face, Frame
from live.sources.video_source import film_frames
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.hand_finder import HandFinder

_COVERED = range(20, 40)  # frames of the film on which a hand is before the mouth


@pytest.fixture(scope="module")
def signed(data_dir: Path) -> list[tuple[Frame, tuple[Face, ...]]]:
    """The frames of the film, with their faces."""
    with (
        closing(FaceMeshTracker()) as tracker,
        closing(film_frames(data_dir / "clips/intel_asl_ccby/bird.mkv")) as film,
    ):
        return [(frame, tracker.track(frame)) for frame in film]


def test_the_portrait_has_no_hand() -> None:
    picture, face = portrait_face()
    for still in (True, False):
        with closing(HandFinder(still=still)) as finder:
            (found,) = finder.with_hands(Frame(picture, 0, 0.0), (face,))
            assert found.hands == () and found.landmarks_xy is face.landmarks_xy
            assert finder.with_hands(Frame(picture, 1, 0.1), ()) == ()


@pytest.mark.data
def test_a_hand_before_the_mouth_is_followed(signed: list[tuple[Frame, tuple[Face, ...]]]) -> None:
    with closing(HandFinder()) as finder:
        hands = [finder.with_hands(*one)[0].hands for one in signed]
    assert not any(hands[:8]) and not any(hands[-5:])
    assert sum(bool(hands[number]) for number in _COVERED) >= 18
    for number in _COVERED:
        for hand in hands[number]:
            mouth_xy = signed[number][1][0].landmarks_xy[[13, 14]].mean(0)
            palm_xy = hand[[0, 5, 9, 13, 17], :2].mean(0)
            assert np.hypot(*(palm_xy - mouth_xy)) < 0.5 * np.ptp(signed[number][1][0].landmarks_xy[:, 1])


@pytest.mark.data
def test_live_no_frame_waits_for_the_search(signed: list[tuple[Frame, tuple[Face, ...]]]) -> None:
    frame, faces = signed[_COVERED[5]]
    with closing(HandFinder(live=True)) as finder:
        assert not finder.with_hands(frame, faces)[0].hands, "the search has only begun"
        times_s = iter(np.arange(1, 10_000) / 30)

        def found() -> bool:
            at = replace(frame, pts_s=float(next(times_s)))
            return bool(finder.with_hands(at, faces)[0].hands)

        assert Patience(60).becomes_true(found, every_s=0.03)


def without_hand(frame: Frame, face: Face, at_s: float) -> Frame:
    """Return a frame on which the lower half of the face is blurred, with the hand."""
    bgr = frame.bgr.copy()
    x, y = np.rint(face.landmarks_xy[[13, 14]].mean(0)).astype(int)
    reach = round(1.2 * np.ptp(face.landmarks_xy[:, 0]))
    place = slice(y - reach // 2, y + 2 * reach), slice(max(x - reach, 0), x + reach)
    bgr[place] = cv2.blur(bgr[place], (81, 81))
    return replace(frame, bgr=bgr, pts_s=at_s)


@pytest.mark.data
def test_a_hand_that_is_not_found_is_held_for_a_moment(signed: list[tuple[Frame, tuple[Face, ...]]]) -> None:
    frame, faces = signed[_COVERED[5]]
    with closing(HandFinder()) as finder:
        shown = [finder.with_hands(replace(frame, pts_s=0.0), faces)[0].hands]
        later = [without_hand(frame, faces[0], at_s) for at_s in (0.03, 0.06, 0.2, 0.24)]
        shown += [finder.with_hands(one, faces)[0].hands for one in later]
        assert finder.with_hands(replace(frame, pts_s=0.5), faces)[0].hands
        other = Frame(255 - frame.bgr, 0, 0.0, 0.53)
        assert not finder.with_hands(other, faces)[0].hands, "after a cut"
    assert [bool(one) for one in shown] == [True, True, True, False, False]


@pytest.mark.data
def test_both_hands_before_a_face_are_followed(signed: list[tuple[Frame, tuple[Face, ...]]]) -> None:
    """The picture beside its mirror image, as if both faces were one: a hand each side."""
    frame, (face,) = signed[_COVERED[5]]
    both_bgr = np.hstack([frame.bgr, frame.bgr[:, ::-1]])
    mirrored = np.array([both_bgr.shape[1], 0], np.float32) + face.landmarks_xy * np.array([-1, 1], np.float32)
    faces = face, Face(7, mirrored)
    with closing(HandFinder()) as finder:
        for number in range(12):
            found = finder.with_hands(Frame(both_bgr.copy(), number, 0.0, number / 30), faces)
            owners = [one.face_id for one in found if one.hands]
            assert owners, f"picture {number}"
            assert sum(len(one.hands) for one in found) <= 2, "a hand belongs to one face"


@pytest.mark.data
def test_the_result_of_an_old_search_is_discarded(signed: list[tuple[Frame, tuple[Face, ...]]]) -> None:
    frame, faces = signed[_COVERED[5]]
    with closing(HandFinder(live=True)) as finder:
        finder.with_hands(replace(frame, pts_s=0.0), faces)
        finder.with_hands(replace(frame, pts_s=0.1), ())
        assert not finder.with_hands(replace(frame, pts_s=30.0), faces)[0].hands


@pytest.mark.data
def test_a_failed_search_is_followed_by_the_next(
    signed: list[tuple[Frame, tuple[Face, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, faces = signed[_COVERED[5]]
    original, errors = HandFinder._find_surely, [MemoryError("once")]

    def fail_once(*words: Any) -> Any:
        if errors:
            raise errors.pop()
        return original(*words)

    monkeypatch.setattr(HandFinder, "_find_surely", fail_once)
    times_s, raised = iter(np.arange(10_000) / 30), list[MemoryError]()
    with closing(HandFinder(live=True)) as finder:

        def found() -> bool:
            try:
                return bool(finder.with_hands(replace(frame, pts_s=float(next(times_s))), faces)[0].hands)
            except MemoryError as error:
                raised.append(error)
                return False

        assert Patience(60).becomes_true(found, every_s=0.03)
    assert len(raised) == 1


def test_unusable_landmarks_have_no_hands() -> None:
    picture, face = portrait_face()
    flaws = (np.full((478, 2), np.nan, np.float32), face.landmarks_xy - 5000, np.zeros((3, 2), np.float32))
    with closing(HandFinder(still=True)) as finder:
        faces = (face, *(Face(number, xy) for number, xy in enumerate(flaws)))
        assert [one.hands for one in finder.with_hands(Frame(picture, 0, 0.0), faces)] == [()] * 4


@pytest.mark.data
def test_hands_of_unrelated_pictures_are_not_held(signed: list[tuple[Frame, tuple[Face, ...]]]) -> None:
    frame, faces = signed[_COVERED[5]]
    with closing(HandFinder(still=True)) as finder:
        assert finder.with_hands(frame, faces)[0].hands
        assert not finder.with_hands(Frame(np.full_like(frame.bgr, 128), 0, 0.0), faces)[0].hands
