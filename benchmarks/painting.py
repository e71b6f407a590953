"""What an iteration of `veneer paint` costs: `python -m benchmarks.painting PHOTO STYLE_PICTURE`.

After each iteration of the painting, one iteration of a bare loop over the same network follows, so that both see the
same load of the machine. Printed are the median processor time of both, their ratio, the fall of the costs and the
largest memory. VGG is that of `veneer models add vgg`.

Exit code 2: there is no VGG, or a picture is not readable; one line says why.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from benchmarks.common.arguments import Parser, run_main
from benchmarks.common.machine_info import machine
from engines.files import write_json
from engines.painting.gatys import CONTENT_LAYER, Costs, ImageU8, paint, resized
from engines.painting.paint_options import STYLE_LAYERS, PaintOptions
from engines.painting.vgg_file import load_vgg
from engines.painting.vgg_network import VggNetwork
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import write_picture

_WARM_UP = 3


def main() -> int:
    """Paint, and print the costs; return the exit code."""
    parser = Parser("painting", __doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--size", type=int, default=512, help="longer side, pixels")
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--optimiser", default="lbfgs", help="lbfgs or adam")
    parser.add_argument("--alone", action="store_true", help="without the bare loop: cost and memory only")
    parser.add_file("--picture")
    parser.add_file("--out")
    args = parser.parse()
    options = PaintOptions(size=args.size, iterations=args.iterations, optimiser=args.optimiser)
    network = VggNetwork(load_vgg(), max(CONTENT_LAYER, *STYLE_LAYERS))
    photo, style = (np.ascontiguousarray(read_picture(path)[:, :, ::-1]) for path in (args.photo, args.style))
    bare = None if args.alone else _bare_loop(resized(photo, options.levels[0][0]), style, network, options)
    ours_s: list[float] = []
    bare_s: list[float] = []
    last_s, start_s = time.process_time(), time.perf_counter()

    def on_step(done: int, _total: int, _costs: Costs, _picture: Callable[[], ImageU8]) -> None:
        nonlocal last_s
        ours_s.append(time.process_time() - last_s)
        if bare is not None and done <= options.levels[0][1]:
            begun_s = time.process_time()
            bare()
            bare_s.append(time.process_time() - begun_s)
        last_s = time.process_time()

    painting = paint(photo, [(style, 1.0)], network, options, on_step)
    first = [one.total for one in painting.costs[0]]
    result = {
        "size_wh": list(painting.best_rgb.shape[1::-1]),
        "optimiser": args.optimiser,
        "iterations": len(ours_s),
        "seconds": round(time.perf_counter() - start_s, 1),
        "cost": [first[0], min(first)],
        "less": round(1 - min(first) / first[0], 4),
        "iteration_ms": round(1e3 * median(ours_s[_WARM_UP : len(first)]), 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
        "machine": machine(),
    }
    if bare_s:
        result["bare_ms"] = round(1e3 * median(bare_s[_WARM_UP:]), 1)
        ratios = [one / other for one, other in zip(ours_s, bare_s, strict=False)][_WARM_UP:]
        result["ratio"] = round(median(ratios), 3)
    for name, value in result.items():
        print(f"{name}: {value}")
    write_json("--out", args.out, result)
    if args.picture is not None:
        write_picture(args.picture, np.ascontiguousarray(painting.best_rgb[:, :, ::-1]))
    return 0


def _bare_loop(
    photo_rgb: ImageU8, style_rgb: ImageU8, network: VggNetwork, options: PaintOptions
) -> Callable[[], None]:
    """Return a function that does one iteration of the textbook's loop: costs, gradient, step."""

    def tensor(rgb: ImageU8) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None].float()

    def gram(features: torch.Tensor) -> torch.Tensor:
        flat = features.flatten(2)[0]
        return flat @ flat.T / flat.shape[1]

    layers = (CONTENT_LAYER, *STYLE_LAYERS)
    photo = tensor(photo_rgb)
    with torch.no_grad():
        content = network(photo / 255, layers)[CONTENT_LAYER]
        painted = network(tensor(resized(style_rgb, max(photo_rgb.shape[:2]))) / 255, layers)
        grams = {name: gram(painted[name]) for name in STYLE_LAYERS}
    unit = 1.0 if options.optimiser == "adam" else 0.5 * photo.numel()
    picture = (photo / unit).requires_grad_(True)
    optimiser = (
        torch.optim.Adam([picture], lr=2.0)
        if options.optimiser == "adam"
        else torch.optim.LBFGS([picture], max_iter=1, history_size=10)
    )

    def costs() -> float:
        optimiser.zero_grad()
        found = network(picture * unit / 255, layers)
        cost = options.content * torch.nn.functional.mse_loss(found[CONTENT_LAYER], content)
        for name in STYLE_LAYERS:
            cost = cost + options.style * 0.2 * torch.nn.functional.mse_loss(gram(found[name]), grams[name])
        if options.smooth:
            slopes = [(picture.diff(dim=dim) * unit).square().mean() for dim in (2, 3)]
            cost = cost + options.smooth * (slopes[0] + slopes[1]) / 255
        cost.backward()  # type: ignore[no-untyped-call]
        return float(cost.detach())

    def iteration() -> None:
        optimiser.step(costs)  # type: ignore[no-untyped-call]

    return iteration


if __name__ == "__main__":
    sys.exit(run_main("painting", main))
