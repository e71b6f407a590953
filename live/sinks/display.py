"""Is there a screen? Asked before OpenCV is, whose window library ends the whole process where there is none."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2

from engines.errors import SinkError

_ASKED = "preview window"
_WITHOUT = "or leave it out: --sink virtual-camera, or --sink file:out.mp4"
# Qt in OpenCV's wheel speaks X11 only, brings few fonts, and says so on the terminal; nobody can do anything about it.
_QUIET_QT = {"QT_LOGGING_RULES": "*.debug=false;*.info=false;*.warning=false"}


def check_screen(environment: Mapping[str, str] | None = None) -> None:
    """See that a window can be opened; makes a short connection to the X server on Linux, nothing elsewhere.

    Raises:
        SinkError: no screen, one that cannot be reached, or libraries that are missing.
    """
    environment = os.environ if environment is None else environment
    if not sys.platform.startswith("linux"):
        return
    x11, wayland = environment.get("DISPLAY", ""), environment.get("WAYLAND_DISPLAY", "")
    if not x11 and not wayland:
        do = f"run it inside a desktop session (over ssh: ssh -X), {_WITHOUT}"
        raise SinkError(_ASKED, "there is no screen (DISPLAY is not set)", do)
    plugin = _x11_plugin()
    if plugin is None:
        return
    if not x11:
        got = "this Wayland session has no X11 (DISPLAY is not set), and OpenCV's window needs it"
        raise SinkError(_ASKED, got, f"install XWayland (package xwayland) and log in again, {_WITHOUT}")
    _check_libraries(plugin)
    if not _reaches_x_server(x11):
        do = f"set DISPLAY (and XAUTHORITY) as in a terminal of the desktop, {_WITHOUT}"
        raise SinkError(_ASKED, f"the screen DISPLAY={x11} cannot be reached", do)


def quieten_qt() -> None:
    """Keep Qt from talking to the terminal, and from looking for a Wayland plugin it does not have.

    Works until the first window of the process. What the user set stays, but for a platform the wheel cannot serve
    (QT_QPA_PLATFORM=wayland is common, and would end the process).
    """
    if not sys.platform.startswith("linux"):
        return
    for name, value in _QUIET_QT.items():
        os.environ.setdefault(name, value)
    plugin = _x11_plugin()
    if plugin is not None:
        asked = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
        if not plugin.with_name(f"libq{asked}.so").exists():
            os.environ["QT_QPA_PLATFORM"] = "xcb"


def _x11_plugin() -> Path | None:
    """Qt's X11 part in OpenCV's wheel; None for an OpenCV that was built otherwise."""
    plugin = Path(cv2.__file__).parent / "qt" / "plugins" / "platforms" / "libqxcb.so"
    return plugin if plugin.exists() else None


def _check_libraries(plugin: Path) -> None:
    try:
        ctypes.CDLL(str(plugin))
    except OSError as failure:
        missing = str(failure).partition(":")[0]
        do = f"install it (Debian, Ubuntu: sudo apt install libxcb1 libxkbcommon0 libgl1), {_WITHOUT}"
        raise SinkError(_ASKED, f"the system library {missing} is missing", do) from None


def _reaches_x_server(display: str) -> bool:
    """Connect as Qt will, with the same library and so with the same credentials."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:  # OpenCV built without X11 after all
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = (ctypes.c_void_p,)
    connection = xcb.xcb_connect(display.encode(), None)
    try:
        return not xcb.xcb_connection_has_error(connection)
    finally:
        xcb.xcb_disconnect(connection)
