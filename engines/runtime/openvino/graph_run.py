"""A graph of OpenVINO's that runs: one request for a single face, the usual case, and one for several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.runtime.base import MAX_FACES, Regions, check_regions
from engines.runtime.openvino.converted_graph import load_openvino
from engines.text import first_line

Compile = Callable[[bool, bool], Any]


def reshape_graph(graph: Any, size_wh: tuple[int, int], *, one: bool, floats: bool, exact: bool = False) -> Any:
    """A graph of its own for a size: for one face, which is a quarter faster than a shape that changes, or for several.

    Args:
        graph: takes (N, H, W, 3) uint8; it is not changed.
        size_wh: of a region.
        one: for one face; else for up to `MAX_FACES`.
        floats: it is to take float32 of 0..255.
        exact: for just so many faces, on devices that take no other shapes.
    """
    made = graph.clone()
    if floats:
        made.get_parameters()[0].set_element_type(load_openvino().Type.f32)
        made.validate_nodes_and_infer_types()
    several = MAX_FACES if exact else (1, MAX_FACES)
    made.reshape([1 if one else several, size_wh[1], size_wh[0], 3])
    return made


class GraphRun:
    """A style's graph, compiled, with the array that its single face lies in.

    Args:
        compiled: compiles it, for one face or several, for floats or bytes.
        made: what is compiled already: for bytes, one face and several.
        style: its name.
        size_wh: of a region.
        exact: the one for several takes `MAX_FACES`, and no fewer.
    """

    def __init__(
        self, compiled: Compile, made: tuple[Any, Any], style: str, size_wh: tuple[int, int], *, exact: bool = False
    ) -> None:
        self._compiled, self._style, self._size_wh, self._exact = compiled, style, size_wh, exact
        self._requests: dict[tuple[bool, bool], tuple[Any, NDArray[Any] | None]] = {}
        self._open(True, False, made[0])
        self._open(False, False, made[1])

    def infer(self, regions_bgr: Regions) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        check_regions(regions_bgr, self._style, self._size_wh)
        count = len(regions_bgr)
        kind = count == 1, regions_bgr.dtype == np.float32
        try:
            if kind not in self._requests:  # frames come as bytes: floats are compiled for whoever brings them
                self._open(*kind, self._compiled(*kind))
            request, given_bgr = self._requests[kind]
            if given_bgr is not None:
                np.copyto(given_bgr[:count], regions_bgr)
                request.infer(share_outputs=True)  # its input is bound once: binding costs as much as a layer
            else:
                request.infer([np.ascontiguousarray(regions_bgr)], share_inputs=True, share_outputs=True)
            out: NDArray[np.float32] = request.get_output_tensor(0).data
        except RuntimeError as error:
            raise EngineError(f"style {self._style}", f"OpenVINO failed: {first_line(error)}") from error
        return out[:count]

    def _open(self, one: bool, floats: bool, model: Any) -> None:
        request, given_bgr = model.create_infer_request(), None
        if one or self._exact:
            shape = (1 if one else MAX_FACES, self._size_wh[1], self._size_wh[0], 3)
            given_bgr = np.zeros(shape, np.float32 if floats else np.uint8)
            request.set_input_tensor(0, load_openvino().Tensor(given_bgr, shared_memory=True))
        self._requests[one, floats] = request, given_bgr
