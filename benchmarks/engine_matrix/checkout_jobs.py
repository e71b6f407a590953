"""All generators at all their sizes, from a checkout with nothing installed but PyTorch and NumPy."""

from __future__ import annotations

import importlib
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

WEIGHTS = Path(__file__).resolve().parents[2] / "engines" / "weights"
# Those of engines.styles and calibration.autotune.autotune, which cannot be imported here; a test holds them together.
FRAME_SIZE_WH, FACE_SIZE_WH = (448, 256), (256, 256)
_SCALES, _GRID_PX = (1.0, 0.75, 0.5), 32
_FRESH = ("toon_net", "autoretouch", "pix2pix")  # measured with fresh weights where none are shipped
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


@dataclass(frozen=True)
class Job:
    """A generator at one size.

    Attributes:
        name: of the style, or of the generator where its weights are fresh.
        fresh: whether the weights are random.
        make: see `net`.
    """

    name: str
    generator: str
    size_wh: tuple[int, int]
    fresh: bool
    make: Callable[[], nn.Module]

    @property
    def net(self) -> nn.Module:
        """In FP32 on the CPU, for evaluation; the same module for all sizes, made when it is first asked for."""
        return self.make()

    @property
    def size(self) -> str:
        """As in "256x256"."""
        return f"{self.size_wh[0]}x{self.size_wh[1]}"


def jobs() -> Iterator[Job]:
    """Every shipped style at every size that it is offered in, then the generators without shipped weights."""
    seen = set()
    for card_path in sorted(WEIGHTS.glob("*.json")):
        card = json.loads(card_path.read_text(encoding="utf-8"))
        name, arguments = card["generator"], card.get("generator_args", {})
        seen.add(name)
        own_wh = (int(card["size_wh"][0]), int(card["size_wh"][1]))
        for_lips = card.get("region", "lips") == "lips"
        shipped = cache(partial(_shipped, name, arguments, card_path.with_suffix(".safetensors")))
        for size_wh in (own_wh,) if for_lips else offered_sizes(own_wh):
            if _fits(name, arguments, size_wh):
                yield Job(card_path.stem, name, size_wh, fresh=False, make=shipped)
    for name in _FRESH:
        if name not in seen:
            fresh = cache(partial(_fresh, name))
            for size_wh in offered_sizes(FACE_SIZE_WH):
                if _fits(name, {}, size_wh):
                    yield Job(name, name, size_wh, fresh=True, make=fresh)


def offered_sizes(own_wh: tuple[int, int]) -> list[tuple[int, int]]:
    """What regions a generator of faces may be given: its own size, those of a head and of a whole frame, and the
    smaller ones of each that `veneer calibrate machine` tries where the machine is too slow for them.
    """
    found = {}
    for width, height in (own_wh, FACE_SIZE_WH, FRAME_SIZE_WH):
        for scale in _SCALES:
            smaller = [max(2 * _GRID_PX, round(side * scale / _GRID_PX) * _GRID_PX) for side in (width, height)]
            found[(width, height) if scale == 1.0 else (min(smaller[0], width), min(smaller[1], height))] = True
    return list(found)


def chosen(names: Sequence[str], sizes: Sequence[str]) -> list[Job]:
    """The jobs of those names and sizes; all where none are named.

    Raises:
        OptionsError: one of them is none.
    """
    offered = list(jobs())
    for option, asked, known in (
        ("--style", names, [job.name for job in offered]),
        ("--size", sizes, [job.size for job in offered if not names or job.name in names]),
    ):
        if unknown := sorted(set(asked) - set(known)):
            what = "there is no such generator" if option == "--style" else "no generator named is offered in it"
            raise OptionsError(f"{option} {', '.join(unknown)}", what, f"use {', '.join(dict.fromkeys(known))}")
    return [job for job in offered if (not names or job.name in names) and (not sizes or job.size in sizes)]


def read_weights(path: Path) -> dict[str, Tensor]:
    """A safetensors file, read without its library: the length of a JSON header, the header, the values.

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
    """(N, H, W, 3) regions of random colours in blocks: flat places, and edges of every kind."""
    width, height = size_wh
    blocks = np.random.default_rng(0).integers(0, 256, (count, height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(blocks.repeat(6, axis=1).repeat(6, axis=2)[:, :height, :width])


def _generator(name: str, arguments: dict[str, int]) -> nn.Module:
    module = importlib.import_module(f"engines.generators.{name}")
    wanted = name.replace("_", "")
    made: nn.Module = next(value for key, value in vars(module).items() if key.lower() == wanted)(**arguments)
    return made.eval()


def _shipped(name: str, arguments: dict[str, int], weights: Path) -> nn.Module:
    net = _generator(name, arguments)
    net.load_state_dict(read_weights(weights), strict=True)
    return net


def _fresh(name: str) -> nn.Module:
    torch.manual_seed(0)
    net = _generator(name, {})
    for weight in net.parameters():  # layers that begin at zero would have no error at all
        if weight.dim() > 1 and not weight.any():
            nn.init.normal_(weight, std=0.02)
    return net


def _fits(name: str, arguments: dict[str, int], size_wh: tuple[int, int]) -> bool:
    """Whether the generator takes pictures of that size; tried without computing anything."""
    try:
        with torch.device("meta"):
            given = torch.zeros((1, 3, size_wh[1], size_wh[0]))
            return _generator(name, arguments)(given).shape == given.shape  # type: ignore[no-any-return]
    except RuntimeError:
        return False
