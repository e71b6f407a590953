"""All generators at all their sizes, from a checkout with nothing installed but PyTorch and NumPy."""

from __future__ import annotations

import copy
import importlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

WEIGHTS = Path(__file__).resolve().parent.parent / "engines" / "weights"
FRAME_SIZE_WH = (448, 256)  # engines.styles.FRAME_SIZE_WH, which cannot be imported here; a test holds them together
FACE_SIZE_WH = (256, 256)
_FRESH = ("toon_net", "autoretouch", "pix2pix")  # measured with fresh weights where none are shipped
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


@dataclass(frozen=True)
class Job:
    """A generator at one size.

    Attributes:
        name: of the style, or of the generator where its weights are fresh.
        net: in FP32 on the CPU, for evaluation.
        fresh: whether the weights are random.
    """

    name: str
    generator: str
    net: nn.Module
    size_wh: tuple[int, int]
    fresh: bool

    @property
    def size(self) -> str:
        """As in "256x256"."""
        return f"{self.size_wh[0]}x{self.size_wh[1]}"


def jobs() -> Iterator[Job]:
    """Every shipped style at every size that it is offered in, then the generators without shipped weights."""
    seen = set()
    for card_path in sorted(WEIGHTS.glob("*.json")):
        card = json.loads(card_path.read_text(encoding="utf-8"))
        net = _generator(card["generator"], card.get("generator_args", {}))
        net.load_state_dict(read_weights(card_path.with_suffix(".safetensors")), strict=True)
        seen.add(card["generator"])
        own_wh = (int(card["size_wh"][0]), int(card["size_wh"][1]))
        for_lips = card.get("region", "lips") == "lips"
        for size_wh in dict.fromkeys((own_wh,) if for_lips else (own_wh, FACE_SIZE_WH, FRAME_SIZE_WH)):
            if _fits(net, size_wh):
                yield Job(card_path.stem, card["generator"], net.eval(), size_wh, fresh=False)
    for name in _FRESH:
        if name not in seen:
            net = _fresh(name)
            for size_wh in (FACE_SIZE_WH, FRAME_SIZE_WH):
                if _fits(net, size_wh):
                    yield Job(name, name, net.eval(), size_wh, fresh=True)


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
    return made


def _fresh(name: str) -> nn.Module:
    torch.manual_seed(0)
    net = _generator(name, {})
    for weight in net.parameters():  # layers that begin at zero would have no error at all
        if weight.dim() > 1 and not weight.any():
            nn.init.normal_(weight, std=0.02)
    return net


def _fits(net: nn.Module, size_wh: tuple[int, int]) -> bool:
    """Whether the generator takes pictures of that size; tried without computing anything."""
    try:
        given = torch.zeros((1, 3, size_wh[1], size_wh[0]), device="meta")
        return copy.deepcopy(net).to("meta").eval()(given).shape == given.shape  # type: ignore[no-any-return]
    except RuntimeError:
        return False
