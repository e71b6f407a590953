"""Keeps Python's garbage collector from stopping the picture.

Its full rounds look through everything there is, the libraries' 100,000 objects too, and stop all threads for 50 ms
meanwhile: a frame and a half at 30 a second. So what is there when the first frame is made is left out of them.
"""

from __future__ import annotations

import gc

_FEW = 1000  # objects that the collector itself leaves out


class GcFreeze:
    """What is loaded now, left out of the collector's rounds until the end; nothing where somebody did so before."""

    def __init__(self) -> None:
        self._ours = gc.get_freeze_count() < _FEW
        if self._ours:
            gc.freeze()

    def end(self) -> None:
        """The rounds are as before."""
        if self._ours:
            gc.unfreeze()
