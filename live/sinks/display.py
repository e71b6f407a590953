"""Checks whether a window can be opened: OpenCV's window library aborts the process if there is no screen."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import cv2

from engines.errors import SinkError

_NAME = "preview window"
_ALTERNATIVES = "or leave it out: --sink virtual-camera, or --sink file:out.mp4"
# The Qt of OpenCV's wheel supports X11 only and has few fonts, and warns about both; users cannot change either.
_QT_LOGGING_RULES = "*.debug=false;*.info=false;*.warning=false"


def check_screen() -> None:
    """Check that a window can be opened; on Linux this connects to the X server briefly, elsewhere it does nothing.

    Raises:
        SinkError: There is no screen, it cannot be reached, or a system library is missing.
    """
    if not sys.platform.startswith("linux"):
        return
    x11, wayland = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if not x11 and not wayland:
        do = f"run it inside a desktop session (over ssh: ssh -X), {_ALTERNATIVES}"
        raise SinkError(_NAME, "there is no screen (DISPLAY is not set)", do)
    plugin = _x11_plugin()
    if plugin is None:
        return
    if not x11:
        got = "this Wayland session has no X11 (DISPLAY is not set), and OpenCV's window needs it"
        raise SinkError(_NAME, got, f"install XWayland (package xwayland) and log in again, {_ALTERNATIVES}")
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        missing = str(error).partition(":")[0]
        do = f"install it (Debian, Ubuntu: sudo apt install libxcb1 libxkbcommon0 libgl1), {_ALTERNATIVES}"
        raise SinkError(_NAME, f"the system library {missing} is missing", do) from None
    if not _can_connect(x11):
        do = f"set DISPLAY (and XAUTHORITY) as in a terminal of the desktop, {_ALTERNATIVES}"
        raise SinkError(_NAME, f"the screen DISPLAY={x11} cannot be reached", do)


def silence_qt() -> None:
    """Suppress Qt's log, and its search for a Wayland plugin that OpenCV's wheel does not contain.

    Must run before the first window of the process. Variables set by the user are kept, except for a platform that
    the wheel does not contain (QT_QPA_PLATFORM=wayland is common, and would abort the process).
    """
    if not sys.platform.startswith("linux"):
        return
    os.environ.setdefault("QT_LOGGING_RULES", _QT_LOGGING_RULES)
    plugin = _x11_plugin()
    if plugin is not None:
        platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
        if not plugin.with_name(f"libq{platform}.so").exists():
            os.environ["QT_QPA_PLATFORM"] = "xcb"


def _x11_plugin() -> Path | None:
    """Return the path of Qt's X11 plugin in OpenCV's wheel; None for other builds of OpenCV."""
    plugin = Path(cv2.__file__).parent / "qt" / "plugins" / "platforms" / "libqxcb.so"
    return plugin if plugin.exists() else None


def _can_connect(display: str) -> bool:
    """Connect with the library that Qt uses, and therefore with the same credentials."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:  # this OpenCV was built without X11
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = (ctypes.c_void_p,)
    connection = xcb.xcb_connect(display.encode(), None)
    try:
        return not xcb.xcb_connection_has_error(connection)
    finally:
        xcb.xcb_disconnect(connection)
