"""The built-in face: NASA's public-domain portrait of Eileen Collins, from scikit-image's wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from engines.errors import SourceError
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import ImageU8


def portrait_bgr() -> ImageU8:
    """Return the portrait as a new array, (512, 512, 3) uint8 BGR.

    The file is read from scikit-image's folder, because importing its data package takes 0.3 s.

    Raises:
        SourceError: The file does not exist.
    """
    package = importlib.util.find_spec("skimage")
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder, "data", "astronaut.png")
        if path.is_file():
            return read_picture(path)
    raise SourceError("the built-in portrait", "not found in scikit-image's folder", "reinstall scikit-image")
