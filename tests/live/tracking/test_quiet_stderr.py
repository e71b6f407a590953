"""Native chatter stays off the terminal; what the program says to its user always arrives."""

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
    """`sys.stderr` is the process's own, on descriptor 2, and what arrives there can be read."""
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    return capfd


def native(text: str) -> None:
    os.write(2, f"{text}\n".encode())


def test_chatter_is_dropped_and_the_line_arrives(real_stderr: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        native("chatter")
        say_line("the camera is in use at 2 °C")
        native("chatter")
    native("after")
    assert real_stderr.readouterr().err.splitlines() == ["the camera is in use at 2 °C", "after"]


def test_in_a_process_of_its_own() -> None:
    script = (
        "import os, sys\nfrom live.tracking.quiet_stderr import quiet_stderr, say_line\n"
        "sys.stderr.write('before ')\n"
        "with quiet_stderr():\n os.write(2, b'chatter'); say_line('one')\nsay_line('two')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "before one\ntwo\n"


def test_chatter_is_shown_when_the_block_fails(real_stderr: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), quiet_stderr():
        native("why it failed")
        raise KeyError
    native("after")
    assert real_stderr.readouterr().err.splitlines() == ["why it failed", "after"]


def test_blocks_inside_each_other(real_stderr: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        native("outer chatter")
        with pytest.raises(KeyError), quiet_stderr():
            native("inner reason")
            raise KeyError
        native("still quiet")
        with quiet_stderr():
            say_line("said")
        native("still quiet")
    native("after")
    assert real_stderr.readouterr().err.splitlines() == ["inner reason", "said", "after"]


def test_blocks_of_two_threads_overlap(real_stderr: pytest.CaptureFixture[str]) -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with quiet_stderr():
            inside.set()
            leave.wait(30)
            native("chatter of the other")

    thread = threading.Thread(target=other)
    with quiet_stderr():
        thread.start()
        assert inside.wait(30)
    native("the other is still quiet")
    say_line("said")
    leave.set()
    thread.join(30)
    native("after")
    assert real_stderr.readouterr().err.splitlines() == ["said", "after"]


def test_many_blocks_leave_no_descriptor_behind() -> None:
    script = (  # in a process of its own: here other tests' threads, and what they leave, open and close files too
        "import os\nfrom live.tracking.quiet_stderr import quiet_stderr\n"
        "def next_free():\n number = os.dup(2)\n os.close(number)\n return number\n"
        "before = next_free()\n"
        "for _ in range(20):\n with quiet_stderr(), quiet_stderr():\n  os.write(2, b'chatter')\n"
        "print(next_free() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_stream_put_in_place_of_stderr_gets_the_line(monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    window = io.StringIO()
    monkeypatch.setattr(sys, "stderr", window)
    if quiet:
        with quiet_stderr():
            say_line("said")
    else:
        say_line("said")
    assert window.getvalue() == "said\n"


def test_a_program_without_stderr_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "__stderr__", None)
    say_line("to nobody")
    with quiet_stderr():
        say_line("to nobody")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    say_line("to nobody")


@pytest.mark.parametrize("ending", ["os.close(2)", "r, w = os.pipe(); os.dup2(w, 2); os.close(w); os.close(r)"])
def test_a_closed_or_broken_terminal_ends_nothing(ending: str) -> None:
    script = (
        f"import os, sys\nfrom live.tracking.quiet_stderr import quiet_stderr, say_line\n{ending}\n"
        "say_line('lost')\nwith quiet_stderr():\n say_line('lost')\n"
        "try:\n with quiet_stderr():\n  raise KeyError\nexcept KeyError:\n print('went on', flush=True)\nos._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "went on\n")
