"""Of two processes that need the same engine one builds it; a dead or stuck lock holder does not block."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.said import Said

from engines.cache import cache_entry, engine_cache

KEY = engine_cache.cache_key(weights="shared")
BUILD = """
import sys, time
from pathlib import Path
from engines.cache import cache_entry, cache_lock, engine_cache
log, key = Path(sys.argv[1]), sys.argv[2]
waits = log.with_name("waits")

def print_line(line):
    print(line, file=sys.stderr)
    waits.touch()

cache_lock_hold = cache_lock.hold_lock
cache_lock.hold_lock = lambda *where, say, **how: cache_lock_hold(*where, say=print_line, **how)

def make():
    with log.open("a") as file:
        file.write("built\\n")
    until_s = time.monotonic() + 20
    while not waits.exists() and time.monotonic() < until_s:  # the other one comes in the middle, however late
        time.sleep(0.01)
    return b"plan"

print("ready", flush=True)
sys.stdin.readline()
got = engine_cache.load_or_build(
    key,
    read=lambda folder: (folder / "plan").read_bytes(),
    make=make,
    write=lambda made, folder: (folder / "plan").write_bytes(made),
    about=cache_entry.EntryDescription("lips"),
)
print(got.decode())
"""
HOLD = """
import sys, time
from pathlib import Path
from engines.cache.cache_lock import hold_lock
with hold_lock(Path(sys.argv[1]), say=print, wait_s=5.0) as mine:
    print("held" if mine else "not held", flush=True)
    time.sleep(120)
"""


def once(*, made: bytes = b"made", wait_s: float = 20.0) -> bytes:
    return engine_cache.load_or_build(
        KEY,
        read=lambda folder: (folder / "plan").read_bytes(),
        make=lambda: made,
        write=lambda made, folder: (folder / "plan").write_bytes(made),
        about=cache_entry.EntryDescription("lips-glaze", "tensorrt", "fp16", "90x30"),
        wait_s=wait_s,
    )


def test_the_second_start_reads_the_cache(said: Said) -> None:
    assert once(made=b"first") == b"first"
    assert once(made=b"second") == b"first"
    assert not said
    (entry,) = cache_entry.entries()
    assert entry.about.runtime == "tensorrt" and entry.build_s is not None


@pytest.mark.parametrize("error", [RuntimeError("the plan is of another version\nlong"), ValueError("?"), OSError("?")])
def test_an_unreadable_engine_is_built_again(error: Exception, said: Said) -> None:
    def refuse(folder: Path) -> bytes:
        raise error

    once(made=b"old")
    got = engine_cache.load_or_build(
        KEY,
        read=refuse,
        make=lambda: b"new",
        write=lambda made, folder: (folder / "plan").write_bytes(made),
        about=cache_entry.EntryDescription(),
    )
    assert got == b"new"
    assert len(said) == 1 and "cannot be used here" in said[0] and "\n" not in said[0]
    assert said[0].endswith("it is deleted and built again")
    assert once() == b"new"


def test_an_edited_engine_is_built_again(said: Said) -> None:
    once(made=b"old")
    (cache_entry.cache_home() / KEY / "plan").write_bytes(b"bad")
    assert once(made=b"new") == b"new"
    assert len(said) == 1 and "incomplete or modified: it is deleted and built again" in said[0]


def test_build_errors_propagate_and_release_the_lock() -> None:
    def fail() -> bytes:
        raise MemoryError("GPU memory is full")

    with pytest.raises(MemoryError):
        engine_cache.load_or_build(
            KEY, read=Path.read_bytes, make=fail, write=lambda *_: None, about=cache_entry.EntryDescription()
        )
    assert once() == b"made"


def test_two_processes_build_it_once(tmp_path: Path) -> None:
    log = tmp_path / "builds"
    command = [sys.executable, "-c", BUILD, str(log), KEY]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in both]
    assert [out for out, _ in answers] == ["plan\n", "plan\n"]
    assert log.read_text() == "built\n"
    assert sum("waiting for it" in err for _, err in answers) == 1


@contextmanager
def holder() -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of the entry and does nothing more."""
    lock = cache_entry.cache_home() / ".locks" / f"{KEY}.lock"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], text=True, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_the_lock_of_a_dead_process_is_free(said: Said) -> None:
    with holder() as process:
        process.kill()
        process.wait()
        assert once() == b"made"
        assert not said


def test_a_stuck_lock_holder_times_out(said: Said) -> None:
    with holder():
        assert once(wait_s=0.3) == b"made"
    assert len(said) == 2
    assert "waiting for it" in said[0]
    assert "has not finished in 0 s: building it here as well" in said[1]
