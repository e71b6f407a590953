"""One thread for all tests of the kit."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def same_threads(one_thread: None) -> None:
    """Equal bytes are promised for equal numbers of threads."""
