"""Teachers: slow, careful ways to make the picture that a generator learns to make fast.

A teacher is a function from an aligned region (`engines.training.data.aligned.AlignedRegion`, 512 pixels square) to the
finished picture, (512, 512, 3) RGB uint8. The same region gives the same picture.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError
from engines.training.data.aligned import AlignedRegion

Teacher = Callable[[AlignedRegion], NDArray[np.uint8]]
TEACHERS = ("toon", "sketch", "retouch")  # each a module here, with a function of the same name


def load_teacher(name: str) -> Teacher:
    """The teacher of that name.

    Raises:
        OptionsError: there is none.
    """
    if name not in TEACHERS:
        near = difflib.get_close_matches(name, TEACHERS, n=1, cutoff=0.4)
        do = f"did you mean {near[0]}?" if near else f"there are: {', '.join(TEACHERS)}"
        raise OptionsError(f"teacher {name!r}", "there is no such teacher", do)
    teacher: Teacher = getattr(importlib.import_module(f"engines.training.teachers.{name}"), name)
    return teacher
