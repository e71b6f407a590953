"""What a better engine is tried on before it may paint: the built-in face, as the engine that paints now painted it."""

from __future__ import annotations

import contextlib

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.build.build_orders import BuildOrder
from engines.build.build_process import BuildError
from engines.cache.cache_entry import record_verdict, verdict
from engines.errors import SourceError, VeneerError
from engines.runtime.base import MAX_FACES, Engine
from engines.runtime.probe import probe_bgr
from engines.runtime.selector import open_engine
from engines.styles import Style
from engines.text import first_line
from live.portrait import portrait_bgr

# Calibration lets an engine pass that is 34 dB (5.1 of 255, root mean square) off the reference, or, in half precision,
# 40 dB (2.6): two that it lets pass are no farther apart than the sum.
_MOST_OFF = 255 * (10 ** (-34 / 20) + 10 ** (-40 / 20))
_MOUTH_XY, _FACE_XY = (225, 147), (225, 118)  # in the portrait
_MOUTH_PX, _FACE_PX = 70, 230  # across
_SHIFTS_PX = (0, 8, -10)


def trial_regions(style: Style) -> NDArray[np.uint8]:
    """Crops of the built-in portrait, (4, H, W, 3) BGR; blocks of colour where it is missing."""
    try:
        whole_bgr = portrait_bgr()
    except SourceError:
        return np.repeat(probe_bgr(style.size_wh), MAX_FACES, axis=0)
    (x, y), across = (_MOUTH_XY, _MOUTH_PX) if style.region == "lips" else (_FACE_XY, _FACE_PX)
    scale = style.size_wh[0] / across
    crops_bgr = []
    for shift in _SHIFTS_PX:
        moved = np.array([[scale, 0, 0.5 * style.size_wh[0] - scale * (x + shift)],
                          [0, scale, 0.5 * style.size_wh[1] - scale * (y + shift)]])  # fmt: skip
        crops_bgr.append(cv2.warpAffine(whole_bgr, moved, style.size_wh, borderMode=cv2.BORDER_REPLICATE))
    crops_bgr.append((crops_bgr[0][:, ::-1] * 0.5).astype(np.uint8))  # the other way round, in the dark
    return np.ascontiguousarray(np.stack(crops_bgr), np.uint8)


def answers(engine: Engine, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What an engine gives for the first region alone and for all of them, (5, H, W, 3); it is warm afterwards.

    Raises:
        EngineError: it failed.
    """
    alone = engine.infer(regions_bgr[:1]).copy()  # its array is used again
    return np.concatenate((alone, engine.infer(regions_bgr)))


def flaw_of(given: NDArray[np.float32], before: NDArray[np.float16]) -> str:
    """Why an engine that gives this may not take the place of one that gave that; empty where it may."""
    if not np.isfinite(given).all():
        return "it gives NaN or infinity"
    off = float(np.sqrt(np.square(given - before).mean(axis=(1, 2, 3))).max())
    if off > _MOST_OFF:
        return f"it is {off:.1f} of 255 off the engine before it, at most {_MOST_OFF:.1f}"
    return ""


def opened(style: Style, order: BuildOrder, *, before: NDArray[np.float16]) -> Engine:
    """The engine that was built, warm.

    One that paints what it should not is noted as such, so that no later start takes it from the cache.

    Args:
        style: at the size that was ordered.
        order: what was built.
        before: the `answers` for `trial_regions` of the engine that paints now.

    Raises:
        BuildError: it cannot be opened, is not what was ordered, or paints what it should not.
    """
    try:
        engine = open_engine(style, runtime=order.runtime, build=False, convert=False)
    except Exception as error:
        why = error.got if isinstance(error, VeneerError) else f"it fails ({first_line(error)})"
        raise BuildError(why) from error
    info = engine.info
    said = verdict(info.key)
    flaw = "" if order.matches(info) else f"it gives {info.runtime} {info.precision} ({info.why})"
    flaw = flaw or (f"calibration {said}" if said.startswith("failed") else "")
    if not flaw:
        try:
            flaw = flaw_of(answers(engine, trial_regions(style)), before)
        except Exception as error:
            flaw = f"it fails ({first_line(error)})"
        _note(info.key, flaw)
    if flaw:
        engine.close()
        raise BuildError(flaw)
    return engine


def _note(key: str, flaw: str) -> None:
    """Where the next start, which finds the engine in the cache, looks for calibration's verdict."""
    if flaw and key:
        with contextlib.suppress(VeneerError):
            record_verdict(key, passed=False, because=f"on the built-in face {flaw}")
