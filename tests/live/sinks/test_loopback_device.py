"""LoopbackDevice and StandbyPicture with a fake driver; tests/vm uses the real one."""

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

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="v4l2loopback exists on Linux only")


def _picture(level: int = 90) -> np.ndarray:
    picture_bgr = np.full((48, 64, 3), level, np.uint8)
    picture_bgr[:24] = (30, 60, 200)
    return picture_bgr


def test_ioctl_numbers_match_the_kernel_headers() -> None:
    # Values printed by a C program that includes linux/videodev2.h on x86-64.
    assert (wire.QUERYCAP, wire.G_FMT, wire.REQBUFS, wire.QUERYBUF) == (0x80685600, 0xC0D05604, 0xC0145608, 0xC0585609)
    assert (wire.G_CTRL, wire.S_CTRL, wire.QUERYCTRL) == (0xC008561B, 0xC008561C, 0xC0445624)
    assert (wire.DQEVENT, wire.SUBSCRIBE_EVENT) == (0x80885659, 0x4020565A)
    assert wire.STREAMON == 0x40045612


@pytest.mark.parametrize("has_event", [False, True])
def test_timeout_picture_can_be_set_repeatedly(has_event: bool) -> None:
    driver = FakeLoopback(has_event=has_event)
    driver.write_frame((64, 48))
    for level in (90, 200):
        with driver.opener("/dev/video10") as device:
            device.set_timeout_picture(_picture(level))
        assert driver.timeout_picture is not None
        planes = np.frombuffer(driver.timeout_picture, np.uint8).reshape(72, 64)
        shown_bgr = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
        assert np.abs(shown_bgr.astype(int) - _picture(level)).mean() < 3
    with driver.opener("/dev/video10") as other:
        assert not driver.openers[other.descriptor].timeout_io, "a new reader must get the frames"
    assert driver.openers == {}


def test_other_drivers_are_rejected() -> None:
    driver = FakeLoopback(name="vivid")
    with pytest.raises(OSError, match="no v4l2loopback device"):
        LoopbackDevice("/dev/video0", driver)
    assert driver.openers == {}


def test_timeout_picture_can_be_set_before_the_first_frame() -> None:
    driver = FakeLoopback()
    driver.negotiate((64, 48))
    standby = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    assert standby.activate(_picture()) == ""
    assert driver.timeout_picture is not None
    standby.close()


@pytest.mark.parametrize("has_event", [False, True])
def test_close_leaves_no_pending_timeout(has_event: bool) -> None:
    driver = FakeLoopback(has_event=has_event)
    driver.write_frame((64, 48))
    standby = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    standby.activate(_picture())
    driver.time_out()
    standby.close()
    driver.close_writer()
    assert not driver.has_pending_timeout


def test_unsupported_streams_are_explained() -> None:
    driver = FakeLoopback()
    standby = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    assert standby.activate(_picture()) == "Invalid argument"
    driver.write_frame((64, 48), b"YUYV")
    assert standby.activate(_picture()) == "the device carries 'YUYV', only 'YU12' is supported"
    driver.write_frame((128, 96))
    assert "(128, 96)" in standby.activate(_picture())
    assert not standby.is_active
    standby.close()
    assert driver.timeout_ms == 0
    assert driver.openers == {}


@pytest.mark.parametrize(("fps", "timeout_ms_expected"), [(30.0, 1000), (1.0, 3000)])
def test_timeout_is_set_and_restored(fps: float, timeout_ms_expected: int) -> None:
    driver = FakeLoopback()
    driver.write_frame((64, 48))
    with driver.opener("/dev/video10") as device:
        device.set_timeout_ms(7000)
    standby = StandbyPicture("/dev/video10", fps=fps, opener=driver.opener)
    assert standby.activate(_picture()) == ""
    assert (standby.is_active, driver.timeout_ms) == (True, timeout_ms_expected)
    standby.close()
    standby.close()
    assert driver.timeout_ms == 7000


def test_timeout_left_by_a_killed_run_is_not_restored() -> None:
    driver = FakeLoopback()
    driver.write_frame((64, 48))
    StandbyPicture("/dev/video10", fps=30, opener=driver.opener).activate(_picture())
    driver.kill()
    second = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    second.activate(_picture())
    second.close()
    assert driver.timeout_ms == 0


def test_event_carries_the_number_of_readers() -> None:
    driver = FakeLoopback(has_event=True)
    with driver.opener("/dev/video10") as device:
        device.subscribe_usage()
        driver.set_readers(2)
        assert [device.next_usage() for _ in range(3)] == [0, 2, None]


def test_driver_without_events_refuses_subscription() -> None:
    with FakeLoopback().opener("/dev/video10") as device, pytest.raises(OSError) as caught:
        device.subscribe_usage()
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("dies", [False, True])
def test_device_accepts_a_writer_after_the_run(dies: bool) -> None:
    driver = FakeLoopback()
    driver.write_frame((64, 48))
    standby = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    standby.activate(_picture())
    assert not driver.accepts_writers
    if dies:
        driver.kill()
    else:
        standby.close()
    driver.close_writer()
    assert driver.accepts_writers


def test_device_refusing_writers_is_reopened_unless_in_use() -> None:
    driver = FakeLoopback()
    driver.write_frame((64, 48))
    reopen_for_writers("/dev/video10", opener=driver.opener)
    assert not driver.accepts_writers, "it has a writer"
    driver.close_writer()
    reopen_for_writers("/dev/video10", opener=driver.opener)
    assert driver.accepts_writers
    reopen_for_writers("/dev/video10", opener=driver.opener)
    assert driver.accepts_writers
    assert driver.openers == {}
