"""Fixtures that many tests share: the data folder, the portrait, and a home of its own for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from support.root import ROOT

if TYPE_CHECKING:
    from support.upgrade_parts import Show


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


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that `slow_builder` locks while it lives; processes started from here find that builder."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "support"))
    return tmp_path / "alive"


@pytest.fixture
def shows() -> Iterator[list[Show]]:
    """Whatever a test shows is ended with it."""
    running: list[Show] = []
    yield running
    for show in running:
        show.end()


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A file in place of a device's node, for programs to open."""
    path = tmp_path / "video10"
    path.write_bytes(b"frame")
    return path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch on one: threads that wait for each other take minutes where others want the processor too."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
