"""A network on the GPU with fixed buffers, recorded as a CUDA graph together with copies and colour conversion.

Replaying costs one launch in place of one per layer, and allocates nothing. On the CPU, for tests, the same steps run
without a recording.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.runtime.base import MAX_FACES, Regions

_WARM_UP_RUNS = 3  # before recording: libraries choose kernels and allocate workspace


def bgr_to_planes(regions_bgr: Tensor, dtype: torch.dtype, memory_format: torch.memory_format) -> Tensor:
    """Convert (N, H, W, 3) uint8 BGR, 0..255, to (N, 3, H, W) RGB, 0..1, in `dtype`."""
    planes_rgb = regions_bgr.permute(0, 3, 1, 2).flip(1)
    return (planes_rgb.to(dtype) / 255).contiguous(memory_format=memory_format)


def planes_to_bgr(planes_rgb: Tensor) -> Tensor:
    """Convert (N, 3, H, W) RGB, 0..1, to (N, H, W, 3) float32 BGR in steps of 1/255.

    Planes of a drawing, (N, 12, h, w), keep their order.
    """
    levels = planes_rgb.float() * 255
    return levels.flip(1).permute(0, 2, 3, 1).contiguous() if levels.shape[1] == 3 else levels.contiguous()


class StaticRun:
    """A network for a fixed number of regions.

    Args:
        call: Takes (N, 3, H, W) RGB, 0..1, on the device and returns a picture or planes; must not synchronise.
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
        self._call, self._dtype, self._format = call, dtype, memory_format
        on_gpu, shape = device != "cpu", (count, size_wh[1], size_wh[0], 3)
        self._in_pinned = torch.zeros(shape, dtype=torch.uint8, pin_memory=on_gpu)
        self._in_device = torch.zeros(shape, dtype=torch.uint8, device=device)
        with torch.inference_mode():
            out_shape = self._output().shape
        self._out_pinned = torch.zeros(out_shape, dtype=torch.float32, pin_memory=on_gpu)
        self._finite_pinned = torch.zeros(1, dtype=torch.bool, pin_memory=on_gpu)
        # Arrays that share the memory of the pinned tensors.
        self._in_bgr: NDArray[np.uint8] = self._in_pinned.numpy()
        self._out_bgr: NDArray[np.float32] = self._out_pinned.numpy()
        self._recorded = self._record() if on_gpu else None

    def run(self, regions_bgr: Regions) -> tuple[NDArray[np.float32], bool]:
        """Run the network on up to `count` regions, (N, H, W, 3) uint8 BGR.

        Returns:
            (N, H, W, C) float32 in steps of 1/255, overwritten by the next call, and whether all values are finite.
        """
        count = len(regions_bgr)
        np.copyto(self._in_bgr[:count], regions_bgr)
        if self._recorded is None:
            with torch.inference_mode():
                self._step()
        else:
            graph, stream = self._recorded
            with torch.cuda.stream(stream):
                graph.replay()
            stream.synchronize()
        return self._out_bgr[:count], bool(self._finite_pinned[0])

    def _step(self) -> None:
        self._in_device.copy_(self._in_pinned, non_blocking=True)
        out_bgr = self._output()
        self._out_pinned.copy_(out_bgr, non_blocking=True)
        self._finite_pinned.copy_(torch.isfinite(out_bgr).all().reshape(1), non_blocking=True)

    def _output(self) -> Tensor:
        return planes_to_bgr(self._call(bgr_to_planes(self._in_device, self._dtype, self._format)))

    def _record(self) -> tuple[torch.cuda.CUDAGraph, torch.cuda.Stream]:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        # During the warm-up cuDNN times its kernels and keeps the fastest. TF32 is off: FP32 must be exact.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP_RUNS):
                    self._step()
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # "thread_local": calls of other threads to the GPU do not invalidate the recording.
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self._step()
            return graph, stream


class Runs:
    """A network for 1 to `MAX_FACES` regions: one recording for a single region, the usual case, one for several."""

    def __init__(self, create: Callable[[int], StaticRun]) -> None:
        self._one, self._several = create(1), create(MAX_FACES)

    def __call__(self, regions_bgr: Regions) -> tuple[NDArray[np.float32], bool]:
        """See `StaticRun.run`."""
        return (self._one if len(regions_bgr) == 1 else self._several).run(regions_bgr)
