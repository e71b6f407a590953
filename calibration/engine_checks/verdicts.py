"""Runs every engine of a style that this machine offers against the reference and records the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from calibration.engine_checks.engine_accuracy import Reference
from calibration.engine_checks.quantize import build_int8
from calibration.engine_checks.tolerances import EngineVerdict, tolerances_for
from calibration.sets.set_pictures import clips, stills
from engines.cache.cache_entry import record_verdict, verdict
from engines.errors import EngineError
from engines.runtime.base import Engine, NotUsableError
from engines.runtime.openers import open_openvino, open_tensorrt, open_torch_cuda
from engines.runtime.openvino.cpu_engine import PRECISIONS
from engines.runtime.selector import reference_engine
from engines.styles import Style
from engines.text import first_line

MAX_PICTURES_PER_CASE = 12  # more images change no verdict, and CIEDE2000 is slow


@dataclass(frozen=True, slots=True)
class Backend:
    """A combination of runtime, as in `open_engine`, and precision ("int8", "fp16", "bf16" or "fp32").

    `open` is one of `engines.runtime.openers`; with `threaded` it takes the number of CPU threads as `threads`.
    """

    runtime: str
    precision: str
    open: Callable[..., Engine]
    threaded: bool = False

    @property
    def name(self) -> str:
        """Name in tables, such as "openvino bf16"."""
        return f"{self.runtime} {self.precision}"


@dataclass(frozen=True, slots=True)
class EngineCheck:
    """Result for one backend of a style; without a verdict, `unavailable` says why it cannot be used here."""

    style: Style
    backend: Backend
    verdict: EngineVerdict | None
    unavailable: str = ""

    @property
    def rejection(self) -> str:
        """Why the engine must not be used; empty if it passed."""
        if self.verdict is None:
            return self.unavailable
        return f"calibration failed: {self.verdict.reason}" if self.verdict.reason else ""

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON output."""
        found: dict[str, Any] = {"style": self.style.name, "size": "{}x{}".format(*self.style.size_wh)}
        found |= {"runtime": self.backend.runtime, "precision": self.backend.precision}
        if self.verdict is None:
            return {**found, "unavailable": self.unavailable}
        return {**found, "passed": self.verdict.passed, "reason": self.verdict.reason, **self.verdict.as_dict()}


def backends(style: Style) -> list[Backend]:
    """Return every backend of a style except the reference, whether or not this machine has it."""
    on_gpu = [Backend("torch", name, partial(open_torch_cuda, style, name)) for name in ("fp16", "fp32")]
    on_cpu = [
        Backend("openvino", name, partial(open_openvino, style, precision=name), threaded=True) for name in PRECISIONS
    ]
    plans = ("fp16",) if style.graph is None else ("fp16", "fp32")
    return [*(Backend("tensorrt", name, partial(open_tensorrt, style, name)) for name in plans), *on_gpu, *on_cpu]


def load_reference(style: Style) -> Reference:
    """Compute the reference outputs on the calibration sets that exist.

    Raises EngineError if the weights are not usable, or neither PyTorch nor OpenVINO can run the style.
    """
    engine = reference_engine(style)
    try:
        return Reference(style, engine, stills(style, most=MAX_PICTURES_PER_CASE), clips(style))
    finally:
        engine.close()


def check_engines(
    style: Style,
    reference: Callable[[], Reference],
    *,
    recheck: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[EngineCheck]:
    """Check the engines of a style one after the other, and record each verdict under the engine's cache key.

    `reference` is called only if an engine must be checked. Without `recheck`, engines that have a verdict are returned
    without scores. Raises EngineError if the weights are not usable, or a verdict cannot be written.
    """
    for backend in backends(style):
        try:
            known = None if recheck else _recorded_verdict(backend)
            if known is None:
                say(f"{style.name} {backend.name}")
                known = _check(style, backend, reference(), say)
            yield EngineCheck(style, backend, known)
        except NotUsableError as error:
            yield EngineCheck(style, backend, None, str(error))
        except (ImportError, OSError, RuntimeError) as error:
            yield EngineCheck(style, backend, None, first_line(error))


def _recorded_verdict(backend: Backend) -> EngineVerdict | None:
    """Return the recorded verdict without scores; None if not built or not checked. Errors as in `open`."""
    try:
        engine = backend.open()
    except NotUsableError:
        if backend.precision == "int8":  # it may only be missing, and can be built
            return None
        raise
    recorded = verdict(engine.info.key)
    engine.close()
    if recorded == "uncalibrated":
        return None
    return EngineVerdict({}, None, "" if recorded == "passed" else recorded.removeprefix("failed: "))


def _check(style: Style, backend: Backend, reference: Reference, say: Callable[[str], None]) -> EngineVerdict:
    if backend.precision == "int8":
        return build_int8(style, reference, say=say)
    engine = backend.open()
    try:
        key = engine.info.key
        try:
            found = reference.evaluate(engine, tolerances_for(backend.precision))
        except EngineError as error:
            found = EngineVerdict({}, None, error.got)
        if engine.info.key != key:  # the engine fell back: the scores do not belong to the key
            found = replace(found, reason="it failed and fell back to another runtime")
    finally:
        engine.close()
    record_verdict(key, passed=found.passed, because=found.reason, scores=found.as_dict())
    return found
