"""What every engine promises: a generator made ready to run on this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a generator really runs on, and why not on something better."""

    style: str
    runtime: str
    precision: str
    device: str
    why: str

    def as_dict(self) -> dict[str, str]:
        """For the report and the doctor."""
        return asdict(self)


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
