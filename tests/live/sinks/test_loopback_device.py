"""The ioctls of v4l2loopback, against a stand-in for the driver; the real one is asked in tests/vm."""

from __future__ import annotations

import errno
import sys

import cv2
import numpy as np
import pytest
from support.fakes_loopback import FakeLoopback

from live.sinks.v4l2loopback import loopback_device as wire
from live.sinks.v4l2loopback.loopback_device import LoopbackDevice
from live.sinks.v4l2loopback.standby_picture import StandbyPicture, reopen_for_writers

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="v4l2loopback is Linux's")


def _picture(level: int = 90) -> np.ndarray:
    picture_bgr = np.full((48, 64, 3), level, np.uint8)
    picture_bgr[:24] = (30, 60, 200)
    return picture_bgr


def test_the_requests_are_those_of_the_kernels_headers() -> None:
    # As a C compiler prints them from linux/videodev2.h on x86-64.
    assert (wire.QUERYCAP, wire.G_FMT, wire.REQBUFS, wire.QUERYBUF) == (0x80685600, 0xC0D05604, 0xC0145608, 0xC0585609)
    assert (wire.G_CTRL, wire.S_CTRL, wire.QUERYCTRL) == (0xC008561B, 0xC008561C, 0xC0445624)
    assert (wire.DQEVENT, wire.SUBSCRIBE_EVENT) == (0x80885659, 0x4020565A)
    assert wire.STREAMON == 0x40045612


@pytest.mark.parametrize("has_event", [False, True])
def test_the_timeout_picture_is_the_one_given_also_the_second_time(has_event: bool) -> None:
    driver = FakeLoopback(has_event=has_event)
    driver.written((64, 48))
    for level in (90, 200):
        with driver.opener("/dev/video10") as device:
            device.set_timeout_picture(_picture(level))
        assert driver.timeout_picture is not None
        planes = np.frombuffer(driver.timeout_picture, np.uint8).reshape(72, 64)
        shown_bgr = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
        assert np.abs(shown_bgr.astype(int) - _picture(level)).mean() < 3
    with driver.opener("/dev/video10") as other:
        assert not driver.openers[other.descriptor].timeout_io, "a reader that comes now must get the frames"
    assert driver.openers == {}


def test_only_v4l2loopback_is_taken() -> None:
    driver = FakeLoopback(name="vivid")
    with pytest.raises(OSError, match="no v4l2loopback device"):
        LoopbackDevice("/dev/video0", driver)
    assert driver.openers == {}


def test_it_guards_from_before_the_first_frame_on() -> None:
    driver = FakeLoopback()
    driver.agreed((64, 48))
    stand_by = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    assert stand_by.activate(_picture()) == ""
    assert driver.timeout_picture is not None
    stand_by.close()


@pytest.mark.parametrize("has_event", [False, True])
def test_no_timeout_is_owed_to_the_reader_of_the_next_program(has_event: bool) -> None:
    driver = FakeLoopback(has_event=has_event)
    driver.written((64, 48))
    stand_by = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    stand_by.activate(_picture())
    driver.silence()
    stand_by.close()
    driver.writer_is_gone()
    assert not driver.owes_timeout


def test_without_a_format_and_for_strange_streams_it_says_why_not() -> None:
    driver = FakeLoopback()
    stand_by = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    assert stand_by.activate(_picture()) == "Invalid argument"
    driver.written((64, 48), b"YUYV")
    assert stand_by.activate(_picture()) == "the device carries 'YUYV', only 'YU12' is supported"
    driver.written((128, 96))
    assert "(128, 96)" in stand_by.activate(_picture())
    assert not stand_by.is_active
    stand_by.close()
    assert driver.timeout_ms == 0
    assert driver.openers == {}


@pytest.mark.parametrize(("fps", "silent_ms"), [(30.0, 1000), (1.0, 3000)])
def test_the_card_comes_when_frames_fail_to_and_the_device_is_left_as_it_was(fps: float, silent_ms: int) -> None:
    driver = FakeLoopback()
    driver.written((64, 48))
    with driver.opener("/dev/video10") as device:
        device.set_timeout_ms(7000)
    stand_by = StandbyPicture("/dev/video10", fps=fps, opener=driver.opener)
    assert stand_by.activate(_picture()) == ""
    assert (stand_by.is_active, driver.timeout_ms) == (True, silent_ms)
    stand_by.close()
    stand_by.close()
    assert driver.timeout_ms == 7000


def test_what_a_killed_run_left_behind_is_not_taken_for_the_users_setting() -> None:
    driver = FakeLoopback()
    driver.written((64, 48))
    StandbyPicture("/dev/video10", fps=30, opener=driver.opener).activate(_picture())
    driver.kill()
    second = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    second.activate(_picture())
    second.close()
    assert driver.timeout_ms == 0


def test_an_event_carries_the_number_of_readers() -> None:
    driver = FakeLoopback(has_event=True)
    with driver.opener("/dev/video10") as device:
        device.subscribe_usage()
        driver.set_readers(2)
        assert [device.next_usage() for _ in range(3)] == [0, 2, None]


def test_where_there_is_no_event_it_says_so() -> None:
    with FakeLoopback().opener("/dev/video10") as device, pytest.raises(OSError) as caught:
        device.subscribe_usage()
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("dies", [False, True])
def test_after_a_run_the_device_takes_the_next_writer(dies: bool) -> None:
    driver = FakeLoopback()
    driver.written((64, 48))
    stand_by = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    stand_by.activate(_picture())
    assert not driver.takes_writers
    if dies:
        driver.kill()
    else:
        stand_by.close()
    driver.writer_is_gone()
    assert driver.takes_writers


def test_a_device_that_others_left_shut_is_freed_and_one_in_use_is_not() -> None:
    driver = FakeLoopback()
    driver.written((64, 48))
    reopen_for_writers("/dev/video10", opener=driver.opener)
    assert not driver.takes_writers, "somebody writes to it"
    driver.writer_is_gone()
    reopen_for_writers("/dev/video10", opener=driver.opener)
    assert driver.takes_writers
    reopen_for_writers("/dev/video10", opener=driver.opener)
    assert driver.takes_writers
    assert driver.openers == {}
