"""The camera, size and rate of a run: what a driver offers, and the change while the run goes on."""

from __future__ import annotations

import errno
import struct

import numpy as np
import pytest
from support.fakes import FakeSource

from engines.errors import OptionsError, SourceError, VeneerError
from live.option_values import Size
from live.options import LiveOptions
from live.sources.base import FrameSource, SourceInfo
from live.sources.camera_modes import camera_modes
from live.sources.idle_source import IdleSource
from live.sources.source_choice import SourceChoice, offers

MJPG, RAW, RANGES = 1, 2, 3
SIZES = {MJPG: [(1280, 720), (640, 480)], RAW: [(640, 480)]}
INTERVALS = {(1280, 720): [(1, 30), (1, 60)], (640, 480): [(1001, 30000)]}


class Driver:
    """Answers the three requests of linux/videodev2.h as drivers do."""

    def __init__(self, *formats: int) -> None:
        self.formats = formats

    def __call__(self, _descriptor: int, request: int, data: bytearray) -> int:
        number = request & 0xFF
        assert len(data) == request >> 16 & 0x3FFF, "the size of the structure is part of the request"
        index, pixel_format, width, height = struct.unpack_from("=4I", data)
        try:
            if number == 2:
                struct.pack_into("=I", data, 44, self.formats[index])
            elif pixel_format == RANGES:
                ranges = (2, 640, 1280, 2, 360, 720, 2) if number == 74 else (3, 1, 30, 1, 5, 1, 1)
                struct.pack_into("=7I", data, 8 if number == 74 else 16, *ranges)
            elif number == 74:
                struct.pack_into("=3I", data, 8, 1, *SIZES[pixel_format][index])
            else:
                struct.pack_into("=3I", data, 16, 1, *INTERVALS[width, height][index])
        except IndexError:
            raise OSError(errno.EINVAL, "no more") from None
        return 0


def test_sizes_and_rates_of_all_formats_are_united() -> None:
    assert camera_modes("/dev/null", ioctl=Driver(MJPG, RAW)) == {(640, 480): [29.97], (1280, 720): [30.0, 60.0]}


def test_ranges_offer_the_usual_sizes_and_rates() -> None:
    modes = camera_modes("/dev/null", ioctl=Driver(RANGES))
    assert list(modes) == [(640, 360), (640, 480), (1280, 720)]
    assert modes[640, 360] == [15.0, 24.0, 25.0, 30.0]


def test_a_device_that_is_none_offers_nothing() -> None:
    assert camera_modes("/dev/null") == camera_modes("/dev/none") == {}


def test_a_choice_changes_by_words() -> None:
    choice = SourceChoice.of(LiveOptions(source="demo"))
    changed = choice.changed("/dev/video3 640x360 15fps", ["/dev/video3", "demo"])
    assert changed == SourceChoice("/dev/video3", Size(640, 360), 15.0)
    assert str(changed.changed("60fps", [])) == "/dev/video3 640x360 60fps"
    for words in ("/etc/passwd", "9x9", "0fps", "nanfps", "xfps"):
        with pytest.raises(OptionsError):
            choice.changed(words, ["/dev/video3", "demo"])
    assert "demo" in [one["name"] for one in offers()]


def opened(source: FrameSource) -> int:
    while True:
        try:
            frame = source.read()
        except TimeoutError:
            continue
        assert frame is not None
        return int(frame.bgr[0, 0, 0])


def shade(level: int) -> FakeSource:
    return FakeSource(lambda _: np.full((48, 64, 3), level, np.uint8), live=True)


def test_a_renewed_source_takes_over_and_ids_continue() -> None:
    first, second = shade(10), shade(20)
    source = IdleSource(first, new_source=lambda: second, viewers=None, say=lambda line: None)
    source.open()
    assert opened(source) == 10
    source.renew()
    assert opened(source) == 20
    assert (first.closed, second.opened) == (1, 1)
    frame = source.read()
    assert frame is not None and frame.frame_id == 2


class Missing(FakeSource):
    """A camera that is not there."""

    def open(self) -> SourceInfo:
        raise SourceError("camera 0", "no such device", "plug one in")


def test_a_camera_that_comes_later_is_used() -> None:
    attempts = iter([Missing(lambda _: np.zeros((48, 64, 3), np.uint8)), shade(30)])
    said: list[str] = []
    assumed = SourceInfo("camera 0", (64, 48), 30.0)
    absent = Missing(lambda _: np.zeros((48, 64, 3), np.uint8))
    source = IdleSource(absent, new_source=lambda: next(attempts), viewers=None, say=said.append, assumed=assumed)
    assert source.open() is assumed
    problem: VeneerError | None = source.problem
    assert problem is not None and problem.got == "no such device"
    assert opened(source) == 30
    assert source.problem is None
    assert said == ["camera 0: no such device - plug one in; trying again"]
