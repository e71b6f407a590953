"""Fixtures for the fault tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from support.head_parts import portrait_face


@pytest.fixture
def exclude_library_objects() -> Iterator[None]:
    """Exclude the libraries' 100,000 objects from the garbage collections that look for what a run left open.

    With them, two collections per run took three quarters of the tests' time.
    """
    portrait_face()  # loads the libraries
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
