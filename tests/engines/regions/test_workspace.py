"""Reuse of scratch arrays."""

from __future__ import annotations

import numpy as np

from engines.regions.workspace import Workspace


def test_memory_is_reused_for_smaller_arrays_of_any_type() -> None:
    workspace = Workspace()
    first = workspace.array("box", (40, 30, 3))
    first[:] = 7
    again = workspace.array("box", (10, 9), np.float32)
    assert again.shape == (10, 9) and again.dtype == np.float32 and again.flags.c_contiguous
    assert np.shares_memory(first, again)


def test_names_share_no_memory_and_growing_keeps_old_arrays() -> None:
    workspace = Workspace()
    small, other = workspace.array("a", (4, 4)), workspace.array("b", (4, 4))
    small[:], other[:] = 1, 2
    large = workspace.array("a", (400, 400))
    large[:] = 3
    assert (small == 1).all() and (other == 2).all()
