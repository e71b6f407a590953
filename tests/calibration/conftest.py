"""Fixture: the built-in calibration set, created once per session and linked into each test's home."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.sets.set_builder import built_in
from engines.cache import calibration_set


@pytest.fixture(scope="session")
def made_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENEER_HOME", str(home))
        return built_in()


@pytest.fixture
def built_in_set(made_set: Path, veneer_home: Path) -> Path:
    folder = calibration_set.built_in_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(made_set, target_is_directory=True)
    return folder
