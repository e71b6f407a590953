"""All generators at all their sizes. Needs a checkout, PyTorch and NumPy, and nothing else installed."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.generators.registry import fresh_generator, generator_spec, generator_specs
from engines.generators.spec import GeneratorSpec

WEIGHTS = Path(__file__).resolve().parents[2] / "engines" / "weights"
# Copies of values in engines.styles and calibration.autotune, whose imports need more packages; a test compares them.
FRAME_SIZE_WH, FACE_SIZE_WH = (448, 256), (256, 256)
PLANES_FRAME_SIZE_WH, PLANES_FACE_SIZE_WH = (256, 144), (192, 192)
_SCALES, _GRID_PX = (1.0, 0.75, 0.5), 32
_STEP_PX = 8  # of the generators with a shipped style
_PUBLISHED: dict[str, dict[str, Any]] = {  # arguments of the papers, where they are not the generator's defaults
    "pix2pix": {"depth": 8}, "photo2cartoon": {}, "animegan2": {}, "cyclegan": {}, "ugatit_light": {},
    "autoretouch": {},
}  # fmt: skip
_SMALL, _SMALL_WH = {"channels": 8, "depth": 3, "side_px": 64}, (64, 64)
OURS = "toon"  # the drawing network
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


@dataclass(frozen=True)
class Job:
    """A generator at one size, named after its style, or after the generator if its weights are random (`fresh`).

    Attributes:
        arguments: Of the generator, as JSON. Styles of one generator with the same ones differ in their weights only.
    """

    name: str
    generator: str
    size_wh: tuple[int, int]
    fresh: bool
    make: Callable[[], nn.Module]
    arguments: str = "{}"

    @property
    def net(self) -> nn.Module:
        """The network in FP32 on the CPU, in evaluation mode. All sizes share one module, built at the first access."""
        return self.make()

    @property
    def size(self) -> str:
        """As in "256x256"."""
        return f"{self.size_wh[0]}x{self.size_wh[1]}"


def jobs() -> Iterator[Job]:
    """Yield every shipped style at every size it is offered in, then the benchmarked generators without a style."""
    used = set()
    for card_path in sorted(WEIGHTS.glob("*.json")):
        card = json.loads(card_path.read_text(encoding="utf-8"))
        name, arguments = card["generator"], card.get("generator_args", {})
        used.add(name)
        own_wh = (int(card["size_wh"][0]), int(card["size_wh"][1]))
        sizes = (
            [own_wh]
            if generator_spec(name).region == "lips"
            else offered_sizes(own_wh, planes=card["output"] == "planes")
        )
        make = cache(partial(_shipped, name, arguments, card_path.with_suffix(".safetensors")))
        for size_wh in _fitting(name, arguments, sizes):
            yield Job(
                card_path.stem, name, size_wh, fresh=False, make=make, arguments=json.dumps(arguments, sort_keys=True)
            )
    for spec in generator_specs():
        if spec.benchmarked and spec.name not in used:
            make = cache(partial(_fresh, spec.name, {}))
            for size_wh in _fitting(spec.name, {}, offered_sizes(FACE_SIZE_WH, planes=spec.outputs == ("planes",))):
                yield Job(spec.name, spec.name, size_wh, fresh=True, make=make)


class OneImage(nn.Module):
    """A generator whose further inputs are made of the picture, so that it is built as the others are."""

    def __init__(self, net: nn.Module, spec: GeneratorSpec, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.net, self.features = net, [arguments.get("latent", 0) * (kind == "latent") for kind in spec.inputs]

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture of RGB (N, 3, H, W); a latent is its first values."""
        return self.net(*(rgb.flatten(1)[:, :count] if count else rgb for count in self.features))  # type: ignore[no-any-return]


def small_jobs() -> Iterator[Job]:
    """Yield the generators that are too large for live use, with few channels, and StyleGAN2 as published, at 64x64."""
    for spec in generator_specs():
        if not spec.benchmarked:
            numbers = {key: one for key, one in spec.arguments.items() if type(one.default) is int}
            arguments = {key: _SMALL.get(key, max(2, int(one.low))) for key, one in numbers.items()}
            for size_wh in _fitting(spec.name, arguments, [_SMALL_WH]):
                make = cache(partial(_small, spec, arguments))
                yield Job(
                    f"{spec.name}-small", spec.name, size_wh, fresh=True, make=make, arguments=json.dumps(arguments)
                )
    make = cache(partial(_small, generator_spec("stylegan2"), {"latent": 512}))
    yield Job("stylegan2-published", "stylegan2", _SMALL_WH, fresh=True, make=make, arguments="{}")


