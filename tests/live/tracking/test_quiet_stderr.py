"""quiet_stderr suppresses native output; say_line always prints."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading

import pytest

from live.tracking.quiet_stderr import quiet_stderr, say_line


@pytest.fixture
def real_stderr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """`sys.stderr` is the process's own, on descriptor 2, and is captured."""
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    return capfd


def native(text: str) -> None:
    os.write(2, f"{text}\n".encode())


def test_native_output_is_dropped_and_lines_are_printed(real_stderr: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        native("native output")
        say_line("the camera is in use at 2 °C")
        native("native output")
    native("after")
    assert real_stderr.readouterr().err.splitlines() == ["the camera is in use at 2 °C", "after"]


def test_new_process() -> None:
    script = (
        "import os, sys\nfrom live.tracking.quiet_stderr import quiet_stderr, say_line\n"
        "sys.stderr.write('before ')\n"
        "with quiet_stderr():\n os.write(2, b'output'); say_line('one')\nsay_line('two')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "before one\ntwo\n"


def test_native_output_is_shown_when_the_block_fails(real_stderr: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), quiet_stderr():
        native("why it failed")
        raise KeyError
    native("after")
    assert real_stderr.readouterr().err.splitlines() == ["why it failed", "after"]


def test_nested_blocks(real_stderr: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        native("outer output")
        with pytest.raises(KeyError), quiet_stderr():
            native("inner reason")
            raise KeyError
        native("still quiet")
        with quiet_stderr():
            say_line("line")
        native("still quiet")
    native("after")
    assert real_stderr.readouterr().err.splitlines() == ["inner reason", "line", "after"]


def test_overlapping_blocks_of_two_threads(real_stderr: pytest.CaptureFixture[str]) -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with quiet_stderr():
            inside.set()
            leave.wait(30)
            native("output of the other thread")

    thread = threading.Thread(target=other)
    with quiet_stderr():
        thread.start()
        assert inside.wait(30)
    native("the other is still quiet")
    say_line("line")
    leave.set()
    thread.join(30)
    native("after")
    assert real_stderr.readouterr().err.splitlines() == ["line", "after"]


def test_many_blocks_leak_no_descriptor() -> None:
    script = (  # in a new process, because threads of other tests open and close files too
        "import os\nfrom live.tracking.quiet_stderr import quiet_stderr\n"
        "def next_free():\n number = os.dup(2)\n os.close(number)\n return number\n"
        "before = next_free()\n"
        "for _ in range(20):\n with quiet_stderr(), quiet_stderr():\n  os.write(2, b'output')\n"
        "print(next_free() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_replaced_stderr_receives_the_line(monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    window = io.StringIO()
    monkeypatch.setattr(sys, "stderr", window)
    if quiet:
        with quiet_stderr():
            say_line("line")
    else:
        say_line("line")
    assert window.getvalue() == "line\n"


def test_missing_stderr_is_not_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "__stderr__", None)
    say_line("dropped")
    with quiet_stderr():
        say_line("dropped")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    say_line("dropped")


@pytest.mark.parametrize("ending", ["os.close(2)", "r, w = os.pipe(); os.dup2(w, 2); os.close(w); os.close(r)"])
def test_closed_or_broken_stderr_is_not_fatal(ending: str) -> None:
    script = (
        f"import os, sys\nfrom live.tracking.quiet_stderr import quiet_stderr, say_line\n{ending}\n"
        "say_line('lost')\nwith quiet_stderr():\n say_line('lost')\n"
        "try:\n with quiet_stderr():\n  raise KeyError\nexcept KeyError:\n print('went on', flush=True)\nos._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_first_picture_needs_no_plotting_library() -> None:
    script = (
        "import sys\nfrom live.tracking.mesh_model import BundledMesh\n"
        "BundledMesh(max_faces=1, still=True)\n"
        "print({'matplotlib', 'matplotlib.pyplot', 'sounddevice'} & set(sys.modules))\n"
        "from matplotlib.figure import Figure\nprint(Figure.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["set()", "Figure"], "MediaPipe imports it for plots, other modules still can"
