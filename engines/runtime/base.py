"""What every engine promises: a generator made ready to run on this machine."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError

MAX_FACES = 4  # in one call

Regions = NDArray[Any]  # (N, H, W, 3) BGR, uint8 or float32 of 0..255
_KINDS = (np.dtype(np.uint8), np.dtype(np.float32))


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a generator really runs on, and why not on something better.

    Attributes:
        key: its name in the engine cache, where calibration's verdict on it lies; empty for the reference.
        verdict: what calibration says: "passed", "failed: because ..." or "uncalibrated"; empty for the reference.
    """

    style: str
    runtime: str
    precision: str
    device: str
    why: str
    key: str = ""
    verdict: str = ""

    def as_dict(self) -> dict[str, str]:
        """For the report and the doctor."""
        return asdict(self)


class NotUsableError(Exception):
    """A runtime cannot be used here, or not for this style; the next best one may be.

    Args:
        reason: in plain words, as part of a sentence ("there is no NVIDIA driver on this machine").
        do: what would change that; may be empty.
    """

    def __init__(self, reason: str, do: str = "") -> None:
        self.reason, self.do = reason, do
        super().__init__(f"{reason} ({do})" if do else reason)


class RegionsError(EngineError):
    """What an engine was given is nothing that it takes: no fault of the engine."""


class NonFiniteError(EngineError):
    """An engine gave NaN or infinity: a wider precision may help, where it does not after any other failure."""


class Engine(Protocol):
    """The door to a network: BGR regions go in, BGR floats come out; RGB 0..1 exists only behind it.

    For one caller at a time. No array as large as a region is made for a frame, but for what PyTorch's eager reference
    takes for its layers.
    """

    info: EngineInfo

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """Run the generator on (N, H, W, 3) BGR crops, N from 1 to 4: uint8, or float32 of the same 0..255.

        Frames come as uint8, and that way is ready from the start; the first call with floats makes theirs ready.

        Returns:
            (N, H, W, 3) float32 BGR in steps of 1/255: the change, or the picture, as the style says. The array may
            be used again by the next call.

        Raises:
            RegionsError: these are no such regions.
            NumbersError: there is NaN or infinity in the answer, where the runtime looks itself.
            EngineError: the runtime failed.
        """
        ...

    def close(self) -> None:
        """Let go; idempotent."""
        ...


def check_regions(regions_bgr: object, style: str, size_wh: tuple[int, int] | None) -> None:
    """The one check at the door of every runtime: see `Engine.infer`.

    Args:
        regions_bgr: what the engine was given.
        style: its name, for the message.
        size_wh: of a region; None where any will do.

    Raises:
        RegionsError: an engine does not take it.
    """
    if isinstance(regions_bgr, np.ndarray):
        shape, dtype = regions_bgr.shape, regions_bgr.dtype
        got = f"shape {shape}, {dtype}"
        fits = len(shape) == 4 and shape[3] == 3 and 1 <= shape[0] <= MAX_FACES and 0 not in shape
        if fits and dtype in _KINDS and size_wh in (None, (shape[2], shape[1])):
            if dtype == np.uint8 or math.isfinite(float(regions_bgr.ravel().sum())):
                return
            got += " with NaN or infinity in it"
    else:
        got = type(regions_bgr).__name__
    width, height = size_wh or ("W", "H")
    do = f"give it 1 to {MAX_FACES} BGR regions, (N, {height}, {width}, 3), as uint8 or as float32 of 0..255"
    raise RegionsError(f"style {style}", f"its engine was given {got}", do)


def usable_cores() -> int:
    """How many processor cores this process may run on, which may be fewer than there are (taskset, containers)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
