"""A training run on disk: one safetensors file with all tensors, and all else as JSON in its header.

One file, written aside and renamed: a kill, a power cut or a full disk leaves the last whole one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from engines.errors import OptionsError
from engines.untrusted_files import shown

_STRIDES = ".strides"
FORM = 1  # of the file; another number is not read


def write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        OptionsError: the disk is full or the folder not writable; what lay there before is untouched.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        content = save(whole, {"state": json.dumps({**state, "form": FORM})})
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        do = "make room, then go on with --resume" if path.exists() else "make room, or name another folder with --work"
        kept = "; the one before it is whole" if path.exists() else ""
        raise OptionsError(f"checkpoint {path}", f"{error.strerror or error}{kept}", do) from error
    finally:
        part.unlink(missing_ok=True)


def read_state(path: Path) -> dict[str, Any]:
    """All but the tensors of a checkpoint.

    Raises:
        OptionsError: as for `read`.
    """
    return _read(path, tensors=False)[1]


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the rest of a checkpoint.

    Raises:
        OptionsError: there is none, or it is not one of these.
    """
    return _read(path, tensors=True)


def _read(path: Path, *, tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    do = "start without --resume"
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            found = {name: file.get_tensor(name) for name in (file.keys() if tensors else ())}
    except FileNotFoundError as error:
        raise OptionsError(f"checkpoint {path}", "there is none", do) from error
    except (OSError, SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise OptionsError(f"checkpoint {path}", f"not readable ({error})", do) from error
    if not isinstance(state, dict):
        raise OptionsError(f"checkpoint {path}", "its state is no table", do)
    if state.get("form") != FORM:
        raise OptionsError(f"checkpoint {path}", f"of form {shown(state.get('form'))}, not {FORM}", do)
    return found, state


def pack_module(prefix: str, net: nn.Module) -> dict[str, Tensor]:
    """A network's tensors, named `PREFIX.NAME`."""
    return {f"{prefix}.{name}": tensor for name, tensor in net.state_dict().items()}


def unpack_module(prefix: str, net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put them back.

    Raises:
        OptionsError: they do not fit.
    """
    own = {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}
    try:
        net.load_state_dict(own)
    except RuntimeError as error:
        got = str(error).strip().splitlines()[0][:140]
        raise OptionsError(f"{prefix} of the checkpoint", got, "resume with the options it was started with") from error


def pack_optimiser(prefix: str, optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's memory: tensors named `PREFIX.WEIGHT.KEY`; and the plain numbers, and the tensors' strides.

    A product with a matrix that lies the other way round in memory differs in the last bits.
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


def unpack_optimiser(
    prefix: str, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]
) -> None:
    """Put it back, each tensor where its weight is and as it lay in memory; AdamW's counters stay on the CPU."""
    weights = _weights(optimiser)
    for name, value in {**tensors, **numbers}.items():
        if not name.startswith(f"{prefix}.") or name.endswith(_STRIDES):
            continue
        place, key = name[len(prefix) + 1 :].split(".", 1)
        weight = weights[int(place)]
        if isinstance(value, Tensor):
            device = weight.device if value.ndim else value.device
            strides = numbers[f"{name}{_STRIDES}"]
            value = torch.empty_strided(value.shape, strides, dtype=value.dtype, device=device).copy_(value)
        optimiser.state[weight][key] = value


def _weights(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [weight for group in optimiser.param_groups for weight in group["params"]]
