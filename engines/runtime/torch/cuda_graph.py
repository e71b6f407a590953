"""A network on the GPU with fixed buffers, recorded as a CUDA graph together with copies and colour conversion.

Replaying costs one launch in place of one per layer, and allocates nothing. On the CPU, for tests, the same steps run
without a recording.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.runtime.base import MAX_FACES, Regions

_WARM_UP_RUNS = 3  # before recording: libraries choose kernels and allocate workspace
_TORCH_DTYPES = {"uint8": torch.uint8, "float32": torch.float32}


def bgr_to_planes(regions_bgr: Tensor, dtype: torch.dtype, memory_format: torch.memory_format) -> Tensor:
    """Convert (N, H, W, 3) uint8 or float32 BGR, 0..255, to (N, 3, H, W) RGB, 0..1, in `dtype`."""
    planes_rgb = regions_bgr.permute(0, 3, 1, 2).flip(1)
    return (planes_rgb.to(dtype) / 255).contiguous(memory_format=memory_format)


def planes_to_bgr(planes_rgb: Tensor) -> Tensor:
    """Convert (N, 3, H, W) RGB, 0..1, to (N, H, W, 3) float32 BGR in steps of 1/255."""
    return (planes_rgb.float() * 255).flip(1).permute(0, 2, 3, 1).contiguous()


class _Input(NamedTuple):
    """Input buffers for one number type."""

    array_bgr: NDArray[Any]  # shares the memory of `pinned`
    pinned: Tensor
    on_device: Tensor


class StaticRun:
    """A network for a fixed number of regions.

    Args:
        call: Takes (N, 3, H, W) RGB, 0..1, on the device and returns the same shape; must not synchronise.
        count: Regions in one call.
        size_wh: Width and height of a region.
        dtype: Input type of `call`.
        memory_format: Input format of `call`.
        device: "cuda"; "cpu" in tests.
    """

    def __init__(
        self,
        call: Callable[[Tensor], Tensor],
        count: int,
        size_wh: tuple[int, int],
        *,
        dtype: torch.dtype,
        memory_format: torch.memory_format = torch.contiguous_format,
        device: str = "cuda",
    ) -> None:
        self._call, self._dtype, self._format, self._device = call, dtype, memory_format, device
        self._on_gpu = device != "cpu"
        self._shape = (count, size_wh[1], size_wh[0], 3)
        self._out_pinned = torch.zeros(self._shape, dtype=torch.float32, pin_memory=self._on_gpu)
        self._finite_pinned = torch.zeros(1, dtype=torch.bool, pin_memory=self._on_gpu)
        self._out_bgr: NDArray[np.float32] = self._out_pinned.numpy()
        self._stream = torch.cuda.Stream() if self._on_gpu else None  # type: ignore[no-untyped-call]
        self._inputs: dict[str, tuple[_Input, torch.cuda.CUDAGraph | None]] = {}
        self._input("uint8")  # the type of frames

    def run(self, regions_bgr: Regions) -> tuple[NDArray[np.float32], bool]:
        """Return the output for up to `count` regions, which the next call overwrites, and whether all is finite.

        Raises:
            RuntimeError: The GPU failed.
        """
        count = len(regions_bgr)
        buffers, graph = self._input(regions_bgr.dtype.name)
        np.copyto(buffers.array_bgr[:count], regions_bgr)
        if graph is None or self._stream is None:
            with torch.inference_mode():
                self._step(buffers)
        else:
            with torch.cuda.stream(self._stream):
                graph.replay()
            self._stream.synchronize()
        return self._out_bgr[:count], bool(self._finite_pinned[0])

    def _input(self, dtype: str) -> tuple[_Input, torch.cuda.CUDAGraph | None]:
        """Return buffers and recording for a number type, created by the first call that needs them."""
        if dtype not in self._inputs:
            pinned = torch.zeros(self._shape, dtype=_TORCH_DTYPES[dtype], pin_memory=self._on_gpu)
            on_device = torch.zeros(self._shape, dtype=_TORCH_DTYPES[dtype], device=self._device)
            buffers = _Input(pinned.numpy(), pinned, on_device)
            self._inputs[dtype] = buffers, self._record(self._stream, buffers) if self._stream is not None else None
        return self._inputs[dtype]

    def _step(self, buffers: _Input) -> None:
        buffers.on_device.copy_(buffers.pinned, non_blocking=True)
        out_bgr = planes_to_bgr(self._call(bgr_to_planes(buffers.on_device, self._dtype, self._format)))
        self._out_pinned.copy_(out_bgr, non_blocking=True)
        self._finite_pinned.copy_(torch.isfinite(out_bgr).all().reshape(1), non_blocking=True)

    def _record(self, stream: torch.cuda.Stream, buffers: _Input) -> torch.cuda.CUDAGraph:
        # During the warm-up cuDNN times its kernels and keeps the fastest. TF32 is off: FP32 must be exact.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP_RUNS):
                    self._step(buffers)
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # "thread_local": calls of other threads to the GPU do not invalidate the recording.
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self._step(buffers)
            return graph


class Runs:
    """A network for 1 to `MAX_FACES` regions: one recording for a single region, the usual case, one for several."""

    def __init__(self, create: Callable[[int], StaticRun]) -> None:
        self._one, self._several = create(1), create(MAX_FACES)

    def __call__(self, regions_bgr: Regions) -> tuple[NDArray[np.float32], bool]:
        """See `StaticRun.run`."""
        return (self._one if len(regions_bgr) == 1 else self._several).run(regions_bgr)
