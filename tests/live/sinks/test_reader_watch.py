"""Who reads the virtual camera: real programs that open a real file; the driver's events come from a stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fakes_loopback import FakeLoopback

from live.sinks.v4l2loopback import reader_watch as readers_module
from live.sinks.v4l2loopback.loopback_device import LoopbackDevice
from live.sinks.v4l2loopback.reader_watch import ReaderWatch, updated_hidden_count

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify and /proc are Linux's")

HOLD = (
    "import sys; files = [open(sys.argv[1], 'rb') for _ in range(int(sys.argv[2]))]; print('open', flush=True); input()"
)


class Reports:
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.all: list[int | None] = []
        self._came = threading.Condition()

    def __call__(self, readers: int | None) -> None:
        with self._came:
            self.all.append(readers)
            self._came.notify_all()

    def wait_for(self, readers: int | None) -> bool:
        with self._came:
            return self._came.wait_for(lambda: self.all[-1:] == [readers], 60)


class Reader:
    """Another program that has the file open, once or several times."""

    def __init__(self, path: Path, times: int = 1) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), str(times)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"open\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def watch_of() -> Iterator[list[ReaderWatch]]:
    watches: list[ReaderWatch] = []
    yield watches
    for watch in watches:
        watch.stop()
        watch.stop()


def _no_driver(path: str) -> LoopbackDevice:
    raise OSError(f"{path} knows no events")


@pytest.mark.parametrize("by", ["inotify", "polling"])
def test_programs_that_open_and_close_it_are_noticed(
    node: Path, watch_of: list[ReaderWatch], by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_left(path: Path) -> None:
        raise OSError("no inotify instance is left")

    if by == "polling":
        monkeypatch.setattr(readers_module, "FileOpenWatcher", nothing_left)
    early, reports = Reader(node), Reports()
    watch = ReaderWatch(str(node), reports, loopback=_no_driver)
    watch_of.append(watch)
    watch.start()
    assert reports.wait_for(1), "who was there before must count"
    assert watch.method == by
    second = Reader(node, times=2)
    assert reports.wait_for(3)
    early.kill()
    assert reports.wait_for(2)
    second.kill()
    assert reports.wait_for(0)


def test_this_program_itself_is_no_reader(node: Path, watch_of: list[ReaderWatch]) -> None:
    reports = Reports()
    with node.open("rb"):
        watch_of.append(ReaderWatch(str(node), reports, loopback=_no_driver))
        watch_of[0].start()
        assert reports.wait_for(0)
        for _ in range(3):
            node.open("rb").close()
        reader = Reader(node)
        assert reports.wait_for(1)
        reader.kill()
        assert reports.wait_for(0)
    assert set(reports.all) == {0, 1}


def test_who_cannot_be_seen_in_proc_is_heard(node: Path, tmp_path: Path, watch_of: list[ReaderWatch]) -> None:
    proc = tmp_path / "proc"  # as a user sees it to whom the reader's process is closed: only oneself
    (proc / str(os.getpid()) / "fd").mkdir(parents=True)
    reports = Reports()
    watch_of.append(ReaderWatch(str(node), reports, loopback=_no_driver, proc=proc))
    watch_of[0].start()
    assert reports.wait_for(0)
    reader = Reader(node)
    assert reports.wait_for(1)
    reader.kill()
    assert reports.wait_for(0)


def test_without_proc_nothing_is_known(node: Path, tmp_path: Path, watch_of: list[ReaderWatch]) -> None:
    reports = Reports()
    watch_of.append(ReaderWatch(str(node), reports, loopback=_no_driver, proc=tmp_path))
    watch_of[0].start()
    assert reports.wait_for(None)


@pytest.mark.parametrize("sends_initial", [True, False])
def test_the_drivers_events_are_followed(node: Path, watch_of: list[ReaderWatch], sends_initial: bool) -> None:
    driver, reports = FakeLoopback(has_event=True, sends_initial=sends_initial), Reports()
    driver.readers = int(sends_initial)
    reader = None if sends_initial else Reader(node)
    watch = ReaderWatch(str(node), reports, loopback=driver.opener)
    watch_of.append(watch)
    watch.start()
    assert reports.wait_for(1), "the state of the beginning"
    assert watch.method == "event"
    for readers in (0, 2, 0, 1):
        driver.set_readers(readers)
        assert reports.wait_for(readers)
    if reader is not None:
        reader.kill()
    watch.stop()
    assert driver.openers == {}


def test_an_event_that_was_lost_is_made_good(
    node: Path, watch_of: list[ReaderWatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "CHECK_INTERVAL_S", 0.05)
    driver, reports = FakeLoopback(has_event=True), Reports()
    watch_of.append(ReaderWatch(str(node), reports, loopback=driver.opener))
    watch_of[0].start()
    assert reports.wait_for(0)
    driver.readers = 1  # and no event
    assert reports.wait_for(1)


@pytest.mark.parametrize(
    ("heard", "hidden"),
    [
        ([(1, 0, 0), (1, 1, 1), (0, 1, -1)], [1, 0, 0]),  # it looked, closed and opened anew, and was seen only then
        ([(1, 0, 2), (0, 1, -2)], [0, 0]),  # twice by one program, killed: each heard as one
        (
            [(1, 0, 1), (1, 0, 0), (0, 1, -1), (0, 1, 0)],
            [0, 1, 1, 0],
        ),  # the hidden one goes last
        ([(0, 0, -1), (0, 1, 0)], [0, 0]),  # seen to be gone before it was heard
        ([(2, 2, 0), (3, 3, 0)], [0, 0]),  # looked for cameras
    ],
)
def test_what_was_heard_and_what_is_seen_add_up(heard: list[tuple[int, int, int]], hidden: list[int]) -> None:
    now, so_far = 0, []
    for opened, closed, more_seen in heard:
        now = updated_hidden_count(now, opened, closed, more_seen)
        so_far.append(now)
    assert so_far == hidden


def test_programs_that_look_for_cameras_all_the_time_leave_nothing_behind(
    node: Path, watch_of: list[ReaderWatch]
) -> None:
    reports = Reports()
    watch_of.append(ReaderWatch(str(node), reports, loopback=_no_driver))
    watch_of[0].start()
    assert reports.wait_for(0)
    # Never two closings in a row: they would come as one where the watch is busy, or stands still, meanwhile.
    looks = "import sys\nfor _ in range(600):\n    open(sys.argv[1], 'rb').close()\nkeep = open(sys.argv[1], 'rb')"
    subprocess.run([sys.executable, "-c", looks, str(node)], check=True, timeout=60)
    assert reports.wait_for(0)
