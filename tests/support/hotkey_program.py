"""An X server of its own, and a program in it that listens to the global keys."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HANG_S = 60.0
# pynput takes hold of the display when it is imported, so each program that listens is a process of its own
PROGRAM = """
import sys, threading, time
import live.control.global_hotkeys
from live.control.global_hotkeys import GlobalHotkeys
from engines.errors import VeneerError

def on_command(command):
    print(command.verb, command.argument, flush=True)

# The machine may be busy.
live.control.global_hotkeys._START_TIMEOUT_S = live.control.global_hotkeys._STOP_TIMEOUT_S = 20.0
keys = GlobalHotkeys(on_command, ("none", "glaze", "bright"))
for order in sys.stdin:
    began_s = time.monotonic()
    try:
        getattr(keys, order.strip())()
    except VeneerError as error:
        print("refused", error, flush=True)
    took_s = time.monotonic() - began_s
    print("done", order.strip(), took_s < 40.0, threading.active_count(), flush=True)
"""


class Program:
    """A process that prints each command it is given by a global key."""

    def __init__(self, display: str, first: str = "") -> None:
        environ = {k: v for k, v in os.environ.items() if k not in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE")}
        self._environ = environ | {"DISPLAY": display}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.replace("keys =", first + "\nkeys =")],
            cwd=ROOT,
            env=self._environ,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())

    def order(self, order: str) -> str:
        """Call start or stop there; what it printed last."""
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        lines: list[str] = []
        while not lines or not lines[-1].startswith("done"):
            lines.append(self._lines.get(timeout=HANG_S))
        return "\n".join(lines)

    def listen(self) -> None:
        """Start, and see that a first key arrives (pynput says that it is ready a little early)."""
        assert self.order("start").startswith("done start True")
        deadline_s = time.monotonic() + HANG_S
        while time.monotonic() < deadline_s:
            self.press("key", "ctrl+alt+h")
            with contextlib.suppress(queue.Empty):
                assert self._lines.get(timeout=1.0) == "help None"
                break
        self.press("key", "ctrl+alt+m")  # whatever else was pressed until here comes before it
        while self._lines.get(timeout=HANG_S) != "mirror None":
            pass

    def press(self, *xdotool: str) -> None:
        subprocess.run(["xdotool", *xdotool], env=self._environ, check=True, timeout=HANG_S)

    def next_command(self) -> str:
        return self._lines.get(timeout=HANG_S)

    def commands(self, *xdotool: str) -> list[str]:
        """What is commanded by these key presses; Ctrl+Alt+H marks their end."""
        self.press(*xdotool)
        self.press("key", "ctrl+alt+h")
        lines: list[str] = []
        while not lines or lines[-1] != "help None":
            lines.append(self._lines.get(timeout=HANG_S))
        return lines[:-1]

    def end(self) -> str:
        """Let it end; what it wrote to stderr."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        try:
            self.process.wait(HANG_S)
        finally:
            self.process.kill()
            self._reader.join(HANG_S)
        with self.process.stderr as stderr:
            said = stderr.read()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return said


@contextlib.contextmanager
def x_server(*options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    for name in ("Xvfb", "xdotool"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    read_fd, write_fd = os.pipe()
    # without -noreset the server forgets the keyboard layout whenever its last caller leaves
    command = [
        "Xvfb",
        "-displayfd",
        str(write_fd),
        "-screen",
        "0",
        "320x240x24",
        "-nolisten",
        "tcp",
        "-noreset",
        *options,
    ]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, pass_fds=[write_fd], stdout=quiet, stderr=quiet) as server:
        os.close(write_fd)
        try:
            with os.fdopen(read_fd) as told:
                yield f":{int(told.readline())}", server
        finally:
            server.terminate()


def set_layout(display: str, layout: str) -> None:
    if shutil.which("setxkbmap") is None:
        pytest.skip("setxkbmap is not installed")
    subprocess.run(["setxkbmap", "-display", display, "-layout", layout], check=True, timeout=HANG_S)
