"""VGG-16 or VGG-19 from a file that the user names: read, checked, and kept in the data folder.

The program ships no VGG weights. All forms are converted to one: RGB filters for `(rgb - mean) / std`, scaled so that
the mean activation of each layer on the built-in portrait is 1, as in the network of Gatys et al.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engines import paths
from engines.cache.cache_entry import file_digest
from engines.errors import OptionsError, os_errors
from engines.files import atomic_path
from engines.imports.checkpoint_file import MAX_BYTES, read_groups
from engines.text import first_line
from engines.untrusted_files import plain_size, shown

INPUTS = ("bgr", "rgb", "torch")  # what the first layer takes: 0..255 minus the mean, or normalised as by torchvision
_BLOCKS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_CHANNELS = (64, 128, 256, 512, 512)
_NEEDED_BLOCK = 4  # painting needs conv5_1: all of the first four blocks and one layer
_MEAN_255, _TORCH_MEAN, _TORCH_STD = (123.68, 116.779, 103.939), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_PUBLISHED = {"397923af": "torch", "dcbb9e9d": "torch", "00b39a1b": "bgr", "d01eb7cb": "bgr"}  # first digits of SHA-256
_DO = "name VGG-16 or VGG-19 as .mat, .npz, .safetensors or a torchvision checkpoint"
_ACTIVE, _ACTIVE_DEEP = (
    (0.005, 0.98),
    0.42,
)  # share of outputs above 0; in blocks 4 and 5 of trained networks 0.1 - 0.35
Layers = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class VggWeights:
    """The convolutions of a VGG in their order, for `(rgb - mean) / std` of RGB in 0..1."""

    depth: int
    layers: Layers
    mean: tuple[float, ...]
    std: tuple[float, ...]
    about: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The names of the layers, from conv1_1."""
        return layer_names(self.depth)[: len(self.layers)]


def layer_names(depth: int) -> list[str]:
    """Return the names of all convolutions, as in "conv4_2"."""
    return [f"conv{block + 1}_{i + 1}" for block, count in enumerate(_BLOCKS[depth]) for i in range(count)]


def kept_file() -> Path:
    """Return the path of the VGG that the user added, which may not exist."""
    return paths.data_dir() / "models" / "vgg.safetensors"


def add_vgg(file: Path, picture_rgb: NDArray[np.uint8], input_kind: str = "") -> VggWeights:
    """Read a VGG, check it, keep it in the data folder, and return it.

    Args:
        picture_rgb: The built-in portrait, (H, W, 3), on which the network is tried.
        input_kind: One of `INPUTS`; "" to take it from the file.

    Raises:
        OptionsError: The file is not readable, is another network, or its layers do not respond to the picture.
    """
    asked = f"VGG {file}"
    with os_errors(asked, "check the path"):
        plain_size(file, MAX_BYTES)
        digest = file_digest(file)
    named = read_tensors(file, asked, _DO)
    weights = _as_vgg(named, asked, input_kind or _PUBLISHED.get(digest[:8], "") or _usual_input(file, named))
    published = digest[:8] in _PUBLISHED
    weights = _normalised(weights, picture_rgb, asked)
    checked = "its SHA-256 is that of a published file" if published else "its layers respond to the built-in portrait"
    weights = VggWeights(**{**vars(weights), "about": {"source": file.name, "sha256": digest, "checked": checked}})
    _keep(weights)
    return weights


def load_vgg() -> VggWeights:
    """Return the VGG that the user added. Raises OptionsError if there is none, or the file is damaged."""
    from safetensors import safe_open

    file, do = kept_file(), "add one: veneer models add vgg FILE; or MicroAST: veneer models add transfer FOLDER"
    if not file.is_file():
        raise OptionsError("VGG", "the program has no VGG weights", do)
    try:
        with safe_open(file, framework="pt") as opened:
            about = dict(opened.metadata())
            depth = int(about["depth"])
            names = [name for name in layer_names(depth) if f"{name}.weight" in opened.keys()]  # noqa: SIM118
            layers = [
                tuple(opened.get_tensor(f"{name}.{part}").float() for part in ("weight", "bias")) for name in names
            ]
        mean, std = (tuple(map(float, json.loads(about[key]))) for key in ("mean", "std"))
    except Exception as error:  # safetensors raises its own class
        raise OptionsError(f"VGG {file}", f"not readable ({first_line(error)})", do) from error
    return VggWeights(depth, layers, mean, std, about)


def _keep(weights: VggWeights) -> None:
    from safetensors.torch import save_file

    file = kept_file()
    parts = zip(weights.names, weights.layers, strict=True)
    tensors = {f"{name}.{part}": one.half().contiguous() for name, layer in parts
               for part, one in zip(("weight", "bias"), layer, strict=True)}  # fmt: skip
    about = {**weights.about, "depth": str(weights.depth)}
    about |= {"mean": json.dumps(weights.mean), "std": json.dumps(weights.std)}
    with os_errors(f"VGG in {file.parent}", "make the folder writable, or make room"):
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as part:
            save_file(tensors, part, about)


def read_tensors(file: Path, asked: str, do: str) -> dict[str, Tensor]:
    """Return the named tensors of an untrusted file, in FP32 unless it is a checkpoint.

    Args:
        file: A .mat of MatConvNet, an .npz, or a checkpoint.
        asked: What was asked for, for the error.
        do: What to do, for the error.

    Raises:
        OptionsError: The file is not readable.
    """
    if file.suffix not in (".mat", ".npz"):
        return max(read_groups(file).values(), key=len)
    try:
        plain_size(file, MAX_BYTES)
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        else:
            arrays = _from_mat(file)
        return {name: torch.from_numpy(np.array(one)).float() for name, one in arrays.items() if one.dtype.kind == "f"}
    except Exception as error:  # NumPy and SciPy raise exceptions of many types for damaged files
        raise OptionsError(asked, f"not readable ({first_line(error)})", do) from error


