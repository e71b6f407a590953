"""A picture of the built-in face before and after a style."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.looks import Layer, Look
from engines.runtime.call_times import time_repeatedly
from engines.styles import Style
from live.picture_files.picture_writer import write_picture
from live.portrait import portrait_bgr
from live.render.look_loader import LookLoader
from live.render.look_tile import find_faces
from live.render.painter import Painter
from live.tracking.person_segmenter import PersonSegmenter
from live.upgrades.engine_acceptance import acceptance_regions

_TIMED_S = 0.3
_EVEN = 1.0  # standard deviation, in steps of 1/255, below which a picture has no structure


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a trial on the built-in face.

    Attributes:
        engine: Runtime and precision, as in "openvino bf16".
        median_ms: Time of one call.
        is_even: Whether the style draws one even area, so that its range or colours are probably wrong.
    """

    engine: str
    median_ms: float
    is_even: bool


def write_before_after(path: Path, style: Style) -> Trial:
    """Paint a style on the built-in face, and write the face before and after side by side.

    Raises:
        EngineError: The style cannot run.
        SinkError: The picture cannot be written.
    """
    before_bgr = portrait_bgr()
    after_bgr = before_bgr.copy()
    look = Look(style.name, "", (Layer(style, 1.0),))
    loader = LookLoader({look.name: look}, runtime="auto", say=lambda line: None)
    try:
        loaded = loader.load(look.name)
        engine = loaded.layers[0].engine
        assert engine is not None
        regions_bgr = acceptance_regions(style)[:1]
        is_even = float(engine.infer(regions_bgr).std((1, 2)).max()) < _EVEN
        with PersonSegmenter(still=True) as segmenter:
            person = segmenter.mask(before_bgr)
        Painter().paint(after_bgr, find_faces(before_bgr), loaded, 1.0, at_s=0.0, person=person)
        median_ms = float(np.median(time_repeatedly(lambda: engine.infer(regions_bgr), _TIMED_S, least=3)))
        trial = Trial(engine.info.name, median_ms, is_even)
    finally:
        loader.close()
    write_picture(path, np.ascontiguousarray(np.hstack([before_bgr, after_bgr])))
    return trial
