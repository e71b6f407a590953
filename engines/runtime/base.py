"""The interface of all engines. An engine is a generator made ready to run on this machine, in one precision."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError

MAX_FACES = 4  # regions in one call

Regions = NDArray[np.uint8]  # (N, H, W, 3) BGR, 0..255


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine runs on.

    Attributes:
        runtime: "tensorrt", "torch", "openvino", "openvino-gpu" or "openvino-npu".
        precision: "int8", "fp16", "bf16" or "fp32".
        device: Name of the processor or GPU; "CPU" for PyTorch on the processor.
        why: Why this precision is used, and why better runtimes are not; parts are separated by "; ".
        key: Cache key, under which calibration's verdict is stored; empty for the reference.
        verdict: "passed", "failed: REASON" or "uncalibrated"; empty for the reference.
    """

    style: str
    runtime: str
    precision: str
    device: str
    why: str
    key: str = ""
    verdict: str = ""

    @property
    def name(self) -> str:
        """Runtime and precision, as in "openvino bf16"."""
        return f"{self.runtime} {self.precision}"

    def with_why(self, *reasons: str, **changes: str) -> EngineInfo:
        """Return the info with these reasons, without the empty ones, as `why`, and with other changes."""
        return replace(self, why="; ".join(filter(None, reasons)), **changes)


class NotUsableError(Exception):
    """A runtime is not usable on this machine, or not for this style; another one may be. `do` is the remedy or ""."""

    def __init__(self, reason: str, do: str = "") -> None:
        self.reason, self.do = reason, do
        super().__init__(f"{reason} ({do})" if do else reason)


class RegionsError(EngineError):
    """The input of an engine has a wrong shape, type or value. The engine itself is still usable."""


class NonFiniteError(EngineError):
    """The output of an engine contains NaN or infinity. A wider precision may avoid it."""


class Engine(Protocol):
    """A network that takes and returns BGR regions; the conversion to RGB 0..1 and back is inside.

    Not thread-safe: one caller at a time. No array of a region's size is allocated per call, except by the layers of
    PyTorch's eager reference.
    """

    info: EngineInfo

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """Run the generator.

        Args:
            regions_bgr: (N, H, W, 3) uint8 BGR, 0..255, N from 1 to `MAX_FACES`.

        Returns:
            (N, H, W, 3) float32 BGR in steps of 1/255: the change or the finished picture, depending on the style.
            The next call may overwrite it.

        Raises:
            RegionsError: The input is invalid.
            NonFiniteError: The output contains NaN or infinity, if the runtime checks it.
            EngineError: The runtime failed, or the engine is closed.
        """
        ...

    def close(self) -> None:
        """Release all resources; idempotent."""
        ...


def check_regions(regions_bgr: object, style: str, size_wh: tuple[int, int] | None) -> None:
    """Check the input of `Engine.infer`; without `size_wh`, any size. Raises RegionsError if it is invalid."""
    if isinstance(regions_bgr, np.ndarray):
        shape = regions_bgr.shape
        shape_fits = len(shape) == 4 and shape[3] == 3 and 1 <= shape[0] <= MAX_FACES and 0 not in shape
        if shape_fits and regions_bgr.dtype == np.uint8 and size_wh in (None, (shape[2], shape[1])):
            return
        got = f"shape {shape}, {regions_bgr.dtype}"
    else:
        got = type(regions_bgr).__name__
    width, height = size_wh or ("W", "H")
    do = f"give it 1 to {MAX_FACES} BGR regions, (N, {height}, {width}, 3), as uint8"
    raise RegionsError(f"style {style}", f"its engine was given {got}", do)


CORES_VARIABLE = "VENEER_CORES"


_before: list[frozenset[int]] = []  # the cores that this process could use before `keep_to_cores`


def usable_cores() -> int:
    """Return the number of processor cores that this process may use (affinity masks and containers limit it)."""
    return len(_usable()) or os.cpu_count() or 1


def keep_to_cores(part: int, parts: int) -> None:
    """Restrict the calling thread, and those that it will start, to one of so many parts of the cores.

    The threads of a worker process then do not wait for each other's memory and locks from one core to another. Does
    nothing if there are fewer cores than parts, or the system has no such call.
    """
    usable = sorted(_usable())
    if part < parts <= len(usable):
        _before[:] = [frozenset(usable)]
        os.sched_setaffinity(0, usable[part * len(usable) // parts : (part + 1) * len(usable) // parts])


def _usable() -> frozenset[int]:
    if _before:
        return _before[0]
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def shared_cores() -> int:
    """Return the number of cores for this process: those it may use, or its share if it is one of several jobs."""
    share = os.environ.get(CORES_VARIABLE, "")
    return min(int(share), usable_cores()) if share.isdigit() and int(share) else usable_cores()


def library_version(distribution: str) -> str:
    """Return the version of an installed distribution; empty if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
