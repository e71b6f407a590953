"""An X server of its own, and a program in it that listens to the global hotkeys."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli_parts import WITH_TESTS

ROOT = Path(__file__).resolve().parents[2]
HANG_S = 60.0
# The listener runs in a process of its own, as the program does, so that its end and its standard error can be checked.
PROGRAM = """
import sys, threading, time
from engines.errors import VeneerError
from live.control.global_hotkeys import listen

def on_command(command):
    print(command.verb, command.argument, flush=True)

def start():
    global stop
    stop = listen(on_command, {"1": "none", "2": "glaze", "3": "bright"})

def stop():
    pass

for order in sys.stdin:
    began_s = time.monotonic()
    try:
        globals()[order.strip()]()
    except VeneerError as error:
        print("refused", error, flush=True)
    took_s = time.monotonic() - began_s
    print("done", order.strip(), took_s < 40.0, threading.active_count(), flush=True)
"""


class Program:
    """A process that prints each command it receives from a global hotkey."""

    def __init__(self, display: str) -> None:
        environ = {k: v for k, v in os.environ.items() if k not in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE")}
        self._environ = environ | {"DISPLAY": display}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
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
        """Call start() or stop() in the process; return what it printed until that was done."""
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        lines: list[str] = []
        while not lines or not lines[-1].startswith("done"):
            lines.append(self._lines.get(timeout=HANG_S))
        return "\n".join(lines)

    def listen(self) -> None:
        """Start; the grabs are in place when it returns."""
        assert self.order("start") == "done start True 2"

    def press(self, *xdotool: str) -> None:
        subprocess.run(["xdotool", *xdotool], env=self._environ, check=True, timeout=HANG_S)

    def next_command(self) -> str:
        return self._lines.get(timeout=HANG_S)

    def commands(self, *xdotool: str) -> list[str]:
        """The commands that these key presses give; Ctrl+Alt+H marks their end."""
        self.press(*xdotool)
        self.press("key", "ctrl+alt+h")
        lines: list[str] = []
        while not lines or lines[-1] != "help None":
            lines.append(self._lines.get(timeout=HANG_S))
        return lines[:-1]

    def end(self) -> str:
        """Close the process's input so that it ends; return what it wrote to standard error."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        try:
            self.process.wait(HANG_S)
        finally:
            self.process.kill()
            self._reader.join(HANG_S)
        with self.process.stderr as stderr:
            errors = stderr.read()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return errors


@contextlib.contextmanager
def x_server(*options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    for name in ("Xvfb", "xdotool"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    read_fd, write_fd = os.pipe()
    # Without -noreset the server resets the keyboard layout when its last client disconnects.
    command = [
        *WITH_TESTS,
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
            with os.fdopen(read_fd) as display_number:
                yield f":{int(display_number.readline())}", server
        finally:
            server.terminate()


def set_layout(display: str, layout: str) -> None:
    if shutil.which("setxkbmap") is None:
        pytest.skip("setxkbmap is not installed")
    subprocess.run(["setxkbmap", "-display", display, "-layout", layout], check=True, timeout=HANG_S)
