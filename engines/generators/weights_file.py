"""Load a generator's weights from an untrusted safetensors file.

The header alone states names, types and shapes (https://huggingface.co/docs/safetensors, "Format"). It is compared with
the generator first, so no memory is allocated for a file that does not fit. The format cannot contain code.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import EngineError
from engines.text import first_line
from engines.untrusted_files import plain_size, shown

if TYPE_CHECKING:
    from torch import Tensor, nn

MAX_BYTES = 1_200_000_000  # the full U-GAT-IT has 1.116 GB
_TYPES = ("F16", "BF16", "F32", "F64", "I64")  # I64: the counter of a batch normalisation
_DO = "train or copy them again"


@contextlib.contextmanager
def shapes_only() -> Iterator[None]:
    """Build networks on the meta device and skip initialisation: they have shapes but no values and no memory."""
    import torch
    from torch.overrides import TorchFunctionMode

    class _NoInit(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if getattr(func, "__module__", "") == "torch.nn.init":
                return kwargs.get("tensor", args[0] if args else None)
            return func(*args, **kwargs)

    with torch.device("meta"), _NoInit():
        yield


def load_weights(net: nn.Module, path: Path) -> nn.Module:
    """Load a file with exactly the tensors of a generator built under `shapes_only`; return it on the CPU, in FP32.

    Raises EngineError if the file is not a safetensors file of a plausible size, does not fit, or has a non-finite
    value.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    requested, expected = f"weights {path}", net.state_dict()
    try:
        plain_size(path, MAX_BYTES)
        with safe_open(path, framework="pt", device="cpu") as file:
            if mismatch := _mismatch(file, expected):
                raise EngineError(requested, f"not usable ({mismatch})", _DO)
            # Copies: the file may be overwritten while the generator runs.
            state = {name: file.get_tensor(name).to(tensor.dtype, copy=True) for name, tensor in expected.items()}
        net.load_state_dict(state, strict=True, assign=True)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise EngineError(requested, f"not usable ({first_line(error)})", _DO) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in net.state_dict().values()):
        raise EngineError(requested, "they hold NaN or infinity", _DO)
    return net


def _mismatch(file: Any, expected: Mapping[str, Tensor]) -> str:
    """Return the first difference between the file's header and the generator, or an empty string."""
    names = set(file.keys())
    if missing := sorted(expected.keys() - names):
        return f"{len(missing)} tensors are missing, {missing[0]} among them"
    if unknown := sorted(names - expected.keys()):
        return f"{len(unknown)} tensors are not the generator's, {shown(unknown[0])} among them"
    for name, tensor in expected.items():
        header = file.get_slice(name)
        shape, kind = tuple(header.get_shape()), str(header.get_dtype())
        if shape != tuple(tensor.shape):
            return f"{name} is of shape {shown(shape)}, the generator's is {tuple(tensor.shape)}"
        if kind not in _TYPES:
            return f"{name} is of type {shown(kind)}, not one of {', '.join(_TYPES)}"
    return ""
