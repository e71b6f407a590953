"""Checkpoints: one safetensors file with all tensors, and everything else as JSON in its header.

The file is written under a temporary name and renamed: a kill, a power cut or a full disk leaves the previous one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from engines.errors import OptionsError, os_errors
from engines.files import atomic_write
from engines.text import first_line
from engines.training.method import Parts
from engines.untrusted_files import shown

FORMAT = 2  # checkpoints of another format are refused
_STRIDES = ".strides"


def prepare_folder(folder: Path) -> None:
    """Create a folder for minutes of training to write to. Raises OptionsError if it is not writable."""
    with os_errors(f"folder {folder}", "name another --out or --work"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint. Raises OptionsError, with the previous one unchanged, if the folder is not writable."""
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        atomic_write(path, save(on_cpu, {"state": json.dumps({**state, "format": FORMAT})}), sync=True)
    except OSError as error:
        reason, do = error.strerror or str(error), "make room, or name another folder with --work"
        if path.exists():
            reason, do = f"{reason}; the previous one is intact", "make room, then continue with --resume"
        raise OptionsError(f"checkpoint {path}", reason, do) from error


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and state of a checkpoint. Raises OptionsError if there is none, or it is not readable."""
    do = "start over with --again"
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise OptionsError(f"checkpoint {path}", "there is none", "start without --resume") from error
    except (OSError, SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise OptionsError(f"checkpoint {path}", f"not readable ({error})", do) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        got = shown(state.get("format")) if isinstance(state, dict) else "no table"
        raise OptionsError(f"checkpoint {path}", f"its format is {got}, expected {FORMAT}", do)
    return found, state


def pack(parts: Parts, best: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return all tensors and plain numbers that the next step depends on, and the best weights.

    The state of an optimiser is named PREFIX.WEIGHT.KEY. The strides of its tensors matter: a product with a matrix of
    another memory layout differs in the last bits.
    """
    nets = _nets(parts, best).items()
    tensors = {f"{prefix}.{name}": tensor for prefix, net in nets for name, tensor in net.state_dict().items()}
    numbers: dict[str, Any] = {}
    for prefix, weights, memory in _optimisers(parts):
        for i, weight in enumerate(weights):
            for key, value in memory.get(weight, {}).items():
                name = f"{prefix}{i}.{key}"
                if isinstance(value, Tensor):
                    tensors[name], numbers[f"{name}{_STRIDES}"] = value, list(value.stride())
                else:
                    numbers[name] = value
    return tensors, numbers


def unpack(parts: Parts, best: nn.Module, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Restore what `pack` returned: each tensor on the device of its weight, AdamW's step counters on the CPU.

    Raises OptionsError if it does not fit these networks.
    """
    for prefix, net in _nets(parts, best).items():
        try:
            net.load_state_dict(_below(f"{prefix}.", tensors))
        except RuntimeError as error:
            do = "resume with the options it was started with"
            raise OptionsError(f"{prefix} of the checkpoint", first_line(error), do) from error
    for prefix, weights, memory in _optimisers(parts):
        saved = _below(prefix, {**tensors, **numbers})
        for name, value in saved.items():
            if name.endswith(_STRIDES):
                continue
            index, key = name.split(".", 1)
            weight = weights[int(index)]
            if isinstance(value, Tensor):
                device, strides = weight.device if value.ndim else value.device, saved[f"{name}{_STRIDES}"]
                value = torch.empty_strided(value.shape, strides, dtype=value.dtype, device=device).copy_(value)
            memory[weight][key] = value


def start_from(parts: Parts, path: Path) -> None:
    """Copy all networks and averages of a checkpoint. Raises OptionsError if it is not readable, or does not fit."""
    tensors, _ = read(path)
    for kind, nets in (("networks", parts.networks), ("averages", parts.averages)):
        for name, net in nets.items():
            try:
                net.load_state_dict(_below(f"{kind}.{name}.", tensors))
            except RuntimeError as error:
                requested = f"{name} of the checkpoint {path}"
                raise OptionsError(requested, first_line(error), "use the options it was trained with") from error


def _below(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _nets(parts: Parts, best: nn.Module) -> dict[str, nn.Module]:
    networks = {f"networks.{name}": net for name, net in parts.networks.items()}
    return {"best": best, **networks, **{f"averages.{name}": net for name, net in parts.averages.items()}}


def _optimisers(parts: Parts) -> Iterator[tuple[str, list[nn.Parameter], dict[nn.Parameter, dict[str, Any]]]]:
    """Yield the prefix, the weights and the state of each optimiser."""
    for name, wrapped in parts.optimisers.items():
        optimiser = wrapped.optimizer
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        yield f"optimisers.{name}.", weights, optimiser.state
