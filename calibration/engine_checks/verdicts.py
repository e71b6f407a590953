"""Judges every engine that a style can run on here, and writes the verdicts down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from calibration.engine_checks.engine_accuracy import Reference
from calibration.engine_checks.quantize import make_int8
from calibration.engine_checks.tolerances import Judgement, limits_of
from calibration.sets.set_pictures import clips, stills
from engines.build.styles_in_use import styles_in_use
from engines.cache.cache_entry import record_verdict, verdict
from engines.errors import EngineError
from engines.looks import load_looks
from engines.runtime.base import Engine, NotUsableError
from engines.runtime.torch.reference_engine import TorchEngine
from engines.styles import Style
from engines.text import first_line

MOST_OF_A_CASE = 12  # pictures: more of them change no verdict, and dE2000 takes its time
Opener = Callable[[int | None], Engine]  # by the number of threads


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run a style here.

    Attributes:
        runtime: as `open_engine` takes it.
        precision: "int8", "fp16", "bf16" or "fp32".
        open: raises what the runtime's constructor raises.
        threaded: whether the number of processor threads matters.
    """

    runtime: str
    precision: str
    open: Opener
    threaded: bool = False

    @property
    def name(self) -> str:
        """As tables name it."""
        return f"{self.runtime} {self.precision}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A way and what became of it.

    Attributes:
        judgement: None where it cannot be used here.
        refused: why it cannot.
    """

    style: Style
    way: Way
    judgement: Judgement | None
    refused: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {"style": self.style.name, "size": "{}x{}".format(*self.style.size_wh)}
        found |= {"runtime": self.way.runtime, "precision": self.way.precision}
        if self.judgement is None:
            return {**found, "refused": self.refused}
        verdict = {"passed": self.judgement.passed, "because": self.judgement.because}
        return {**found, **verdict, **self.judgement.as_dict()}


def ways(style: Style) -> list[Way]:
    """All ways to run a style, whether this machine has them or not, but for the reference."""

    def openvino(precision: str, threads: int | None) -> Engine:
        from engines.runtime.openvino.cpu_engine import OpenVinoEngine

        return OpenVinoEngine(style, precision=precision, threads=threads)

    def cuda(precision: str, _threads: int | None) -> Engine:
        from engines.runtime.torch.cuda_device import driver_device

        driver_device()
        from engines.runtime.torch.cuda_engine import TorchCudaEngine

        return TorchCudaEngine(style, precision=precision)

    def tensorrt(_threads: int | None) -> Engine:
        from engines.runtime.tensorrt.distribution import installed_distribution
        from engines.runtime.torch.cuda_device import driver_device

        driver_device()
        installed_distribution()
        from engines.runtime.tensorrt.tensorrt_engine import TensorRtEngine

        return TensorRtEngine(style)

    return [
        Way("tensorrt", "fp16", tensorrt),
        *(Way("torch", precision, partial(cuda, precision)) for precision in ("fp16", "fp32")),
        *(Way("openvino", precision, partial(openvino, precision), True) for precision in ("int8", "bf16", "fp32")),
    ]


def offered(names: Sequence[str] = ()) -> list[Style]:
    """The styles of those names (all if none) at every size that a look offers them in, or else at their own.

    Raises:
        LookError: no such style, or a looks file says something impossible.
    """
    return styles_in_use(names, load_looks().values())


def reference_of(style: Style) -> Reference:
    """FP32 on the calibration sets that are there.

    Raises:
        EngineError: the weights are not usable.
    """
    engine = TorchEngine(style, why="the reference")
    return Reference(style, engine, stills(style, most=MOST_OF_A_CASE), clips(style))


def judge_style(
    style: Style,
    reference: Callable[[], Reference],
    *,
    again: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Judged]:
    """Judge a style's engines one after the other, and write each verdict under the engine's key.

    Args:
        style: at one size.
        reference: makes the style's reference; called where something is to be judged.
        again: also those that have a verdict. Without it they come without scores.
        say: told what happens, a line at a time.

    Raises:
        EngineError: the weights are not usable, or a verdict cannot be written.
    """
    for way in ways(style):
        try:
            known = "" if again else known_verdict(way)
            if known:
                yield Judged(
                    style, way, Judgement({}, None, known.removeprefix("failed: ") if known != "passed" else "")
                )
                continue
            say(f"{style.name} {way.name}")
            yield Judged(style, way, _judged(style, way, reference(), say))
        except NotUsableError as error:
            yield Judged(style, way, None, str(error))
        except (ImportError, OSError, RuntimeError) as error:
            yield Judged(style, way, None, first_line(error))


def known_verdict(way: Way) -> str:
    """ "passed" or "failed: ..." where the engine is there and was judged; else nothing.

    Raises:
        NotUsableError, ImportError, OSError, RuntimeError: it cannot be used here.
    """
    try:
        engine = way.open(None)
    except NotUsableError:
        if way.precision == "int8":  # perhaps it is only not made yet
            return ""
        raise
    said = verdict(engine.info.key)
    engine.close()
    return "" if said == "uncalibrated" else said


def _judged(style: Style, way: Way, reference: Reference, say: Callable[[str], None]) -> Judgement:
    if way.precision == "int8":
        return make_int8(style, reference, say=say)
    engine = way.open(None)
    try:
        key = engine.info.key
        try:
            judgement = reference.judge(engine, limits_of(way.precision))
        except EngineError as error:
            judgement = Judgement({}, None, error.got)
        if engine.info.key != key:  # it fell back while it was judged: what was judged is not what the key names
            judgement = replace(judgement, because="it failed, and another runtime went on")
    finally:
        engine.close()
    record_verdict(key, passed=judgement.passed, because=judgement.because, scores=judgement.as_dict())
    return judgement
