"""A TensorRT plan, loaded to run on PyTorch's stream and in PyTorch's memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_TYPES = {"HALF": torch.float16, "FLOAT": torch.float32, "UINT8": torch.uint8}


class LoadedPlan:
    """A plan ready to run: takes (N, 3, H, W) RGB, 0..1, on the GPU and returns the same in a reused buffer.

    The plan of an imported graph has the graph's own axes, colours and ranges.

    Attributes:
        dtype: Of the input.

    Raises RuntimeError if TensorRT, the module `trt`, rejects the plan, or the GPU's memory is full.
    """

    def __init__(self, trt: Any, plan: bytes) -> None:
        logger = trt.Logger(trt.Logger.ERROR)
        self._runtime = trt.Runtime(logger)  # must outlive the engine
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise RuntimeError("TensorRT rejects this plan")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise RuntimeError("the GPU has no memory for the TensorRT engine")
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        inputs = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        outputs = [name for name in names if name not in inputs]
        if len(inputs) != 1 or len(outputs) != 1:
            raise RuntimeError(f"the plan has {len(inputs)} inputs and {len(outputs)} outputs instead of one")
        self._input = inputs[0]
        kinds = [self._engine.get_tensor_dtype(name).name for name in (inputs[0], outputs[0])]
        if not set(kinds) <= set(_TYPES):
            raise RuntimeError(f"the plan takes {kinds[0]} and returns {kinds[1]}")
        self.dtype, out_dtype = (_TYPES[kind] for kind in kinds)
        shape = tuple(self._engine.get_tensor_shape(outputs[0]))
        self._out = torch.empty(shape, dtype=out_dtype, device="cuda")
        self._context.set_tensor_address(outputs[0], self._out.data_ptr())

    def __call__(self, picture: Tensor) -> Tensor:
        """Enqueue the network on the current stream; the picture is contiguous and has `dtype`."""
        self._context.set_tensor_address(self._input, picture.data_ptr())
        if not self._context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise RuntimeError("TensorRT could not run the engine")
        return self._out
