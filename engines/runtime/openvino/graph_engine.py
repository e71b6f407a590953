"""The part that all OpenVINO engines share: requests for one region, the usual case, and for several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.runtime.base import MAX_FACES, EngineInfo, Regions, check_regions
from engines.runtime.openvino.converted_graph import load_openvino
from engines.text import first_line

Compile = Callable[[bool, bool], Any]  # (one region, float32) -> compiled model


def reshape_graph(graph: Any, size_wh: tuple[int, int], *, one: bool, floats: bool, fixed: bool = False) -> Any:
    """Return a copy of a graph for one size. A static shape for one region is a quarter faster than a dynamic one.

    Args:
        graph: Takes (N, H, W, 3) uint8.
        size_wh: Width and height of a region.
        one: For exactly one region; otherwise for 1 to `MAX_FACES`.
        floats: Take float32, 0..255, in place of uint8.
        fixed: For exactly `MAX_FACES` regions, on devices without dynamic shapes.
    """
    copy = graph.clone()
    if floats:
        copy.get_parameters()[0].set_element_type(load_openvino().Type.f32)
        copy.validate_nodes_and_infer_types()
    several = MAX_FACES if fixed else (1, MAX_FACES)
    copy.reshape([1 if one else several, size_wh[1], size_wh[0], 3])
    return copy


class GraphEngine:
    """See `Engine`.

    Args:
        info: See `EngineInfo`.
        compile_graph: Compiles the graph for one region or several, for float32 or uint8.
        models: The compiled models for uint8: for one region and for several.
        size_wh: Width and height of a region.
        fixed: The model for several takes exactly `MAX_FACES`.
    """

    def __init__(
        self,
        info: EngineInfo,
        compile_graph: Compile,
        models: tuple[Any, Any],
        size_wh: tuple[int, int],
        *,
        fixed: bool = False,
    ) -> None:
        self.info, self._compile, self._size_wh, self._fixed = info, compile_graph, size_wh, fixed
        self._requests: dict[tuple[bool, bool], tuple[Any, NDArray[Any] | None]] | None = {
            (one, False): self._request(model, one, False) for one, model in zip((True, False), models, strict=True)
        }

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        if self._requests is None:
            raise EngineError(f"style {self.info.style}", "its engine is closed")
        check_regions(regions_bgr, self.info.style, self._size_wh)
        count = len(regions_bgr)
        variant = count == 1, regions_bgr.dtype == np.float32
        try:
            if variant not in self._requests:
                self._requests[variant] = self._request(self._compile(*variant), *variant)
            request, input_bgr = self._requests[variant]
            if input_bgr is not None:
                np.copyto(input_bgr[:count], regions_bgr)
                request.infer(share_outputs=True)  # binding the input anew would cost as much as a layer
            else:
                request.infer([np.ascontiguousarray(regions_bgr)], share_inputs=True, share_outputs=True)
            out: NDArray[np.float32] = request.get_output_tensor(0).data
        except RuntimeError as error:
            raise EngineError(f"style {self.info.style}", f"OpenVINO failed: {first_line(error)}") from error
        return out[:count]

    def _request(self, model: Any, one: bool, floats: bool) -> tuple[Any, NDArray[Any] | None]:
        """Return a request, with its bound input array if the shape is static."""
        request = model.create_infer_request()
        if not one and not self._fixed:
            return request, None
        shape = (1 if one else MAX_FACES, self._size_wh[1], self._size_wh[0], 3)
        input_bgr = np.zeros(shape, np.float32 if floats else np.uint8)
        request.set_input_tensor(0, load_openvino().Tensor(input_bgr, shared_memory=True))
        return request, input_bgr

    def close(self) -> None:
        """See `Engine.close`."""
        self._requests = None
