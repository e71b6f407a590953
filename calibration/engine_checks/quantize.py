"""INT8 from the calibration set: a style's graph quantised as far as the limits allow, judged, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from calibration.engine_checks.engine_accuracy import Reference
from calibration.engine_checks.tolerances import INT8_LIMITS, Judgement
from engines.cache import engine_cache
from engines.cache.cache_entry import record_verdict
from engines.errors import EngineError
from engines.runtime.base import NotUsableError
from engines.runtime.openvino.converted_graph import load_graph, openvino_core, save_graph
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.runtime.openvino.int8_graph import INSTALL, RECIPES, Recipe, int8_key, nncf_installed, quantize_graph
from engines.styles import Style
from engines.text import first_line

if TYPE_CHECKING:
    import openvino

Say = Callable[[str], None]


class NotTakenError(EngineError):
    """An INT8 engine was made that cannot be opened; it would come out the same again."""


def make_int8(
    style: Style, reference: Reference, *, say: Say = lambda line: None, recipes: Sequence[Recipe] = RECIPES
) -> Judgement:
    """Quantise a style where that was not done yet, judge it, and keep it in the engine cache with its verdict.

    Where all of it in INT8 is too far off, more cautious recipes follow, until one passes; if none does, the last try
    is kept with its verdict, so that nobody builds it again.

    Args:
        style: at the size of the reference's pictures.
        reference: FP32 on the calibration set. Ranges are taken from every other picture; all of them judge.
        say: told what happens, a line at a time.
        recipes: to be tried, in this order.

    Raises:
        NotUsableError: NNCF is missing, or cannot quantise it.
        EngineError: the weights are not usable, or the cache cannot be written to.
        NotTakenError: OpenVINO cannot read or compile what was made.
    """
    if not nncf_installed():
        raise NotUsableError("NNCF, which makes INT8 engines, is not installed", INSTALL)
    pictures_bgr = [one.crop_bgr for one in reference.pictures[::2]]
    if not pictures_bgr:
        raise NotUsableError("the calibration set shows nothing that this style works on", "veneer calibrate collect")
    key = int8_key(style)
    with engine_cache.build_lock(key, say=say):
        if engine_cache.find(key, then=engine_cache.REBUILT) is not None:  # its name says all that it was made of
            return _judged(style, key, reference, None)
        started_s = time.perf_counter()
        graph = load_graph(style, openvino_core())
        for recipe in recipes:
            say(f"{style.name}: quantising ({recipe.name})")
            try:
                made = quantize_graph(graph, pictures_bgr, recipe)
            except Exception as error:  # NNCF raises exceptions of its own, with no common base
                raise NotUsableError(f"NNCF cannot quantise {style.name}: {first_line(error)}") from error
            _keep(style, key, made, time.perf_counter() - started_s)
            judged = _judged(style, key, reference, recipe)
            if judged.passed:
                break
    return judged


def _keep(style: Style, key: str, made: openvino.Model, build_s: float) -> None:
    """Put it into the cache, in the place of what lay there; it took that long, with the tries before it."""

    def write(folder: Path) -> None:
        save_graph(made, folder)

    entry = engine_cache.find(key)
    if entry is not None:
        engine_cache.discard(entry)
    about = engine_cache.EntryDescription(style.name, "openvino", "int8", "{}x{}".format(*style.size_wh))
    if engine_cache.store(key, write, about=about, build_s=build_s) is None:
        raise EngineError(f"INT8 engine of {style.name}", "it cannot be kept in the cache", "make room there")


def _judged(style: Style, key: str, reference: Reference, recipe: Recipe | None) -> Judgement:
    """Open it as live does, judge it, and write the verdict."""
    try:
        engine = OpenVinoEngine(style, precision="int8")
    except NotUsableError as error:  # it was made or found a moment ago
        raise NotTakenError(f"INT8 engine of {style.name}", "OpenVINO does not take what NNCF made") from error
    try:
        judged = reference.judge(engine, INT8_LIMITS)
    finally:
        engine.close()
    scores = {**judged.as_dict(), **({"recipe": recipe.name} if recipe else {})}
    record_verdict(key, passed=judged.passed, because=judged.because, scores=scores)
    return judged
