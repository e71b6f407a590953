"""The folders of Veneer on this system. No function creates a folder.

If VENEER_HOME is set, all folders are below it (portable installs, tests).
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
    """Return the folder of settings and looks (`~/.config/veneer` on Linux)."""
    return _below_home("config") or platformdirs.user_config_path(APP_NAME, appauthor=False)


def cache_dir() -> Path:
    """Return the folder of files that can be built again, such as engines (`~/.cache/veneer` on Linux)."""
    return _below_home("cache") or platformdirs.user_cache_path(APP_NAME, appauthor=False)


def data_dir() -> Path:
    """Return the folder of the user's models and weights (`~/.local/share/veneer` on Linux)."""
    return _below_home("data") or platformdirs.user_data_path(APP_NAME, appauthor=False)


def portraits_dir() -> Path:
    """Return the folder of the networks that make pictures from noise."""
    return data_dir() / "portraits"


def pictures_dir() -> Path:
    """Return the folder of snapshots, below the user's pictures."""
    return _below_home("pictures") or platformdirs.user_pictures_path() / APP_NAME


def videos_dir() -> Path:
    """Return the folder of recordings, below the user's videos."""
    return _below_home("videos") or platformdirs.user_videos_path() / APP_NAME


def runtime_dir() -> Path:
    """Return the folder of control sockets: the login session's private folder, else `run` in the cache folder.

    The result does not depend on whether XDG_RUNTIME_DIR is set, which can differ between a desktop shortcut and a
    terminal. platformdirs would fall back to the shared temporary folder with a warning.
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
    """Return a path with `~` and `~user` expanded. Raises OptionsError if there is no such user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise OptionsError(f"path {text}", "there is no such user", "write the path in full") from None


def _below_home(name: str) -> Path | None:
    home = os.environ.get("VENEER_HOME", "")
    return Path(home).expanduser().absolute() / name if home else None


def _is_private(folder: Path) -> bool:
    """Whether it is a folder (not a link) that only this user can read."""
    try:
        info = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.getuid() and not info.st_mode & 0o077
