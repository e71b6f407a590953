"""What every engine promises: a generator made ready to run on this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MOST_FACES = 4  # in one call


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


class Engine(Protocol):
    """The door to a network: BGR bytes go in, BGR floats come out; RGB 0..1 exists only behind it."""

    info: EngineInfo

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the generator on (N, H, W, 3) BGR uint8 crops, N from 1 to 4.

        Returns:
            (N, H, W, 3) float32 BGR in steps of 1/255: the change, or the picture, as the style says. The array may
            be used again by the next call.

        Raises:
            EngineError: the runtime failed.
        """
        ...

    def close(self) -> None:
        """Let go; idempotent."""
        ...


def first_line(error: BaseException) -> str:
    """What a library says went wrong, short enough for one line of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
