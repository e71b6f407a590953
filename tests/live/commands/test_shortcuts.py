"""`veneer install-shortcut` writes what each system reads, and removes it again."""

from __future__ import annotations

import os
import plistlib
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from support.cli_parts import call

from live import shortcuts

LINUX_FILES = (".local/share/applications/veneer.desktop", ".config/autostart/veneer.desktop")


def started_by(entry: Path) -> list[str]:
    """The words that a desktop starts for an entry, by the rules of its specification."""
    line = next(line for line in entry.read_text().splitlines() if line.startswith("Exec="))
    text = line.removeprefix("Exec=").replace("\\\\", "\\").replace("%%", "%")
    words: list[str] = []
    for quoted in text[1:-1].split('" "'):
        word, escaped = "", False
        for one in quoted:
            escaped = one == "\\" and not escaped
            word += "" if escaped else one
        words.append(word)
    return words


def test_linux_entries_start_this_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = str(tmp_path / 'a "b" $c 100%')
    monkeypatch.setenv("VENEER_HOME", home)
    written = shortcuts.install(autostart=True, system="linux", home=tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in written] == list(LINUX_FILES)
    menu, login = (started_by(path) for path in written)
    assert menu[:2] == ["env", f"VENEER_HOME={home}"]
    assert subprocess.run([*menu, "--help"], capture_output=True, text=True, check=True).stdout.count("veneer") >= 1
    assert login == [*menu, "--no-browser"]
    icon = next(line for line in written[0].read_text().splitlines() if line.startswith("Icon="))
    assert Path(icon.removeprefix("Icon=")).is_file()


def test_linux_entries_are_valid(tmp_path: Path) -> None:
    if shutil.which("desktop-file-validate") is None:
        pytest.skip("desktop-file-validate is not installed: apt-get install desktop-file-utils")
    for path in shortcuts.install(autostart=True, system="linux", home=tmp_path):
        done = subprocess.run(["desktop-file-validate", path], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "")


def test_the_start_at_login_ends_without_the_option(tmp_path: Path) -> None:
    shortcuts.install(autostart=True, system="linux", home=tmp_path)
    shortcuts.install(autostart=False, system="linux", home=tmp_path)
    assert [(tmp_path / name).is_file() for name in LINUX_FILES] == [True, False]
    shortcuts.remove(system="linux", home=tmp_path)
    assert not any((tmp_path / name).exists() for name in LINUX_FILES)


def test_mac_files_open_a_terminal(tmp_path: Path) -> None:
    menu, login = shortcuts.install(autostart=True, system="darwin", home=tmp_path)
    assert os.access(menu, os.X_OK)
    setting, program = shlex.split(menu.read_text().splitlines()[1])[2:]
    assert setting.startswith("VENEER_HOME=") and Path(program).is_file()
    agent = plistlib.loads(login.read_bytes())
    assert agent["RunAtLoad"] is True and agent["ProgramArguments"] == ["/usr/bin/open", "-g", str(menu)]
    assert shortcuts.remove(system="darwin", home=tmp_path) == [menu, login]


def test_windows_links_are_saved_by_powershell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "powershell"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\nprintf "%s\\n" "$VENEER_TARGET" "$VENEER_ARGUMENTS" >"$VENEER_LINK"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("APPDATA", str(tmp_path / "Roaming"))
    menu, login = shortcuts.install(autostart=True, system="win32", home=tmp_path)
    folder = tmp_path / "Roaming" / "Microsoft" / "Windows" / "Start Menu" / "Programs"
    assert (menu, login) == (folder / "Veneer.lnk", folder / "Startup" / "Veneer.lnk")
    assert Path(menu.read_text().splitlines()[0]).is_file()
    assert login.read_text().splitlines()[1] == "--no-browser"
    tool.write_text("#!/bin/sh\necho no COM here >&2; exit 1\n")
    with pytest.raises(Exception, match=r"PowerShell failed \(no COM here\) - make it by hand"):
        shortcuts.install(autostart=False, system="win32", home=tmp_path)


def test_the_command_writes_and_removes(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}
    done = call("install-shortcut", "--autostart", env=env)
    assert done.returncode == 0 and done.stdout.count("wrote ") == 2
    assert call("install-shortcut", "--remove", env=env).stdout.count("removed ") == 2
    assert call("install-shortcut", "--remove", env=env).stdout == "there was no shortcut\n"
