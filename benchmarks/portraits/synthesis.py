"""What a picture of StyleGAN2 costs: `python -m benchmarks.portraits.synthesis [NAME]`.

NAME is a network of `veneer train` or `veneer import`; without it, the paper's network with random weights is used.
Its synthesis network, from styles to the picture, is converted to OpenVINO. Printed are the largest and the mean
difference of the picture from PyTorch's in parts of 255, of OpenVINO in FP32 and of weights in FP16, the time for a
picture, in turns, and the time that its multiply-accumulates take at the speed of a single convolution on this machine.

Exit code 2: there is no such network, or it has no styles; one line says why.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.common.arguments import Parser, number, run_main
from benchmarks.common.machine_info import machine
from engines.errors import OptionsError
from engines.files import write_json
from engines.generators.registry import fresh_generator
from engines.portraits.portrait_network import load_portraits
from engines.runtime.openvino.converted_graph import load_openvino, openvino_core
from engines.training.metrics.model_cost import gmac, parameters

_PROBE_CHANNELS, _PROBE_PX = 256, 64  # of the convolution that measures the speed


class Synthesis(nn.Module):
    """The synthesis network with its constant noise."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, styles: Tensor) -> Tensor:
        """Styles (1, layers, latent) to a picture (1, 3, S, S) around -1..1."""
        return self.net.synthesis(styles)  # type: ignore[no-any-return]


def main() -> int:
    """Convert, compare and measure; return the exit code."""
    parser = Parser("portraits.synthesis", __doc__)
    parser.add_argument("name", nargs="?", default="", help="portrait network")
    parser.add_argument("--side", type=int, default=256, help="pixels, without NAME (default: 256)")
    parser.add_argument("--multiplier", type=int, default=2, help="1 or 2, without NAME")
    parser.add_argument("--rounds", type=number(1, 1000, int), default=7)
    parser.add_argument("--threads", type=number(1, 256, int), default=2)
    parser.add_file("--out")
    options = parser.parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.name:
        network = load_portraits(options.name)
        net, side_px = network.net, network.side_px
        if not network.styled:
            raise OptionsError(f"network {options.name}", "it has no styles", "use a stylegan or stylegan2 network")
    else:
        side_px = options.side
        net = fresh_generator("stylegan2", {"side_px": side_px, "multiplier": options.multiplier}).eval()
    with torch.inference_mode():
        styles = net.mapped(torch.randn(1, net.latent))[:, None].repeat(1, net.layers, 1)
    synthesis = Synthesis(net).eval()
    cost = gmac(synthesis, (side_px, side_px), (styles,))
    runs = {"PyTorch": _in_pytorch(synthesis, styles), **_in_openvino(synthesis, styles, options.threads)}
    expected, result = runs["PyTorch"](), dict[str, Any](side_px=side_px, gmac=cost, parameters=parameters(net))
    times = {name: list[float]() for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            start_s = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start_s))
    for name, run in runs.items():
        apart = np.abs(run() - expected) * 127.5  # of a range of 2
        result[name] = {"ms": median(times[name]), "largest": float(apart.max()), "mean": float(apart.mean())}
        print(f"{name}: {result[name]['ms']:.1f} ms; off by {apart.mean():.4f} of 255, at most {apart.max():.4f}")
    rate = _gmac_per_second(options.rounds)
    result |= {"gmac_per_second": rate, "expected_ms": 1e3 * cost / rate, "machine": machine()}
    print(f"{cost:.2f} GMAC, {result['parameters']:,} weights: {result['expected_ms']:.1f} ms at {rate:.0f} GMAC/s")
    write_json("--out", options.out, result)
    return 0


def _in_pytorch(net: nn.Module, styles: Tensor) -> Callable[[], Any]:
    def run() -> Any:
        with torch.inference_mode():
            return net(styles).numpy()

    return run


def _in_openvino(net: nn.Module, styles: Tensor, threads: int) -> dict[str, Callable[[], Any]]:
    """Return the graph in FP32, and with weights rounded to FP16."""
    openvino = load_openvino()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.export about itself
        model = openvino.convert_model(torch.export.export(net, (styles,)))
    about = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    runs = dict[str, Callable[[], Any]]()
    for name in ("OpenVINO FP32", "OpenVINO FP16 weights"):
        if "FP16" in name:
            from openvino._offline_transformations import compress_model_transformation

            compress_model_transformation(model)
        compiled, given = openvino_core().compile_model(model, "CPU", about), styles.numpy().copy()
        runs[name] = lambda compiled=compiled, given=given: np.array(compiled([given])[0])  # type: ignore[misc]
    return runs


def _gmac_per_second(rounds: int) -> float:
    """Return the speed of one 3x3 convolution."""
    x = torch.randn(1, _PROBE_CHANNELS, _PROBE_PX, _PROBE_PX)
    weight = torch.randn(_PROBE_CHANNELS, _PROBE_CHANNELS, 3, 3)
    times = []
    with torch.inference_mode():
        for _ in range(rounds + 2):
            start_s = time.perf_counter()
            F.conv2d(x, weight, padding=1)
            times.append(time.perf_counter() - start_s)
    return _PROBE_CHANNELS**2 * 9 * _PROBE_PX**2 / 1e9 / median(times[2:])


if __name__ == "__main__":
    sys.exit(run_main("portraits.synthesis", main))
