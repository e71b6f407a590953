"""Fixtures that many tests share: the data folder, the portrait, and a home of its own for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Faces, clips and lip pairs that are not part of the repository."""
    folder = Path(os.environ.get("VENEER_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "lips").is_dir():
        pytest.skip(f"no data folder at {folder}: set VENEER_DATA to the folder with lips/, faces/ and clips/")
    return folder


@pytest.fixture(autouse=True)
def veneer_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No test reads or writes the settings, caches or recordings of whoever runs it."""
    home = tmp_path_factory.mktemp("h")
    monkeypatch.setenv("VENEER_HOME", str(home))
    yield home


@pytest.fixture(scope="session")
def portrait_bgr() -> NDArray[np.uint8]:
    """A real face: NASA's portrait from scikit-image, 512x512."""
    from live.portrait import portrait_bgr as load

    picture = load()
    picture.flags.writeable = False
    return picture
