"""One thread for all tests of the training."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def same_threads(one_thread: None) -> None:
    """Equal weights are promised for equal numbers of threads."""
