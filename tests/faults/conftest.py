"""What the faults' tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from support.head_parts import portrait_face


@pytest.fixture
def own_rubbish() -> Iterator[None]:
    """Looking for what a run left open, the collector goes through what came since, not through the libraries too.

    They are some 100,000 objects, and going through them twice a run took three quarters of the time of all runs.
    """
    portrait_face()  # loads them
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
