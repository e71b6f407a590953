"""Checkpoints: one safetensors file with all tensors, and everything else as JSON in its header.

The file is written under a temporary name and renamed: a kill, a power cut or a full disk leaves the previous one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.files import atomic_write
from engines.text import first_line
from engines.training.method import Parts
from engines.untrusted_files import shown

FORMAT = 2  # checkpoints of another format are refused
_STRIDES = ".strides"


def prepare_folder(folder: Path) -> None:
    """Create a folder and check that it is writable, before minutes of training depend on it.

    Raises:
        OptionsError: It is not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OptionsError(f"folder {folder}", error.strerror or str(error), "name another --out or --work") from error


def write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint.

    Raises:
        OptionsError: The disk is full or the folder not writable; the previous checkpoint is unchanged.
    """
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        atomic_write(path, save(on_cpu, {"state": json.dumps({**state, "format": FORMAT})}), sync=True)
    except OSError as error:
        reason, do = error.strerror or str(error), "make room, or name another folder with --work"
        if path.exists():
            reason, do = f"{reason}; the previous one is intact", "make room, then continue with --resume"
        raise OptionsError(f"checkpoint {path}", reason, do) from error


def read(path: Path, *, tensors: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a checkpoint (none if not asked for) and its state.

    Raises:
        OptionsError: There is no checkpoint, or it is not readable.
    """
    do = "start without --resume"
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            found = {name: file.get_tensor(name) for name in (file.keys() if tensors else ())}
    except FileNotFoundError as error:
        raise OptionsError(f"checkpoint {path}", "there is none", do) from error
    except (OSError, SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise OptionsError(f"checkpoint {path}", f"not readable ({error})", do) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        got = shown(state.get("format")) if isinstance(state, dict) else "no table"
        raise OptionsError(f"checkpoint {path}", f"its format is {got}, expected {FORMAT}", do)
    return found, state


def pack(parts: Parts, best: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return all tensors and plain numbers that the next step depends on, and the best weights."""
    tensors = _pack_module("best", best)
    numbers: dict[str, Any] = {}
    for group in ("networks", "averages"):
        for name, net in getattr(parts, group).items():
            tensors |= _pack_module(f"{group}.{name}", net)
    for name, optimiser in parts.optimisers.items():
        memory, more = _pack_optimiser(f"optimisers.{name}", optimiser.optimizer)
        tensors, numbers = tensors | memory, numbers | more
    return tensors, numbers


def unpack(parts: Parts, best: nn.Module, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Restore what `pack` returned.

    Raises:
        OptionsError: It does not fit these networks and optimisers.
    """
    _unpack_module("best", best, tensors)
    for group in ("networks", "averages"):
        for name, net in getattr(parts, group).items():
            _unpack_module(f"{group}.{name}", net, tensors)
    for name, optimiser in parts.optimisers.items():
        _unpack_optimiser(f"optimisers.{name}", optimiser.optimizer, tensors, numbers)


def _pack_module(prefix: str, net: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in net.state_dict().items()}


def _unpack_module(prefix: str, net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    own = {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}
    try:
        net.load_state_dict(own)
    except RuntimeError as error:
        do = "resume with the options it was started with"
        raise OptionsError(f"{prefix} of the checkpoint", first_line(error), do) from error


def _pack_optimiser(prefix: str, optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state: tensors named PREFIX.WEIGHT.KEY, the plain numbers, and the strides of the tensors.

    The strides matter: a product with a matrix of another memory layout differs in the last bits.
    """
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for i, weight in enumerate(_weights(optimiser)):
        for key, value in optimiser.state.get(weight, {}).items():
            name = f"{prefix}.{i}.{key}"
            if isinstance(value, Tensor):
                tensors[name], numbers[f"{name}{_STRIDES}"] = value, list(value.stride())
            else:
                numbers[name] = value
    return tensors, numbers


def _unpack_optimiser(
    prefix: str, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]
) -> None:
    """Restore each tensor on the device of its weight, with its strides; AdamW's step counters stay on the CPU."""
    weights = _weights(optimiser)
    for name, value in {**tensors, **numbers}.items():
        if not name.startswith(f"{prefix}.") or name.endswith(_STRIDES):
            continue
        index, key = name[len(prefix) + 1 :].split(".", 1)
        weight = weights[int(index)]
        if isinstance(value, Tensor):
            device = weight.device if value.ndim else value.device
            strides = numbers[f"{name}{_STRIDES}"]
            value = torch.empty_strided(value.shape, strides, dtype=value.dtype, device=device).copy_(value)
        optimiser.state[weight][key] = value


def _weights(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [weight for group in optimiser.param_groups for weight in group["params"]]
