"""Working memory that is used again."""

from __future__ import annotations

import numpy as np

from engines.regions.workspace import Workspace


def test_the_same_memory_comes_again_also_for_a_smaller_array_of_another_kind() -> None:
    workspace = Workspace()
    first = workspace.array("box", (40, 30, 3))
    first[:] = 7
    again = workspace.array("box", (10, 9), np.float32)
    assert again.shape == (10, 9) and again.dtype == np.float32 and again.flags.c_contiguous
    assert np.shares_memory(first, again)


def test_names_do_not_share_and_a_larger_array_leaves_the_old_one_whole() -> None:
    workspace = Workspace()
    small, other = workspace.array("a", (4, 4)), workspace.array("b", (4, 4))
    small[:], other[:] = 1, 2
    large = workspace.array("a", (400, 400))
    large[:] = 3
    assert (small == 1).all() and (other == 2).all()
