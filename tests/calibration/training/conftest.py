"""Fixtures of the training tests: photos, and threads that are reset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from live.portrait import portrait_bgr


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    """--threads applies to the whole process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait twice, a picture without a face, and a broken file."""
    folder = tmp_path_factory.mktemp("photos")
    cv2.imwrite(str(folder / "a.png"), portrait_bgr())
    cv2.imwrite(str(folder / "b.png"), portrait_bgr()[:, ::-1])
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 200, 3), 120, np.uint8))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "TERMS.txt").write_text("Public domain (NASA).\n")
    return folder