def _from_mat(file: Path) -> dict[str, Any]:
    """Return the filters of a MatConvNet file, (height, width, in, out), as (out, in, height, width)."""
    from scipy.io import loadmat

    found: dict[str, Any] = {}
    for entry in loadmat(file, variable_names=["layers"])["layers"].ravel():
        layer = entry[0, 0]
        if str(layer["type"].item()) == "conv":
            fields = layer.dtype.names or ()
            filters, bias = layer["weights"].ravel() if "weights" in fields else (layer["filters"], layer["biases"])
            name = str(layer["name"].item())
            found |= {f"{name}.weight": filters.transpose(3, 2, 0, 1), f"{name}.bias": bias.ravel()}
    return found


def _usual_input(file: Path, named: Mapping[str, Tensor]) -> str:
    return "rgb" if file.suffix == ".mat" else "torch" if any(name.startswith("features.") for name in named) else "bgr"


def _as_vgg(named: Mapping[str, Tensor], asked: str, input_kind: str) -> VggWeights:
    """Return the convolutions in their order. Raises OptionsError if they are not those of VGG-16 or VGG-19."""
    if input_kind not in INPUTS:
        raise OptionsError(f"--input {shown(input_kind)}", "there is no such value", f"use {', '.join(INPUTS)}")
    if any(name.endswith("running_mean") for name in named):
        raise OptionsError(asked, "it has batch normalisation, which VGG for styles has not", _DO)
    stems = sorted({name.rpartition(".")[0] for name in named if name.endswith(".weight")}, key=_by_number)
    layers = [(named[f"{stem}.weight"], named[f"{stem}.bias"]) for stem in stems
              if f"{stem}.bias" in named and named[f"{stem}.weight"].ndim == 4]  # fmt: skip
    mean, std = ((_TORCH_MEAN, _TORCH_STD) if input_kind == "torch"
                 else (tuple(one / 255 for one in _MEAN_255), (1 / 255,) * 3))  # fmt: skip
    if layers and layers[0][0].shape == (3, 3, 1, 1):  # it maps RGB 0..1 to the input of the next layer
        (mixing, shift), (first, bias), *rest = layers if len(layers) > 1 else [*layers, *layers]
        folded = torch.einsum("oihw,ij->ojhw", first, mixing[:, :, 0, 0])
        layers = [(folded, bias + torch.einsum("oihw,i->o", first, shift)), *rest]
        mean, std = (0.0,) * 3, (1.0,) * 3
    elif layers and input_kind == "bgr":
        layers[0] = layers[0][0].flip(1), layers[0][1]
    shapes = [tuple(weight.shape) for weight, _ in layers]
    for depth in _BLOCKS:
        wanted = _shapes(depth)
        needed = sum(_BLOCKS[depth][:_NEEDED_BLOCK]) + 1
        fits = shapes[: len(wanted)] == wanted[: len(shapes)] and len(shapes) >= needed
        if fits and all(bias.shape == weight.shape[:1] for weight, bias in layers[: len(wanted)]):
            kept = [(weight.float(), bias.float()) for weight, bias in layers[: len(wanted)]]
            return VggWeights(depth, kept, mean, std, {})
    got = f"its {len(layers)} convolutions are not those of VGG-16 or VGG-19 up to conv5_1"
    raise OptionsError(asked, got, _DO)


def _by_number(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _shapes(depth: int) -> list[tuple[int, ...]]:
    channels = [width for width, count in zip(_CHANNELS, _BLOCKS[depth], strict=True) for _ in range(count)]
    return [(out, into, 3, 3) for out, into in zip(channels, [3, *channels], strict=False)]


@torch.inference_mode()
def _normalised(weights: VggWeights, picture_rgb: NDArray[np.uint8], asked: str) -> VggWeights:
    """Scale each layer so that its mean activation on the picture is 1; the next layer receives the inverse.

    Raises OptionsError if a layer is silent, active in too many places, or not finite: the weights are not trained
    ones, or belong to another input.
    """
    rgb = torch.from_numpy(np.ascontiguousarray(picture_rgb)).permute(2, 0, 1)[None].float() / 255
    x = (rgb - torch.tensor(weights.mean).view(3, 1, 1)) / torch.tensor(weights.std).view(3, 1, 1)
    before, layers = 1.0, []
    for name, (weight, bias) in zip(weights.names, weights.layers, strict=True):
        if name.endswith("_1") and name != "conv1_1":
            x = F.max_pool2d(x, 2)
        raw = F.relu(F.conv2d(x, weight * before, bias, padding=1))
        mean, active = float(raw.mean()), float((raw > 0).float().mean())
        most = _ACTIVE_DEEP if name[4] in "45" else _ACTIVE[1]
        if not np.isfinite(mean) or not _ACTIVE[0] <= active <= most:
            got = f"{name} is {'not finite' if not np.isfinite(mean) else f'active at {active:.1%} of the portrait'}"
            raise OptionsError(asked, got, "name a trained VGG; --input says what its first layer takes")
        layers.append((weight * (before / mean), bias / mean))
        x, before = raw / mean, mean
    return VggWeights(weights.depth, layers, weights.mean, weights.std, weights.about)
