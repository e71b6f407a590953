"""Faults between the program, the virtual camera's driver and the programs that read it."""

from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fakes_loopback import FakeLoopback
from support.patience import Patience

import live.sinks.v4l2loopback.reader_watch
from live.control.controls import Command, Controls
from live.pipeline.viewer_presence import ViewerPresence
from live.sinks.v4l2loopback.loopback_device import MAX_TIMEOUT_MS
from live.sinks.v4l2loopback.reader_watch import ReaderWatch
from live.sinks.v4l2loopback.standby_picture import StandbyPicture

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="v4l2loopback is Linux's")
CARD_BGR = np.full((48, 64, 3), 90, np.uint8)


def _until(true: Callable[[], object]) -> bool:
    end_s = time.monotonic() + 20
    while not true() and time.monotonic() < end_s:
        time.sleep(0.01)
    return bool(true())


class Refusing(FakeLoopback):
    """Answers every query; its mapped memory cannot be written."""

    def write_mapped(self, descriptor: int, offset: int, length: int, content: bytes) -> None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


@pytest.mark.parametrize("has_event", [False, True])
def test_driver_that_refuses_the_picture_is_restored(has_event: bool) -> None:
    driver = Refusing(has_event=has_event)
    driver.write_frame((64, 48))
    stand_by = StandbyPicture("/dev/video10", fps=30, opener=driver.opener)
    assert stand_by.activate(CARD_BGR) == "No such device" and not stand_by.is_active
    stand_by.close()
    assert (driver.openers, driver.timeout_ms) == ({}, 0)


def test_very_slow_film_has_a_card_and_restores_settings() -> None:
    driver = FakeLoopback()
    driver.write_frame((64, 48))
    for _ in range(2):  # the second one recognises the settings left by the first
        assert StandbyPicture("/dev/video10", fps=1 / 120, opener=driver.opener).activate(CARD_BGR) == ""
        assert driver.timeout_ms == MAX_TIMEOUT_MS
        driver.kill()
    third = StandbyPicture("/dev/video10", fps=1 / 120, opener=driver.opener)
    third.activate(CARD_BGR)
    third.close()
    assert driver.timeout_ms == 0


@pytest.fixture
def watches() -> Iterator[list[ReaderWatch]]:
    made: list[ReaderWatch] = []
    yield made
    for watch in made:
        watch.stop()


def test_readers_are_found_after_the_device_is_gone(node: Path, watches: list[ReaderWatch]) -> None:
    driver, reports = FakeLoopback(has_event=True), list[int | None]()
    watches.append(ReaderWatch(str(node), reports.append, loopback=driver.opener))
    watches[0].start()
    assert _until(lambda: reports == [0] and watches[0].method == "event")
    for other_end in tuple(driver._other_ends.values()):  # the device is gone: polls report POLLERR and POLLHUP
        other_end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other_end.close()
    assert _until(lambda: watches[0].method != "event")
    read = "import sys; kept = open(sys.argv[1], 'rb'); input()"
    with subprocess.Popen([sys.executable, "-c", read, str(node)], stdin=subprocess.PIPE) as reader:
        assert _until(lambda: reports[-1] == 1)
        reader.communicate()
    assert _until(lambda: reports[-1] == 0)


def test_unknown_readers_count_as_readers(
    node: Path, watches: list[ReaderWatch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without driver event, inotify and /proc, the camera stays on."""

    def none_left(*_: object) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(live.sinks.v4l2loopback.reader_watch, "FileOpenWatcher", none_left)
    viewers = ViewerPresence(Controls(("none",), look="none"), grace_period_s=0.0)
    viewers.report(str(node), 0)
    report = partial(viewers.report, str(node))
    watches.append(ReaderWatch(str(node), report, loopback=none_left, proc=tmp_path / "none"))
    watches[0].start()
    assert _until(viewers.watched) and watches[0].method == "polling"


def test_waiting_ends_when_a_reader_comes() -> None:
    viewers = ViewerPresence(Controls(("none",), look="none"), grace_period_s=0.0)
    viewers.report("/dev/video10", 0)
    came: list[bool] = []
    waiting = threading.Thread(target=lambda: came.append(viewers.wait(60)), daemon=True)
    waiting.start()
    time.sleep(0.1)
    viewers.report("/dev/video10", 1)
    assert Patience().becomes_true(lambda: came == [True])


def test_output_stays_watched_after_a_recording() -> None:
    """The next recording or snapshot does not wait for the camera."""
    clock, controls = [100.0], Controls(("none",), look="none")
    viewers = ViewerPresence(controls, grace_period_s=3.0, clock=lambda: clock[0])
    viewers.report("/dev/video10", 0)
    clock[0] += 10
    controls.apply(Command("record", "on"))
    assert viewers.watched()
    clock[0] += 60
    assert viewers.watched()
    controls.apply(Command("record", "off"))
    clock[0] += 2.9
    assert viewers.watched()
    clock[0] += 0.2
    assert not viewers.watched()
