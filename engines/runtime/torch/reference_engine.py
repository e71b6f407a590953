"""PyTorch FP32 on the CPU: slow, and the reference that every other runtime is held against."""

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
    """See `Engine`. It takes regions of any size that its generator takes.

    The answer lies in one array that is used again; what PyTorch takes for each layer's result it takes for each call.
    """

    def __init__(self, style: Style, *, why: str) -> None:
        self._net = IoAdapter(style.load_generator()).eval()
        self._out = torch.empty(0)
        self.info = EngineInfo(style.name, "torch", "fp32", "CPU", why)

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        check_regions(regions_bgr, self.info.style, None)
        try:
            with torch.inference_mode():
                # A view of which an axis runs backwards is no tensor; one that is whole is not copied.
                made = self._net(torch.from_numpy(np.ascontiguousarray(regions_bgr)))
                if self._out.shape[1:] != made.shape[1:]:
                    self._out = torch.empty((MAX_FACES, *made.shape[1:]))
                out: NDArray[np.float32] = self._out[: len(made)].copy_(made).numpy()
        except RuntimeError as error:
            raise EngineError(f"style {self.info.style}", f"PyTorch failed: {first_line(error)}") from error
        return out

    def close(self) -> None:
        """Nothing to let go of."""
