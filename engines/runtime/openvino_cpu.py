"""OpenVINO on the CPU, converted straight from the PyTorch module; the converted graph is kept in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines import cache
from engines.errors import EngineError
from engines.runtime.base import EngineInfo
from engines.styles import Style

if TYPE_CHECKING:
    import openvino


class OpenVinoEngine:
    """See `Engine`. Needs PyTorch only the first time: later starts read the converted graph.

    Raises:
        RuntimeError: OpenVINO cannot convert or compile it here.
        EngineError: the weights are not usable.
    """

    def __init__(self, style: Style, *, threads: int = 1) -> None:
        import openvino

        core = openvino.Core()
        model = _converted(style, core)
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(model, "CPU", settings)
        self._request: Any = compiled.create_infer_request()
        self._name = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        self.info = EngineInfo(
            style.name, "openvino", "fp32", self._name, "the fastest CPU runtime; TensorRT needs an NVIDIA GPU"
        )

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        try:
            self._request.infer([regions_bgr], share_inputs=True)
            out: NDArray[np.float32] = self._request.get_output_tensor(0).data
        except RuntimeError as error:
            raise EngineError(f"style {self.info.style}", f"OpenVINO failed: {_first_line(error)}") from error
        return out

    def close(self) -> None:
        """Let go of the compiled graph."""
        self._request = None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _converted(style: Style, core: openvino.Core) -> openvino.Model:
    """The style's graph in OpenVINO's own form, from the cache where it lies there whole."""
    import openvino

    key = cache.key(
        weights=style.weights_digest(),
        source=style.source_digest(),
        door=cache.file_digest(Path(__file__).with_name("door.py")),
        shape=list(style.size_wh),
        openvino=openvino.__version__,
    )
    entry = cache.find(key)
    if entry is not None:
        try:
            return core.read_model(entry / "model.xml")
        except RuntimeError:
            cache.discard(entry)
    import torch

    from engines.runtime.door import Door

    width, height = style.size_wh
    example = torch.zeros((2, height, width, 3), dtype=torch.uint8)
    with torch.no_grad():
        model = openvino.convert_model(
            Door(style.load_generator()).eval(), example_input=example, input=[(-1, height, width, 3)]
        )
    cache.store(key, lambda folder: openvino.save_model(model, folder / "model.xml", compress_to_fp16=False))
    return model
