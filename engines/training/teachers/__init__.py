"""Teachers: slow functions that draw the picture which a generator learns to draw fast.

A teacher maps an aligned region (`engines.training.data.aligned.AlignedRegion`, usually 512 pixels square) to the
finished picture, (S, S, 3) RGB uint8. A teacher of `PLANE_TEACHERS` returns the planes of a drawing instead, as two
pictures one below the other, (2 S, S, 3). It is deterministic.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from engines.errors import OptionsError
from engines.text import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engines.training.data.aligned import AlignedRegion

    Teacher = Callable[[AlignedRegion], NDArray[np.uint8]]

TEACHERS = ("cel", "sketch", "retouch")  # each a module here, with a function of the same name
PLANE_TEACHERS = ("cel",)  # for networks that return planes
PLANES_GENERATOR = "plane_net"


def load_teacher(name: str) -> Teacher:
    """Return the teacher of that name. Raises OptionsError if there is none."""
    if name not in TEACHERS:
        do = did_you_mean(name, TEACHERS, otherwise=f"use {', '.join(TEACHERS)}")
        raise OptionsError(f"teacher {name!r}", "there is no such teacher", do)
    teacher: Teacher = getattr(importlib.import_module(f"engines.training.teachers.{name}"), name)
    return teacher
