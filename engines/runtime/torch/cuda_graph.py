"""One call of a network on the GPU with fixed buffers, recorded as a CUDA graph; the door is part of the recording.

One replay costs one launch instead of one for each layer, and nothing is allocated for a frame. On the CPU the same
steps run without a recording: for tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.runtime.base import MAX_FACES, Regions

_WARM_UPS = 3  # before a recording: libraries choose their kernels and take their workspace then
_TENSOR = {"uint8": torch.uint8, "float32": torch.float32}


def bgr_to_planes(regions_bgr: Tensor, dtype: torch.dtype, memory_format: torch.memory_format) -> Tensor:
    """(N, H, W, 3) uint8 or float32 BGR of 0..255 -> (N, 3, H, W) RGB in 0..1."""
    planes_rgb = regions_bgr.permute(0, 3, 1, 2).flip(1)
    return (planes_rgb.to(dtype) / 255).contiguous(memory_format=memory_format)


def planes_to_bgr(planes_rgb: Tensor) -> Tensor:
    """(N, 3, H, W) RGB -> (N, H, W, 3) float32 BGR in steps of 1/255."""
    return (planes_rgb.float() * 255).flip(1).permute(0, 2, 3, 1).contiguous()


class _Entry(NamedTuple):
    """Where regions of one number type come in."""

    in_bgr: NDArray[Any]  # the memory of `pinned`
    pinned: Tensor
    given: Tensor  # on the device


class StaticRun:
    """A network for a fixed number of regions.

    Args:
        call: (N, 3, H, W) RGB 0..1 on the device -> the same shape; no other synchronisation inside.
        count: regions in one call.
        size_wh: of a region.
        dtype: that `call` takes.
        memory_format: that `call` takes.
        device: "cuda", or "cpu" in tests.
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
        self._made: dict[str, tuple[_Entry, torch.cuda.CUDAGraph | None]] = {}
        self._entry("uint8")  # as frames come

    def run(self, regions_bgr: Regions) -> tuple[NDArray[np.float32], bool]:
        """The answer for up to `count` regions, and whether all of it is finite. The array is used again.

        Raises:
            RuntimeError: the GPU failed.
        """
        count = len(regions_bgr)
        entry, graph = self._entry(regions_bgr.dtype.name)
        np.copyto(entry.in_bgr[:count], regions_bgr)
        if graph is None or self._stream is None:
            with torch.inference_mode():
                self._step(entry)
        else:
            with torch.cuda.stream(self._stream):
                graph.replay()
            self._stream.synchronize()
        return self._out_bgr[:count], bool(self._finite_pinned[0])

    def _entry(self, kind: str) -> tuple[_Entry, torch.cuda.CUDAGraph | None]:
        """Of a number type, with its recording: made by the first call that needs it."""
        if kind not in self._made:
            pinned = torch.zeros(self._shape, dtype=_TENSOR[kind], pin_memory=self._on_gpu)
            given = torch.zeros(self._shape, dtype=_TENSOR[kind], device=self._device)
            entry = _Entry(pinned.numpy(), pinned, given)
            self._made[kind] = entry, self._recorded(self._stream, entry) if self._stream is not None else None
        return self._made[kind]

    def _step(self, entry: _Entry) -> None:
        entry.given.copy_(entry.pinned, non_blocking=True)
        out_bgr = planes_to_bgr(self._call(bgr_to_planes(entry.given, self._dtype, self._format)))
        self._out_pinned.copy_(out_bgr, non_blocking=True)
        self._finite_pinned.copy_(torch.isfinite(out_bgr).all().reshape(1), non_blocking=True)

    def _recorded(self, stream: torch.cuda.Stream, entry: _Entry) -> torch.cuda.CUDAGraph:
        # cuDNN tries its kernels during the warm-up and keeps the fastest; FP32 stays true FP32.
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            return self._warmed_up(stream, entry)

    def _warmed_up(self, stream: torch.cuda.Stream, entry: _Entry) -> torch.cuda.CUDAGraph:
        stream.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._step(entry)
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the GPU meanwhile: only this one's calls may not disturb the recording.
        with torch.inference_mode(), torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._step(entry)
        return graph


class Runs:
    """A network for 1 to 4 regions: one recording for a single face, the usual case, and one for several."""

    def __init__(self, made: Callable[[int], StaticRun]) -> None:
        self._one, self._several = made(1), made(MAX_FACES)

    def __call__(self, regions_bgr: Regions) -> tuple[NDArray[np.float32], bool]:
        """See `StaticRun.run`."""
        return (self._one if len(regions_bgr) == 1 else self._several).run(regions_bgr)
