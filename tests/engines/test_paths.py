"""Folders of settings, cache, data and output."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from engines import paths

ALL = ("config_dir", "cache_dir", "data_dir", "runtime_dir", "pictures_dir", "videos_dir")


def test_veneer_home_moves_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENEER_HOME", str(tmp_path))
    found = [getattr(paths, name)() for name in ALL]
    assert {path.parent for path in found} == {tmp_path}
    assert len(set(found)) == len(ALL)
    assert list(tmp_path.iterdir()) == []  # no folder is created


def test_relative_veneer_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VENEER_HOME", "mine")
    assert paths.config_dir() == tmp_path / "mine" / "config"
    monkeypatch.setenv("VENEER_HOME", "~/mine")
    assert paths.config_dir() == Path.home() / "mine" / "config"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="XDG folders are specific to Linux")
def test_linux_folders_follow_the_xdg_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VENEER_HOME")
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    assert paths.config_dir() == tmp_path / "CONFIG" / "veneer"
    assert paths.data_dir() == tmp_path / "DATA" / "veneer"
    assert paths.pictures_dir().name == paths.videos_dir().name == "veneer"

    session = tmp_path / "session"
    session.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert paths.runtime_dir() == session / "veneer"
    session.chmod(0o755)  # readable by others: not used for sockets
    usual = Path(f"/run/user/{os.getuid()}")
    elsewhere = (tmp_path / "CACHE" / "veneer" / "run", usual / "veneer")
    assert paths.runtime_dir() in elsewhere
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    assert paths.runtime_dir() in elsewhere
    if not usual.exists():
        assert paths.runtime_dir() == elsewhere[0]
