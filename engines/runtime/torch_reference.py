"""PyTorch FP32 on the CPU: slow, and the reference that every other runtime is held against."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.runtime.base import EngineInfo
from engines.runtime.door import Door
from engines.styles import Style


class TorchEngine:
    """See `Engine`."""

    def __init__(self, style: Style, *, why: str) -> None:
        self._net = Door(style.load_generator()).eval()
        self.info = EngineInfo(style.name, "torch", "fp32", "CPU", why)

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        try:
            with torch.inference_mode():
                out: NDArray[np.float32] = self._net(torch.from_numpy(regions_bgr)).numpy()
        except RuntimeError as error:
            raise EngineError(f"style {self.info.style}", f"PyTorch failed: {error}") from error
        return out

    def close(self) -> None:
        """Nothing to let go of."""
