"""Acceptance test of a newly built engine: its output on the built-in face must match that of the engine in use."""

from __future__ import annotations

import contextlib

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.build.build_orders import BuildOrder
from engines.build.build_process import BuildError
from engines.cache.cache_entry import record_verdict, verdict
from engines.errors import VeneerError
from engines.runtime.base import Engine
from engines.runtime.openers import open_openvino
from engines.runtime.selector import open_engine
from engines.styles import Style
from engines.text import first_line
from live.portrait import portrait_bgr

# Calibration accepts an engine that differs from the reference by 34 dB (5.1 of 255, root mean square), or by 40 dB
# (2.6) in half precision. Two accepted engines differ by the sum at most.
_MAX_DIFFERENCE = 255 * (10 ** (-34 / 20) + 10 ** (-40 / 20))
_MOUTH_XY, _FACE_XY = (225, 147), (225, 118)  # centres in the portrait
_MOUTH_PX, _FACE_PX = 70, 230  # widths
_SHIFTS_PX = (0, 8, -10)


def acceptance_regions(style: Style) -> NDArray[np.uint8]:
    """Return crops of the built-in portrait, (4, H, W, 3) uint8 BGR at the style's size: one is mirrored and dark.

    For a generator that sees its last picture they are (4, 2H, W, 3), with the crop in its place.
    """
    portrait = portrait_bgr()
    (x, y), region_px = (_MOUTH_XY, _MOUTH_PX) if style.region == "lips" else (_FACE_XY, _FACE_PX)
    width, height = style.size_wh
    scale = width / region_px
    crops_bgr = []
    for shift in _SHIFTS_PX:
        left, top = 0.5 * width - scale * (x + shift), 0.5 * height - scale * (y + shift)
        matrix = np.array([[scale, 0, left], [0, scale, top]])
        crops_bgr.append(cv2.warpAffine(portrait, matrix, style.size_wh, borderMode=cv2.BORDER_REPLICATE))
    crops_bgr.append((crops_bgr[0][:, ::-1] * 0.5).astype(np.uint8))
    inputs_bgr = [
        style.engine_input(np.asarray(crop, np.uint8), last_bgr=np.asarray(crop, np.uint8)) for crop in crops_bgr
    ]
    return np.ascontiguousarray(np.stack(inputs_bgr), np.uint8)


def acceptance_outputs(engine: Engine, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run the engine on the first region alone and on all four; this also warms it up. Raises EngineError.

    Returns:
        (5, H, W, 3) float32 BGR in steps of 1/255.
    """
    single = engine.infer(regions_bgr[:1]).copy()  # the engine reuses its output array
    return np.concatenate((single, engine.infer(regions_bgr)))


def find_defect(outputs: NDArray[np.float32], reference: NDArray[np.float16]) -> str:
    """Compare the `acceptance_outputs` of two engines, (5, H, W, 3) BGR in steps of 1/255.

    Returns:
        What is wrong with `outputs`; "" if nothing is.
    """
    if not np.isfinite(outputs).all():
        return "it gives NaN or infinity"
    difference = float(np.sqrt(np.square(outputs - reference).mean(axis=(1, 2, 3))).max())
    if difference > _MAX_DIFFERENCE:
        return f"it differs by {difference:.1f} of 255 from the engine in use, at most {_MAX_DIFFERENCE:.1f} is allowed"
    return ""


def defect_of_shipped(engine: Engine, outputs: NDArray[np.float32], style: Style) -> str:
    """Compare a shipped INT8 engine without a verdict with FP32 on the built-in face, and record the verdict.

    Args:
        outputs: Its `acceptance_outputs`.

    Returns:
        What is wrong with it; "" if nothing is, or if it is another engine.
    """
    info = engine.info
    if info.precision != "int8" or verdict(info.key) != "uncalibrated":
        return ""
    reference = open_openvino(style, precision="fp32")
    try:
        expected = acceptance_outputs(reference, acceptance_regions(style))
    finally:
        reference.close()
    defect = find_defect(outputs, expected.astype(np.float16))
    with contextlib.suppress(VeneerError):
        record_verdict(info.key, passed=not defect, because=f"on the built-in face {defect}" if defect else "")
    return defect


def open_accepted(style: Style, order: BuildOrder, *, reference: NDArray[np.float16]) -> Engine:
    """Open the engine that was built, and test it.

    A rejected engine is recorded as failed in the engine cache, so that later runs do not use it either.

    Args:
        style: The style, at the size that was built.
        order: What was built.
        reference: `acceptance_outputs` of the engine in use, (5, H, W, 3) BGR in steps of 1/255.

    Raises:
        BuildError: The engine cannot be opened, is not the one that was built, or fails the test.
    """
    try:
        engine = open_engine(style, runtime=order.runtime, build=False, convert=False)
    except Exception as error:
        reason = error.got if isinstance(error, VeneerError) else f"it fails ({first_line(error)})"
        raise BuildError(reason) from error
    info = engine.info
    calibration = verdict(info.key)
    if not order.matches(info):
        defect = f"it gives {info.runtime} {info.precision} ({info.why})"
    elif calibration.startswith("failed"):
        defect = f"calibration {calibration}"
    else:
        try:
            defect = find_defect(acceptance_outputs(engine, acceptance_regions(style)), reference)
        except Exception as error:
            defect = f"it fails ({first_line(error)})"
        if defect and info.key:
            with contextlib.suppress(VeneerError):
                record_verdict(info.key, passed=False, because=f"on the built-in face {defect}")
    if defect:
        engine.close()
        raise BuildError(defect)
    return engine
