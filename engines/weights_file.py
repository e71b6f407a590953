"""A generator's weights out of a safetensors file that anybody may have made: held against the generator first.

The header alone says names, kinds and shapes (https://huggingface.co/docs/safetensors, "Format"), so nothing is
loaded, and no memory taken, for a file that does not fit. There is no code in such a file that could run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import EngineError
from engines.untrusted_files import plain_size, shown

if TYPE_CHECKING:
    from torch import Tensor, nn

MOST_BYTES = 1_000_000_000
_KINDS = ("F16", "BF16", "F32", "F64", "I64")  # the last one: a normalisation's counter
_DO = "train or copy them again"


@contextlib.contextmanager
def shapes_only() -> Iterator[None]:
    """Generators made in here have shapes and no numbers: no memory, and no time for a fresh start's random values."""
    import torch
    from torch.overrides import TorchFunctionMode

    class _NoStart(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if getattr(func, "__module__", "") == "torch.nn.init":
                return kwargs.get("tensor", args[0] if args else None)
            return func(*args, **kwargs)

    with torch.device("meta"), _NoStart():
        yield


def load_weights(net: nn.Module, path: Path) -> nn.Module:
    """Put the weights of a file into a generator.

    Args:
        net: made under `shapes_only`.
        path: a safetensors file with exactly the generator's tensors.

    Returns:
        The generator on the CPU, in FP32.

    Raises:
        EngineError: no plain safetensors file of a reasonable size, another generator's, or not finite.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    asked, wanted = f"weights {path}", net.state_dict()
    try:
        plain_size(path, MOST_BYTES)
        with safe_open(path, framework="pt", device="cpu") as file:
            if misfit := _misfit(file, wanted):
                raise EngineError(asked, f"not usable ({misfit})", _DO)
            # Copies: the file may be written anew while the generator runs.
            state = {name: file.get_tensor(name).to(tensor.dtype, copy=True) for name, tensor in wanted.items()}
        net.load_state_dict(state, strict=True, assign=True)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:140]
        raise EngineError(asked, f"not usable ({why})", _DO) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in net.state_dict().values()):
        raise EngineError(asked, "they hold NaN or infinity", _DO)
    return net


def _misfit(file: Any, wanted: dict[str, Tensor]) -> str:
    """What of the header does not fit the generator, in words; empty where all does."""
    names = set(file.keys())
    if lacking := sorted(wanted.keys() - names):
        return f"{len(lacking)} tensors are missing, {lacking[0]} among them"
    if more := sorted(names - wanted.keys()):
        return f"{len(more)} tensors are not the generator's, {shown(more[0])} among them"
    for name, tensor in wanted.items():
        told = file.get_slice(name)
        shape, kind = tuple(told.get_shape()), str(told.get_dtype())
        if shape != tuple(tensor.shape):
            return f"{name} is of shape {shown(shape)}, the generator's is {tuple(tensor.shape)}"
        if kind not in _KINDS:
            return f"{name} is of kind {shown(kind)}, not one of {', '.join(_KINDS)}"
    return ""
