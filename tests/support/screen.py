"""A real X server for tests that open windows and press keys."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.cli_parts import WITH_TESTS

START_S = 30


def need(*programs: str) -> None:
    """Skip the test if a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@contextlib.contextmanager
def x_server(size: str = "1600x900x24") -> Iterator[str]:
    """Run Xvfb on a free display; yield its DISPLAY (":99")."""
    need("Xvfb")
    reader, writer = os.pipe()
    command = [*WITH_TESTS, "Xvfb", "-displayfd", str(writer), "-screen", "0", size, "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(command, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        try:
            with os.fdopen(reader, encoding="ascii") as output:
                number = output.readline().strip()
            if not number:
                pytest.skip("Xvfb does not start here")
            yield f":{number}"
        finally:
            server.terminate()


def xdotool(display: str, *words: str) -> str:
    """Run xdotool on a display and return its output."""
    need("xdotool")
    environment = {**os.environ, "DISPLAY": display}
    done = subprocess.run(["xdotool", *words], env=environment, capture_output=True, text=True, timeout=START_S)
    return done.stdout.strip()


def wait_for_window(display: str, title: str) -> int:
    """Wait for the window with a title and return its id."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        found = xdotool(display, "search", "--onlyvisible", "--name", f"^{title}$").split()
        if found:
            return int(found[0])
        time.sleep(0.1)
    raise AssertionError(f"no window called {title} within {START_S} s")


class _ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),  # to the size of XEvent
    )


def press_close_button(display: str, window: int) -> None:
    """Send what a window manager sends when the close button is clicked (Xvfb has no window manager)."""
    try:
        x11: Any = ctypes.CDLL("libX11.so.6")
    except OSError:
        pytest.skip("libX11.so.6 is not installed")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    x11.XSendEvent.argtypes = (ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)
    x11.XCloseDisplay.argtypes = x11.XFlush.argtypes = (ctypes.c_void_p,)
    connection = x11.XOpenDisplay(display.encode())
    event = _ClientMessage(type=33, window=window, format=32)  # ClientMessage
    event.message_type = x11.XInternAtom(connection, b"WM_PROTOCOLS", 0)
    event.data[0] = x11.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
    x11.XSendEvent(connection, window, 0, 0, ctypes.byref(event))
    x11.XFlush(connection)
    x11.XCloseDisplay(connection)
