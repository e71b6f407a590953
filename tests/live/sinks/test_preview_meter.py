"""The preview meter: readable, within its area, for any text and size."""

from __future__ import annotations

import numpy as np
import pytest

from live.pipeline.frame import ImageU8
from live.sinks.preview_meter import MeterText, draw_meter

LINES = ("30 fps   9 / 13 ms p50/p95   2 dropped", "matte-red 80%   openvino fp32   H help")
HELP = tuple(f"{key}  what the key does" for key in "123456789[]MFBSRHQ")


def _grey(size_wh: tuple[int, int], level: int = 128) -> ImageU8:
    return np.full((size_wh[1], size_wh[0], 3), level, np.uint8)


def _drawn(size_wh: tuple[int, int], text: MeterText, level: int = 128) -> ImageU8:
    picture_bgr = _grey(size_wh, level)
    draw_meter(picture_bgr, text)
    return picture_bgr


def _changed_area(picture_bgr: ImageU8, level: int = 128) -> tuple[slice, slice]:
    rows, columns = np.nonzero((picture_bgr != level).any(axis=2))
    return slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)


@pytest.mark.parametrize("size_wh", [(640, 480), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_strip_is_light_on_dark_in_the_corner(size_wh: tuple[int, int], level: int) -> None:
    picture_bgr = _drawn(size_wh, MeterText(LINES), level)
    rows, columns = _changed_area(picture_bgr, level)
    assert (rows.start, columns.start) == (0, 0)
    assert rows.stop <= size_wh[1] * 0.12
    assert columns.stop <= size_wh[0] * 0.6
    strip = picture_bgr[rows, columns].astype(int)
    background = np.median(strip)
    assert strip.max() >= 200
    assert background <= 110, "the background is dark enough for white text"
    assert (strip.mean(axis=2) > background + 80).mean() > 0.03, "there is text"


def test_empty_text_changes_nothing() -> None:
    assert (_drawn((640, 480), MeterText(())) == 128).all()


@pytest.mark.parametrize("size_wh", [(640, 480), (1280, 720), (1920, 1080)])
def test_help_is_centred_and_complete(size_wh: tuple[int, int]) -> None:
    rows, columns = _changed_area(_drawn(size_wh, MeterText((), HELP)))
    assert abs((columns.start + columns.stop) - size_wh[0]) <= 2
    assert abs((rows.start + rows.stop) - size_wh[1]) <= 2
    fewer_rows, _ = _changed_area(_drawn(size_wh, MeterText((), HELP[:-1])))
    assert fewer_rows.stop - fewer_rows.start < rows.stop - rows.start, "the last line is visible"


@pytest.mark.parametrize(("banner", "has_dot"), [("recording", True), ("recording, frozen", True), ("frozen", False)])
def test_only_a_recording_has_a_red_dot(banner: str, has_dot: bool) -> None:
    picture_bgr = _drawn((1280, 720), MeterText(LINES, banner=banner)).astype(int)
    red = (picture_bgr[:, :, 2] > 190) & (picture_bgr[:, :, 1] < 90) & (picture_bgr[:, :, 0] < 90)
    assert bool(red.any()) == has_dot
    if has_dot:
        rows, columns = np.nonzero(red)
        assert rows.max() < 100
        assert columns.min() > 640


def test_long_lines_are_smaller_and_then_cut() -> None:
    usual, _ = _changed_area(_drawn((640, 480), MeterText(("a few words",))))
    rows, columns = _changed_area(_drawn((640, 480), MeterText(("a few words   " * 9,))))
    assert rows.stop < usual.stop and columns.stop <= 640
    rows, columns = _changed_area(_drawn((640, 480), MeterText(("without-a-gap-" * 30,))))
    assert rows.stop < usual.stop and columns.stop == 640


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 500), (500, 1), (60, 40), (160, 120), (200, 60), (7680, 4320)])
def test_any_picture_size(size_wh: tuple[int, int]) -> None:
    picture_bgr = _drawn(size_wh, MeterText(LINES, HELP, "recording"))
    assert picture_bgr.shape == (size_wh[1], size_wh[0], 3)


@pytest.mark.parametrize(
    "words", ["", "   ", "\t", "rouge à lèvres", "10 \N{EN DASH} 20 ms · 50\N{MULTIPLICATION SIGN}", "口紅", "\n", "\0"]
)
def test_any_text(words: str) -> None:
    picture_bgr = _drawn((640, 480), MeterText((words,), (words,), words))
    assert picture_bgr.shape == (480, 640, 3)


def test_accents_are_dropped_from_letters() -> None:
    accented = _drawn((640, 480), MeterText(("rouge à lèvres",)))
    assert (accented == _drawn((640, 480), MeterText(("rouge a levres",)))).all()


def test_view_of_a_larger_picture_is_drawn_in_place() -> None:
    large_bgr = _grey((1280, 720))
    draw_meter(large_bgr[100:580, 200:840], MeterText(LINES))
    rows, columns = _changed_area(large_bgr)
    assert (rows.start, columns.start) == (100, 200)
