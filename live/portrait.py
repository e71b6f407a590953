"""The built-in face: NASA's public-domain portrait of Eileen Collins, from scikit-image's wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from engines.errors import SourceError
from live.pipeline.frame import ImageU8
from live.sources.still_picture import read_picture


def portrait_bgr() -> ImageU8:
    """The portrait, (512, 512, 3) BGR uint8, an array of the caller's own.

    The file is read where scikit-image keeps it: importing its data package takes 0.3 s longer.

    Raises:
        SourceError: the picture is not there.
    """
    package = importlib.util.find_spec("skimage")
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder, "data", "astronaut.png")
        if path.is_file():
            return read_picture(path)
    raise SourceError("the built-in portrait", "it is not where scikit-image keeps it", "reinstall scikit-image")
