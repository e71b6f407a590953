"""A TensorRT plan that runs: on PyTorch's stream and PyTorch's memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class LoadedPlan:
    """A plan ready to run: (N, 3, H, W) half RGB on the GPU -> the same, in a buffer that is used again.

    Args:
        trt: the module `tensorrt` or `tensorrt_rtx`.
        plan: the bytes.

    Raises:
        RuntimeError: TensorRT does not take it, or has no room for it.
    """

    def __init__(self, trt: Any, plan: bytes) -> None:
        logger = trt.Logger(trt.Logger.ERROR)
        self._runtime = trt.Runtime(logger)  # must live as long as the engine
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise RuntimeError("TensorRT does not take this plan")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise RuntimeError("TensorRT has no room for the engine on the GPU")
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        given = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        made = [name for name in names if name not in given]
        if len(given) != 1 or len(made) != 1:
            raise RuntimeError(f"the plan has {len(given)} inputs and {len(made)} outputs instead of one")
        self._given, self._made = given[0], made[0]
        shape = tuple(self._engine.get_tensor_shape(self._made))
        self._out = torch.empty(shape, dtype=torch.float16, device="cuda")
        self._context.set_tensor_address(self._made, self._out.data_ptr())

    def __call__(self, planes_rgb: Tensor) -> Tensor:
        """Queue it on the current stream."""
        self._context.set_tensor_address(self._given, planes_rgb.data_ptr())
        if not self._context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise RuntimeError("TensorRT could not run the engine")
        return self._out