def peers() -> Iterator[Job]:
    """Yield this project's drawing and lip networks at their sizes, then published generators (random, 256x256)."""
    yield from (job for job in jobs() if (job.name, job.size) in ((OURS, "192x192"), ("lips-glaze", "90x30")))
    for name, arguments in _PUBLISHED.items():
        yield Job(name, name, FACE_SIZE_WH, fresh=True, make=cache(partial(_fresh, name, arguments)))


def offered_sizes(own_wh: tuple[int, int], *, planes: bool = False) -> list[tuple[int, int]]:
    """Return the sizes in which a face generator may be used.

    These are its own, that of a frame in proportion (planes have usual sizes of both), and the smaller versions that
    `veneer calibrate machine` tries.
    """
    found = {}
    frame_wh = tuple(side * own_wh[1] // (FACE_SIZE_WH[1] * _STEP_PX) * _STEP_PX for side in FRAME_SIZE_WH)
    places = (PLANES_FACE_SIZE_WH, PLANES_FRAME_SIZE_WH) if planes else (own_wh, frame_wh)
    for width, height in (own_wh, *places):
        for scale in _SCALES:
            smaller = [max(2 * _GRID_PX, round(side * scale / _GRID_PX) * _GRID_PX) for side in (width, height)]
            found[(width, height) if scale == 1.0 else (min(smaller[0], width), min(smaller[1], height))] = True
    return list(found)


def chosen(offered: Sequence[Job], names: Sequence[str], sizes: Sequence[str]) -> list[Job]:
    """Return the jobs of these names and sizes; all if none are named. Raises OptionsError for an unknown one."""
    for option, requested, known in (
        ("--style", names, [job.name for job in offered]),
        ("--size", sizes, [job.size for job in offered if not names or job.name in names]),
    ):
        if unknown := sorted(set(requested) - set(known)):
            what = "there is no such generator" if option == "--style" else "no generator named is offered in it"
            raise OptionsError(f"{option} {', '.join(unknown)}", what, f"use {', '.join(dict.fromkeys(known))}")
    return [job for job in offered if (not names or job.name in names) and (not sizes or job.size in sizes)]


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file without its library: the length of a JSON header, the header, the values.

    See https://huggingface.co/docs/safetensors, "Format".
    """
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    values = bytearray(content[8 + length :])
    state = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            flat = torch.frombuffer(values[begin:end], dtype=_DTYPES[about["dtype"]])
            state[name] = flat.reshape(about["shape"])
    return state


def picture(count: int, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) uint8 regions of randomly coloured blocks: flat areas and edges of every kind."""
    width, height = size_wh
    blocks = np.random.default_rng(0).integers(0, 256, (count, height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(blocks.repeat(6, axis=1).repeat(6, axis=2)[:, :height, :width])


def _shipped(name: str, arguments: dict[str, Any], weights: Path) -> nn.Module:
    net = fresh_generator(name, arguments)
    net.load_state_dict(read_weights(weights), strict=True)
    return net.eval()


def _fresh(name: str, arguments: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    net = fresh_generator(name, arguments)
    for weight in net.parameters():  # a layer that starts at zero would hide every numerical error
        if weight.dim() > 1 and not weight.any():
            nn.init.normal_(weight, std=0.02)
    return net.eval()


def _small(spec: GeneratorSpec, arguments: dict[str, Any]) -> nn.Module:
    net = _fresh(spec.name, arguments)
    return net if set(spec.inputs) == {"image"} else OneImage(net, spec, arguments).eval()


def _fitting(name: str, arguments: dict[str, Any], sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the sizes whose sides are multiples of the generator's step."""
    step_px = generator_spec(name).multiple_px(arguments)
    return [(width, height) for width, height in sizes if width % step_px == 0 and height % step_px == 0]
