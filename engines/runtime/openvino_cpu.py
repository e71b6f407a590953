"""OpenVINO on the CPU, converted straight from the PyTorch module; the converted graph is kept in the cache."""

from __future__ import annotations

import contextlib
import os
import warnings
from importlib import metadata
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


_GRAPH = "model.xml"
_MOST_MEAN_OFF, _MOST_OFF = 0.5, 8.0  # of 255, on a probe much harsher than any picture (on lips: 0.15 and 2)


class OpenVinoEngine:
    """See `Engine`. Needs PyTorch only the first time: later starts read the converted graph.

    On processors with BF16 arithmetic the graph runs in it, about twice as fast, but only after its answer to a probe
    was held against FP32 on this very machine.

    Raises:
        RuntimeError: OpenVINO cannot convert or compile it here.
        EngineError: the weights are not usable.
    """

    def __init__(self, style: Style, *, threads: int | None = None) -> None:
        import openvino

        core = openvino.Core()
        model = _converted(style, core)
        compiled, precision, why = _compiled(core, model, style.size_wh, threads or usual_threads(style.size_wh))
        self._one, self._several = (compiled[fixed].create_infer_request() for fixed in (True, False))
        self._region_bgr = np.zeros((1, style.size_wh[1], style.size_wh[0], 3), np.uint8)
        self._one.set_input_tensor(0, openvino.Tensor(self._region_bgr, shared_memory=True))
        device = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        self.info = EngineInfo(style.name, "openvino", precision, device, why)

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Engine.infer`."""
        try:
            request = self._one if len(regions_bgr) == 1 else self._several
            if request is self._one:
                np.copyto(self._region_bgr, regions_bgr)
                request.infer()  # its input is bound once: binding costs as much as a layer
            else:
                request.infer([regions_bgr], share_inputs=True)
            out: NDArray[np.float32] = request.get_output_tensor(0).data
        except RuntimeError as error:
            raise EngineError(f"style {self.info.style}", f"OpenVINO failed: {_first_line(error)}") from error
        return out

    def close(self) -> None:
        """Let go of the compiled graphs."""
        self._one = self._several = None


def usual_threads(size_wh: tuple[int, int]) -> int:
    """One thread for lips; for larger pictures up to four, but always one core is left for the tracker."""
    return 1 if size_wh[0] * size_wh[1] < 10_000 else max(1, min(4, (os.cpu_count() or 2) - 1))


def _compiled(core: Any, model: Any, size_wh: tuple[int, int], threads: int) -> tuple[dict[bool, Any], str, str]:
    """The graph in the best precision that holds, for one face (True) and for several (False), that precision, and why.

    One face is the usual case, and a fixed shape is a quarter faster.
    """

    def compiled(graph: Any, hint: str) -> Any:
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": hint}
        settings["ENABLE_CPU_PINNING"] = False  # a pinned thread would wait whenever the tracker has that core
        return core.compile_model(graph, "CPU", settings)

    single = model.clone()
    single.reshape([1, size_wh[1], size_wh[0], 3])
    model.reshape([(1, 4), size_wh[1], size_wh[0], 3])
    full = compiled(single, "f32")
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return {True: full, False: compiled(model, "f32")}, "fp32", "this processor has no BF16"
    half, asked_bgr = compiled(single, "bf16"), probe(size_wh)
    answers = [np.array(one([asked_bgr])[0], np.float32) for one in (full, half)]
    most = np.abs(answers[1] - answers[0]).max()
    if not holds(answers[1], answers[0]):
        return {True: full, False: compiled(model, "f32")}, "fp32", f"BF16 was {most:.1f}/255 off FP32"
    why = f"at most {most:.1f}/255 off FP32 on a probe, and faster"
    return {True: half, False: compiled(model, "bf16")}, "bf16", why


def holds(answer: NDArray[np.float32], reference: NDArray[np.float32]) -> bool:
    """Whether an engine's answer to the probe is as good as the FP32 reference's, both (1, H, W, 3) of 255."""
    off = np.abs(answer - reference)
    return bool(np.isfinite(off).all() and off.mean() <= _MOST_MEAN_OFF and off.max() <= _MOST_OFF)


def probe(size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """What an engine is tried on, (1, H, W, 3): blocks of random colours, with flat places and edges of every kind."""
    width, height = size_wh
    blocks = np.random.default_rng(0).integers(0, 256, (height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(blocks.repeat(6, axis=0).repeat(6, axis=1)[None, :height, :width])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def graph_key(style: Style) -> str:
    """The name of the style's graph among those that come with the program.

    No version is part of it: the graph format (IR 11) is read by every OpenVINO that the project allows.
    """
    door = cache.file_digest(Path(__file__).with_name("door.py"))
    parts = {"weights": style.weights_digest(), "source": style.source_digest(), "door": door, "ir": 11}
    return cache.key(**parts, arguments=style.card.get("generator_args", {}), shape="any", precision="fp32")


def cached_key(style: Style) -> str:
    """Its name in the user's cache: whatever may change its bytes changes it, the converting libraries too."""
    return cache.key(graph=graph_key(style), openvino=metadata.version("openvino"), torch=metadata.version("torch"))


def convert(style: Style) -> openvino.Model:
    """The style's graph in OpenVINO's own form, straight from the PyTorch module; for 1 to 4 crops of any size.

    A generator that takes multiples of some pixels only says so as `step_px`.
    """
    import openvino
    import torch

    from engines.runtime.door import Door

    net = style.load_generator()
    step_px = int(getattr(net, "step_px", 1))
    width, height = style.size_wh
    example = torch.zeros((2, height, width, 3), dtype=torch.uint8)
    dim = torch.export.Dim
    shape: dict[int, Any] = {0: dim("count", min=1, max=4)}
    if step_px < min(width, height):  # one graph for every size it is used at
        shape |= {1: step_px * dim("rows", min=2, max=2048), 2: step_px * dim("columns", min=2, max=2048)}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch and OpenVINO warn of each other's ageing parts: nothing for a user
        program = torch.export.export(Door(net).eval(), (example,), dynamic_shapes=(shape,))
        return openvino.convert_model(program)


def save(model: openvino.Model, folder: Path) -> None:
    """Write a graph into a folder, in FP32."""
    import openvino

    openvino.save_model(model, folder / _GRAPH, compress_to_fp16=False)


def _converted(style: Style, core: openvino.Core) -> openvino.Model:
    """The style's graph: as it comes with the program, from the user's cache, or converted now (5 s)."""
    if (entry := cache.shipped(graph_key(style))) is not None:
        with contextlib.suppress(RuntimeError):
            return core.read_model(entry / _GRAPH)

    def read(folder: Path) -> openvino.Model:
        return core.read_model(folder / _GRAPH)

    made = cache.once(
        cached_key(style),
        read=read,
        make=lambda: convert(style),
        write=save,
        about=cache.About(style.name, "openvino", "fp32", "any"),
    )
    stored = cache.find(cached_key(style))
    return read(stored) if stored else made  # the first run and all later ones run the same bytes
