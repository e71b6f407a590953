"""Where Veneer keeps its things on this system; nothing here creates a folder.

With VENEER_HOME set, everything lies below that one folder (portable installs, tests).
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import platformdirs

from engines.errors import OptionsError

APP_NAME = "veneer"


def config_dir() -> Path:
    """The user's own settings and looks (`~/.config/veneer` on Linux)."""
    return _below_home("config") or platformdirs.user_config_path(APP_NAME, appauthor=False)


def cache_dir() -> Path:
    """What can be made again: prepared engines (`~/.cache/veneer` on Linux)."""
    return _below_home("cache") or platformdirs.user_cache_path(APP_NAME, appauthor=False)


def data_dir() -> Path:
    """What the user would miss: downloaded models, own weights (`~/.local/share/veneer` on Linux)."""
    return _below_home("data") or platformdirs.user_data_path(APP_NAME, appauthor=False)


def pictures_dir() -> Path:
    """Snapshots: a folder of our own in the user's pictures."""
    return _below_home("pictures") or platformdirs.user_pictures_path() / APP_NAME


def videos_dir() -> Path:
    """Recordings: a folder of our own in the user's videos."""
    return _below_home("videos") or platformdirs.user_videos_path() / APP_NAME


def runtime_dir() -> Path:
    """Sockets of the programs running now: the session's private folder, or `run` in the cache folder without one.

    Two programs of one user find the same folder, with and without XDG_RUNTIME_DIR in their environment (a desktop
    shortcut and a terminal may differ there). platformdirs would fall back to the shared temporary folder and warn.
    """
    home = _below_home("run")
    if home is not None:
        return home
    if sys.platform not in ("win32", "darwin"):
        for base in (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}"):
            if base.startswith("/") and _is_private(Path(base)):
                return Path(base) / APP_NAME
    return cache_dir() / "run"


def expanded(text: str) -> Path:
    """A path with `~` and `~user` filled in.

    Raises:
        OptionsError: there is no such user.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise OptionsError(f"path {text}", "there is no such user", "write the path in full") from None


def _below_home(name: str) -> Path | None:
    home = os.environ.get("VENEER_HOME", "")
    return Path(home).expanduser().absolute() / name if home else None


def _is_private(folder: Path) -> bool:
    """Whether it is a folder (no link) of this user that nobody else may look into."""
    try:
        info = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.getuid() and not info.st_mode & 0o077
