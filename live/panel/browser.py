"""Opening of the page in the user's browser."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import webbrowser


def has_desktop() -> bool:
    """Whether this session can show a browser; without a screen `webbrowser` would start one in the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_in_browser(link: str) -> threading.Thread:
    """Open a link in another thread, which is returned: some browsers return only when they are closed."""

    def work() -> None:
        with contextlib.suppress(Exception):  # the link was printed
            webbrowser.open(link)

    thread = threading.Thread(target=work, name="browser", daemon=True)
    thread.start()
    return thread
