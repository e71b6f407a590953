"""INT8 quantisation of a style on the calibration set, with verdict and storage in the engine cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from calibration.engine_checks.engine_accuracy import Reference
from calibration.engine_checks.tolerances import INT8_TOLERANCES, EngineVerdict
from engines.cache import cache_entry, engine_cache
from engines.cache.cache_entry import record_verdict
from engines.errors import EngineError
from engines.runtime.base import NotUsableError
from engines.runtime.openvino.converted_graph import load_graph, openvino_core, save_graph
from engines.runtime.openvino.cpu_engine import OpenVinoEngine
from engines.runtime.openvino.int8_graph import (
    INSTALL,
    RECIPES,
    Recipe,
    int8_key,
    nncf_installed,
    quantize_graph,
    shipped_int8_key,
)
from engines.styles import Style
from engines.text import first_line


class Int8LoadError(EngineError):
    """OpenVINO cannot load the INT8 graph that was built; building it again gives the same graph."""


def build_int8(
    style: Style,
    reference: Reference,
    *,
    say: Callable[[str], None] = lambda line: None,
    recipes: Sequence[Recipe] = RECIPES,
) -> EngineVerdict:
    """Build the INT8 engine of a style if it is not in the cache, check it, and record the verdict.

    The engine of a shipped style comes with the program and is only checked.

    Every second image of the reference gives the quantisation ranges; all are evaluated. The recipes are tried from the
    fastest to the most conservative, until one passes. If none passes, the last engine is kept with its verdict, so
    that it is not built again. Raises NotUsableError if NNCF is missing or cannot quantise the style; EngineError if
    the weights are not usable, or the cache cannot be written; Int8LoadError if OpenVINO cannot read or compile the
    result.
    """
    key = int8_key(style)
    if engine_cache.find_shipped(shipped_int8_key(style)) is not None and engine_cache.find(key) is None:
        return _evaluate(style, key, reference, {"recipe": "shipped"})
    if not nncf_installed():
        raise NotUsableError("NNCF, which builds INT8 engines, is not installed", INSTALL)
    pictures_bgr = [picture.crop_bgr for picture in reference.pictures[::2]]
    if not pictures_bgr:
        raise NotUsableError("the calibration set has no image for this style", "veneer calibrate collect")
    with engine_cache.build_lock(key, say=say):
        if engine_cache.find(key, then=engine_cache.REBUILT) is not None:  # the key covers all inputs of the build
            return _evaluate(style, key, reference, {})
        started_s = time.perf_counter()
        graph = load_graph(style, openvino_core())
        for recipe in recipes:
            say(f"{style.name}: quantising ({recipe.name})")
            try:
                model = quantize_graph(graph, pictures_bgr, recipe)
            except Exception as error:  # the exceptions of NNCF have no common base class
                raise NotUsableError(f"NNCF cannot quantise {style.name}: {first_line(error)}") from error
            previous = engine_cache.find(key)
            if previous is not None:
                engine_cache.discard(previous)
            about = cache_entry.EntryDescription(style.name, "openvino", "int8", "{}x{}".format(*style.size_wh))
            build_s = time.perf_counter() - started_s
            if engine_cache.store(key, partial(save_graph, model), about=about, build_s=build_s) is None:
                raise EngineError(f"INT8 engine of {style.name}", "the cache cannot store it", "free some disk space")
            found = _evaluate(style, key, reference, {"recipe": recipe.name})
            if found.passed:
                break
    return found


def _evaluate(style: Style, key: str, reference: Reference, about: dict[str, str]) -> EngineVerdict:
    """Open the engine from the cache, evaluate it, and record the verdict."""
    try:
        engine = OpenVinoEngine(style, precision="int8")
    except NotUsableError as error:
        raise Int8LoadError(f"INT8 engine of {style.name}", "OpenVINO cannot load the graph from NNCF") from error
    try:
        found = reference.evaluate(engine, INT8_TOLERANCES)
    finally:
        engine.close()
    record_verdict(key, passed=found.passed, because=found.reason, scores={**found.as_dict(), **about})
    return found
