"""Shortcuts that start `veneer` like any other program: in the menu of the system, and at login on request.

Linux: files of the XDG desktop entry specification. Windows: shortcuts in the Start menu and its folder Startup. macOS:
a `.command` file in the user's Applications, which runs in Terminal and so uses Terminal's permission for the camera,
and a launch agent that opens it.
"""

from __future__ import annotations

import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs

from engines.errors import OptionsError, os_errors
from engines.files import atomic_write

_ICON = Path(__file__).parent / "panel" / "page" / "icon.svg"
_ABOUT = "Face filter for the camera"
_LABEL = "live.veneer.login"  # of the launch agent
# Values come by the environment, so that no path is quoted.
_SAVE_LINK = (
    "$link = (New-Object -ComObject WScript.Shell).CreateShortcut($env:VENEER_LINK); "
    "$link.TargetPath = $env:VENEER_TARGET; $link.Arguments = $env:VENEER_ARGUMENTS; "
    "$link.Description = $env:VENEER_ABOUT; $link.WindowStyle = 7; $link.Save()"
)
_POWERSHELL_TIMEOUT_S = 60


def install(*, autostart: bool, system: str = sys.platform, home: Path | None = None) -> list[Path]:
    """Write the shortcuts and return their files; earlier ones are replaced.

    Args:
        autostart: Also start at login, without opening the browser; otherwise an earlier autostart is removed.
        system: As `sys.platform`.
        home: The user's folder.

    Raises:
        OptionsError: A file cannot be written.
    """
    menu, login = _places(system, home or Path.home())
    remove(system=system, home=home)
    _write(menu, system, login=False, menu=menu)
    if autostart:
        _write(login, system, login=True, menu=menu)
    return [menu, login] if autostart else [menu]


def remove(*, system: str = sys.platform, home: Path | None = None) -> list[Path]:
    """Delete the shortcuts and return those that existed. Raises OptionsError."""
    removed = [path for path in _places(system, home or Path.home()) if path.exists()]
    for path in removed:
        with os_errors(f"shortcut {path}", "delete it"):
            path.unlink()
    return removed


def _places(system: str, home: Path) -> tuple[Path, Path]:
    """Return the files of the menu entry and of the autostart."""
    if system == "win32":
        menu = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming") / "Microsoft/Windows/Start Menu/Programs"
        return menu / "Veneer.lnk", menu / "Startup" / "Veneer.lnk"
    if system == "darwin":
        return home / "Applications" / "Veneer.command", home / "Library" / "LaunchAgents" / f"{_LABEL}.plist"
    data, config = (
        (platformdirs.user_data_path(), platformdirs.user_config_path())
        if home == Path.home()
        else (home / ".local" / "share", home / ".config")
    )
    return data / "applications" / "veneer.desktop", config / "autostart" / "veneer.desktop"


def _write(path: Path, system: str, *, login: bool, menu: Path) -> None:
    command = [*_program(), *(["--no-browser"] if login else [])]
    with os_errors(f"shortcut {path}", "let this user write the folder"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if system == "win32":
            _save_link(path, command)
        elif system == "darwin":
            atomic_write(path, _launch_agent(menu) if login else _command_file(command))
            path.chmod(0o644 if login else 0o755)
        else:
            atomic_write(path, _desktop_entry(command))
            path.chmod(0o755)


def _program() -> list[str]:
    """Return the command of this installation: the script beside the interpreter, or the module."""
    folder = Path(sys.executable).parent
    script = next((folder / name for name in ("veneer", "veneer.exe") if (folder / name).is_file()), None)
    return [str(script)] if script is not None else [sys.executable, "-m", "live"]


def _own_home() -> list[str]:
    """Return the setting of VENEER_HOME, which a desktop session does not have."""
    home = os.environ.get("VENEER_HOME")
    return [f"VENEER_HOME={Path(home).absolute()}"] if home else []


def _desktop_entry(command: list[str]) -> str:
    words = [*(["env", *_own_home()] if _own_home() else []), *command]
    return (
        "[Desktop Entry]\nType=Application\nName=Veneer\n"
        f"Comment={_ABOUT}\nExec={' '.join(map(_exec_word, words))}\nIcon={_ICON}\n"
        "Terminal=false\nCategories=AudioVideo;Video;\nKeywords=camera;webcam;filter;\n"
    )


def _exec_word(word: str) -> str:
    """Quote a word for the key Exec: within the quotes four characters are escaped, then backslashes once more."""
    quoted = "".join(f"\\{one}" if one in '\\"`$' else one for one in word)
    return '"' + quoted.replace("\\", "\\\\").replace("%", "%%") + '"'


def _command_file(command: list[str]) -> str:
    setting = " ".join(map(shlex.quote, _own_home()))
    return f"#!/bin/sh\nexec {f'env {setting} ' if setting else ''}{shlex.join(command)}\n"


def _launch_agent(menu: Path) -> bytes:
    agent = {"Label": _LABEL, "ProgramArguments": ["/usr/bin/open", "-g", str(menu)], "RunAtLoad": True}
    return plistlib.dumps(agent)


def _save_link(path: Path, command: list[str]) -> None:
    program = shutil.which("powershell") or shutil.which("pwsh")
    if program is None:
        raise OptionsError(f"shortcut {path}", "PowerShell is not found", "make a shortcut to veneer by hand")
    values = {
        "VENEER_LINK": str(path),
        "VENEER_TARGET": command[0],
        "VENEER_ARGUMENTS": subprocess.list2cmdline(command[1:]),
        "VENEER_ABOUT": _ABOUT,
    }
    words = [program, "-NoProfile", "-NonInteractive", "-Command", _SAVE_LINK]
    try:
        subprocess.run(
            words, env=os.environ | values, check=True, capture_output=True, text=True, timeout=_POWERSHELL_TIMEOUT_S
        )
    except (subprocess.SubprocessError, OSError) as error:
        got = " ".join(str(getattr(error, "stderr", "") or error).split())[:200]
        raise OptionsError(f"shortcut {path}", f"PowerShell failed ({got})", "make it by hand") from None
