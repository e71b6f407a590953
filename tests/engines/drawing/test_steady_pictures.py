"""Planes and pictures of consecutive frames."""

from __future__ import annotations

import numpy as np
import pytest

from engines.drawing.plane_set import ImageU8, Planes
from engines.drawing.steady_pictures import SteadyPictures

_RNG = np.random.default_rng(5)


def _planes(level: float = 120.0, noise: float = 0.0, left: int = 20) -> Planes:
    """Return grey planes with a dark square from a column on."""
    fields = np.full((96, 96, 3), level, np.float32)
    fields[30:60, left : left + 30] = 30
    fields += _RNG.normal(0, noise, fields.shape) if noise else 0
    whole = np.asarray(fields.round().clip(0, 255), np.uint8)
    return Planes(np.ascontiguousarray(whole[::2, ::2]), whole)


def _arrays(planes: Planes) -> tuple[ImageU8, ...]:
    return planes.colour, planes.fields


def _played(frames: list[Planes], centres: list[float], step_s: float = 1 / 30) -> list[Planes]:
    steady = SteadyPictures(_arrays(frames[0]), (centres[0], 0.5), 0.0)
    shown = [Planes(*steady.pictures)]
    for number, (planes, x) in enumerate(zip(frames[1:], centres[1:], strict=True), 1):
        steady = steady.followed_by(_arrays(planes), (x, 0.5), number * step_s)
        shown.append(Planes(*steady.pictures))
    return shown


@pytest.mark.parametrize("array", ["colour", "fields"])
def test_noise_of_the_camera_becomes_half(array: str) -> None:
    frames = [_planes(noise=3.0) for _ in range(20)]
    shown = _played(frames, [0.5] * 20)
    films = [[getattr(one, array).astype(int) for one in film[5:]] for film in (frames, shown)]
    flicker = [np.abs(np.diff(film, axis=0)).mean() for film in films]
    assert flicker[1] < 0.5 * flicker[0]


def test_large_changes_are_shown_at_once() -> None:
    shown = _played([_planes(), _planes(220.0)], [0.5, 0.5])
    assert np.abs(shown[1].fields[:20].astype(int) - 220).max() <= 1


def test_planes_follow_a_moving_face_without_a_trail() -> None:
    frames = [_planes(left=20 + 2 * number) for number in range(6)]
    shown = _played(frames, [0.5 + 2 * number / 96 for number in range(6)])
    assert np.abs(shown[-1].fields.astype(int) - frames[-1].fields).max() <= 3


def test_nothing_is_smoothed_after_a_gap() -> None:
    shown = _played([_planes(), _planes(130.0)], [0.5, 0.5], step_s=0.5)
    assert (shown[1].fields[:20] == 130).all()


def test_a_new_surface_is_shown_in_all_channels_at_once() -> None:
    """A hand before clothes differs much in one channel and little in another; their colours must not mix."""
    clothes, hand = (np.full((8, 8, 3), colour, np.uint8) for colour in ((20, 130, 220), (120, 140, 190)))
    steady = SteadyPictures((clothes,), (0.5, 0.5), 0.0).followed_by((hand,), (0.5, 0.5), 1 / 30)
    assert np.abs(steady.pictures[0].astype(int) - hand).max() <= 1


@pytest.mark.parametrize("fps", [15, 60, 120])
def test_a_small_change_leaves_no_ghost(fps: int) -> None:
    old, new = np.full((4, 4, 3), 100, np.uint8), np.full((4, 4, 3), 106, np.uint8)
    new[:, 2:] = 95
    steady = SteadyPictures((old,), (0.5, 0.5), 0.0)
    for number in range(1, 2 * fps):
        steady = steady.followed_by((new,), (0.5, 0.5), number / fps)
    assert np.abs(steady.pictures[0].astype(int) - new).max() <= 1
