"""ReaderWatch with real programs that open a real file; the driver's events come from a fake."""

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

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify and /proc exist on Linux only")

HOLD = (
    "import sys; files = [open(sys.argv[1], 'rb') for _ in range(int(sys.argv[2]))]; print('open', flush=True); input()"
)


class Reports:
    """Collects reported reader counts."""

    def __init__(self) -> None:
        self.all: list[int | None] = []
        self._changed = threading.Condition()

    def __call__(self, readers: int | None) -> None:
        with self._changed:
            self.all.append(readers)
            self._changed.notify_all()

    def wait_for(self, readers: int | None) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.all[-1:] == [readers], 60)


class Reader:
    """Another program that has the file open one or more times."""

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
    raise OSError(f"{path} has no events")


@pytest.mark.parametrize("method", ["inotify", "polling"])
def test_readers_are_counted(
    node: Path, watch_of: list[ReaderWatch], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watch_left(path: Path) -> None:
        raise OSError("no inotify instance is left")

    if method == "polling":
        monkeypatch.setattr(readers_module, "FileOpenWatcher", no_watch_left)
    early, reports = Reader(node), Reports()
    watch = ReaderWatch(str(node), reports, loopback=_no_driver)
    watch_of.append(watch)
    watch.start()
    assert reports.wait_for(1), "earlier readers are counted"
    assert watch.method == method
    second = Reader(node, times=2)
    assert reports.wait_for(3)
    early.kill()
    assert reports.wait_for(2)
    second.kill()
    assert reports.wait_for(0)


def test_own_process_is_not_counted_as_reader(node: Path, watch_of: list[ReaderWatch]) -> None:
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


def test_reader_invisible_in_proc_is_counted(node: Path, tmp_path: Path, watch_of: list[ReaderWatch]) -> None:
    proc = tmp_path / "proc"  # only the own process is visible, as with a reader of another user
    (proc / str(os.getpid()) / "fd").mkdir(parents=True)
    reports = Reports()
    watch_of.append(ReaderWatch(str(node), reports, loopback=_no_driver, proc=proc))
    watch_of[0].start()
    assert reports.wait_for(0)
    reader = Reader(node)
    assert reports.wait_for(1)
    reader.kill()
    assert reports.wait_for(0)


def test_reader_count_is_unknown_without_proc(node: Path, tmp_path: Path, watch_of: list[ReaderWatch]) -> None:
    reports = Reports()
    watch_of.append(ReaderWatch(str(node), reports, loopback=_no_driver, proc=tmp_path))
    watch_of[0].start()
    assert reports.wait_for(None)


@pytest.mark.parametrize("sends_initial", [True, False])
def test_driver_events_are_followed(node: Path, watch_of: list[ReaderWatch], sends_initial: bool) -> None:
    driver, reports = FakeLoopback(has_event=True, sends_initial=sends_initial), Reports()
    driver.readers = int(sends_initial)
    reader = None if sends_initial else Reader(node)
    watch = ReaderWatch(str(node), reports, loopback=driver.opener)
    watch_of.append(watch)
    watch.start()
    assert reports.wait_for(1), "the initial state"
    assert watch.method == "event"
    for readers in (0, 2, 0, 1):
        driver.set_readers(readers)
        assert reports.wait_for(readers)
    if reader is not None:
        reader.kill()
    watch.stop()
    assert driver.openers == {}


def test_lost_event_is_recovered(node: Path, watch_of: list[ReaderWatch], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers_module, "CHECK_INTERVAL_S", 0.05)
    driver, reports = FakeLoopback(has_event=True), Reports()
    watch_of.append(ReaderWatch(str(node), reports, loopback=driver.opener))
    watch_of[0].start()
    assert reports.wait_for(0)
    driver.readers = 1  # without an event
    assert reports.wait_for(1)


@pytest.mark.parametrize(
    ("changes", "hidden"),
    [
        ([(1, 0, 0), (1, 1, 1), (0, 1, -1)], [1, 0, 0]),  # closed and reopened before it became visible
        ([(1, 0, 2), (0, 1, -2)], [0, 0]),  # two openings of one program, merged into one event
        (
            [(1, 0, 1), (1, 0, 0), (0, 1, -1), (0, 1, 0)],
            [0, 1, 1, 0],
        ),  # the hidden reader leaves last
        ([(0, 0, -1), (0, 1, 0)], [0, 0]),  # gone from /proc before the event
        ([(2, 2, 0), (3, 3, 0)], [0, 0]),  # camera enumeration
    ],
)
def test_hidden_reader_count(changes: list[tuple[int, int, int]], hidden: list[int]) -> None:
    count, counts = 0, []
    for opened, closed, visible_change in changes:
        count = updated_hidden_count(count, opened, closed, visible_change)
        counts.append(count)
    assert counts == hidden


def test_repeated_camera_enumeration_leaves_no_readers(node: Path, watch_of: list[ReaderWatch]) -> None:
    reports = Reports()
    watch_of.append(ReaderWatch(str(node), reports, loopback=_no_driver))
    watch_of[0].start()
    assert reports.wait_for(0)
    # No two closings in a row: inotify would merge them if the watch is busy.
    script = "import sys\nfor _ in range(600):\n    open(sys.argv[1], 'rb').close()\nkeep = open(sys.argv[1], 'rb')"
    subprocess.run([sys.executable, "-c", script, str(node)], check=True, timeout=60)
    assert reports.wait_for(0)
