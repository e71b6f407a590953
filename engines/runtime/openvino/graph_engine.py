"""The part that all OpenVINO engines share: requests for one region, the usual case, and for several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.runtime.base import MAX_FACES, EngineInfo, Regions, check_regions
from engines.runtime.openvino.converted_graph import load_openvino
from engines.text import first_line

SEVERAL = (1, MAX_FACES)  # range of the number of regions, for `reshape_graph`


def reshape_graph(graph: Any, size_wh: tuple[int, int], count: int | tuple[int, int]) -> Any:
    """Return a copy of a graph for regions of one size, and for one number of them or a range.

    A static shape for one region is a quarter faster than a dynamic one.
    """
    copy = graph.clone()
    copy.reshape([1 if takes_one(graph) else count, size_wh[1], size_wh[0], 3])
    return copy


def takes_one(graph: Any) -> bool:
    """Whether a graph takes one region a call: some imported graphs do."""
    if not graph.inputs:  # of a damaged cache entry, which is found out when it is compiled
        return False
    count = graph.inputs[0].partial_shape[0]
    return bool(count.is_static and count.get_length() == 1)


class GraphEngine:
    """See `Engine`; if `fixed`, the model for several takes exactly `MAX_FACES`, or one, one after another."""

    def __init__(
        self, info: EngineInfo, one: Any, several: Any, size_wh: tuple[int, int], *, fixed: bool = False
    ) -> None:
        self.info, self._size_wh = info, size_wh
        self._several = np.empty((MAX_FACES, size_wh[1], size_wh[0], 3), np.float32) if takes_one(several) else None
        fixed = fixed and self._several is None
        in_several = self._bound_input(several, MAX_FACES) if fixed else (several.create_infer_request(), None)
        self._requests: list[tuple[Any, NDArray[np.uint8] | None]] = [self._bound_input(one, 1), in_several]

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        if not self._requests:
            raise EngineError(f"style {self.info.style}", "its engine is closed")
        check_regions(regions_bgr, self.info.style, self._size_wh)
        count = len(regions_bgr)
        if count > 1 and self._several is not None:
            for index in range(count):
                np.copyto(self._several[index], self.infer(regions_bgr[index : index + 1])[0])
            return self._several[:count]
        request, input_bgr = self._requests[count > 1]
        try:
            if input_bgr is not None:
                np.copyto(input_bgr[:count], regions_bgr)
                request.infer(share_outputs=True)  # binding the input anew would cost as much as a layer
            else:
                request.infer([np.ascontiguousarray(regions_bgr)], share_inputs=True, share_outputs=True)
            out: NDArray[np.float32] = request.get_output_tensor(0).data
        except RuntimeError as error:
            raise EngineError(f"style {self.info.style}", f"OpenVINO failed: {first_line(error)}") from error
        return out[:count]

    def _bound_input(self, model: Any, count: int) -> tuple[Any, NDArray[np.uint8]]:
        """Return a request of a model of static shape, and its input array."""
        request = model.create_infer_request()
        input_bgr = np.zeros((count, self._size_wh[1], self._size_wh[0], 3), np.uint8)
        request.set_input_tensor(0, load_openvino().Tensor(input_bgr, shared_memory=True))
        return request, input_bgr

    def close(self) -> None:
        """See `Engine.close`."""
        self._requests = []
