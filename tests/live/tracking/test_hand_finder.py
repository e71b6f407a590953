"""Hands before faces on a film of a person who signs, and on pictures without a hand."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

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


@pytest.mark.data
def test_a_hand_that_is_not_found_is_held_for_a_moment(signed: list[tuple[Frame, tuple[Face, ...]]]) -> None:
    frame, faces = signed[_COVERED[5]]
    empty = np.full_like(frame.bgr, 128)
    with closing(HandFinder()) as finder:
        shown = [finder.with_hands(replace(frame, pts_s=0.0), faces)[0].hands]
        later = [Frame(empty, 0, 0.0, at_s) for at_s in (0.03, 0.06, 0.2, 0.24)]
        shown += [finder.with_hands(one, faces)[0].hands for one in later]
    assert [bool(one) for one in shown] == [True, True, True, False, False]


@pytest.mark.data
def test_hands_of_unrelated_pictures_are_not_held(signed: list[tuple[Frame, tuple[Face, ...]]]) -> None:
    frame, faces = signed[_COVERED[5]]
    with closing(HandFinder(still=True)) as finder:
        assert finder.with_hands(frame, faces)[0].hands
        assert not finder.with_hands(Frame(np.full_like(frame.bgr, 128), 0, 0.0), faces)[0].hands
