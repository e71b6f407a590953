"""Prevents pauses by Python's garbage collector.

A full collection traverses about 100,000 objects of the libraries and stops all threads for 50 ms, one and a half
frames at 30 frames per second. Objects that exist when the first frame is rendered are therefore excluded from it.
"""

from __future__ import annotations

import gc

_MAX_OWN_FROZEN = 1000  # objects that the interpreter itself may have frozen


class GcFreeze:
    """Excludes all existing objects from collections until `end`; does nothing if that was already done."""

    def __init__(self) -> None:
        self._is_owner = gc.get_freeze_count() < _MAX_OWN_FROZEN
        if self._is_owner:
            gc.freeze()

    def end(self) -> None:
        """Include the objects again."""
        if self._is_owner:
            gc.unfreeze()
