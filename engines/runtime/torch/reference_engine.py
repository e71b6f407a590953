"""PyTorch FP32 on the CPU: slow, and the reference for the accuracy of all other runtimes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.runtime.base import MAX_FACES, EngineInfo, Regions, check_regions
from engines.runtime.io_adapter import IoAdapter
from engines.styles import Style
from engines.text import first_line


class TorchEngine:
    """See `Engine`. Takes every size that the generator accepts. Raises EngineError if the weights are not usable."""

    def __init__(self, style: Style, *, why: str) -> None:
        self._net = IoAdapter(style.load_generator()).eval()
        self._out = torch.empty(0)  # reused; PyTorch allocates the result of each layer anyway
        self.info = EngineInfo(style.name, "torch", "fp32", "CPU", why)

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        check_regions(regions_bgr, self.info.style, None)
        try:
            with torch.inference_mode():
                # PyTorch takes no views with negative strides; contiguous arrays are not copied.
                result = self._net(torch.from_numpy(np.ascontiguousarray(regions_bgr)))
                if self._out.shape[1:] != result.shape[1:]:
                    self._out = torch.empty((MAX_FACES, *result.shape[1:]))
                out: NDArray[np.float32] = self._out[: len(result)].copy_(result).numpy()
        except RuntimeError as error:
            raise EngineError(f"style {self.info.style}", f"PyTorch failed: {first_line(error)}") from error
        return out

    def close(self) -> None:
        """See `Engine.close`. There is nothing to release."""
