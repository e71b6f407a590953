"""Read the tensors of an untrusted PyTorch or safetensors checkpoint.

A PyTorch checkpoint is a pickle. It is read with `weights_only=True`, which builds tensors, numbers and containers and
runs nothing. It is read twice: first without memory for the tensors, to compare what it claims with the file's length.
"""

from __future__ import annotations

import argparse
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import OptionsError
from engines.text import first_line
from engines.untrusted_files import plain_size, shown

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 4_000_000_000
_MAX_STRUCTURE_BYTES = 32_000_000  # the pickle without the tensors; that of a large network has some 100 kB
_MAX_TENSORS, _MAX_DEPTH, _MAX_NAME = 20_000, 5, 300
_DO = "name a checkpoint as its program saves it: a .pt, .pth, .model or .safetensors file"
_CODE = "it holds code or objects beside tensors, which are not loaded"

# The options of a training, which programs save beside the weights. No code of it runs.
_PLAIN_OBJECTS: list[Any] = [argparse.Namespace]

_REFUSED = re.compile(r"GLOBAL (\S+)")

Group = dict[str, "Tensor"]


def read_groups(path: Path) -> dict[str, Group]:
    """Return the groups of named tensors in a checkpoint, in their order.

    A group is a dictionary whose values are tensors; its key is the path to it, as in "genA2B" or "model/params"; ""
    for the outermost dictionary. The tensors of a PyTorch file are views of the file, which must not change meanwhile.

    Raises:
        OptionsError: The file cannot be read, is not a checkpoint, holds code, or claims more than it has.
    """
    requested = f"checkpoint {path}"
    try:
        size = plain_size(path, MAX_BYTES)
        found = _read_safetensors(path) if _is_safetensors(path) else _read_pickle(path, size)
        groups = dict(_groups(found, "", 0))
    except OptionsError:
        raise
    except MemoryError as error:
        raise OptionsError(requested, "it claims more memory than there is", _DO) from error
    except Exception as error:  # the readers raise exceptions of many types for damaged files
        raise OptionsError(requested, _reason(error), _DO) from error
    if not groups:
        raise OptionsError(requested, "there are no named tensors in it", _DO)
    return groups


def _reason(error: Exception) -> str:
    text = str(error)
    if "eights only load failed" in text or type(error).__name__ == "UnpicklingError":
        refused = _REFUSED.search(text)
        return f"{_CODE} ({shown(refused[1])})" if refused else f"{_CODE}, or it is damaged"
    if "TorchScript" in text or "torch.jit" in text:
        return "it is a TorchScript program, which is not run"
    known = isinstance(error, (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile))
    return f"not readable ({first_line(error)})" if known else "it is not a checkpoint, or it is damaged"


def _is_safetensors(path: Path) -> bool:
    """Whether the file begins with the length of a JSON header and its brace."""
    with path.open("rb") as file:
        start = file.read(9)
    return path.suffix == ".safetensors" or (len(start) == 9 and start[8:9] == b"{" and start[4:8] == bytes(4))


def _read_safetensors(path: Path) -> Group:
    from safetensors import safe_open

    with safe_open(path, framework="pt", device="cpu") as file:
        names = list(file.keys())
        if len(names) > _MAX_TENSORS:
            raise ValueError(f"it has {len(names)} tensors, more than {_MAX_TENSORS}")
        return {name: file.get_tensor(name) for name in names}


def _read_pickle(path: Path, size: int) -> Any:
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    is_archive = zipfile.is_zipfile(path)
    if is_archive:
        _check_archive(path, size)
    with warnings.catch_warnings(), torch.serialization.safe_globals(_PLAIN_OBJECTS):
        warnings.simplefilter("ignore")  # about the age of the format
        with FakeTensorMode():  # tensors have shapes, and no memory
            claimed = torch.load(path, map_location="cpu", weights_only=True)
        for name, tensor in _tensors(claimed, "", 0):
            if tensor.untyped_storage().nbytes() > size or tensor.numel() * tensor.element_size() > size:
                got = f"{shown(name)} claims {shown(tuple(tensor.shape))}, which is more than the file has"
                raise OptionsError(f"checkpoint {path}", got, "copy it again: it is truncated or damaged")
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)


def _check_archive(path: Path, size: int) -> None:
    """Compare what the archive's directory claims with the file's length. Raises ValueError or BadZipFile."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    claimed = sum(member.file_size for member in members)
    if claimed > size or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError(f"its directory claims {claimed} bytes, and the file has {size}")
    structure = sum(member.file_size for member in members if member.filename.endswith(".pkl"))
    if structure > _MAX_STRUCTURE_BYTES or len(members) > _MAX_TENSORS:
        raise ValueError(f"its directory lists {len(members)} parts, and {structure} bytes of structure")


def _groups(found: Any, path: str, depth: int) -> Iterator[tuple[str, Group]]:
    """Yield each dictionary that has tensors, the outermost first."""
    if not isinstance(found, Mapping) or depth > _MAX_DEPTH:
        return
    tensors = {name: value for name, value in found.items() if _is_tensor(name, value)}
    if tensors:
        if len(tensors) > _MAX_TENSORS:
            raise ValueError(f"it has {len(tensors)} tensors, more than {_MAX_TENSORS}")
        yield path, tensors
    for name, value in found.items():
        if isinstance(name, str) and isinstance(value, Mapping):
            yield from _groups(value, f"{path}/{name[:_MAX_NAME]}".strip("/"), depth + 1)


def _is_tensor(name: Any, value: Any) -> bool:
    import torch

    plain = isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_quantized
    return plain and isinstance(name, str) and len(name) <= _MAX_NAME


def _tensors(found: Any, path: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Yield all plain tensors in dictionaries and lists, as far as `_groups` looks and one level deeper."""
    import torch

    if isinstance(found, torch.Tensor):
        if found.layout != torch.strided or found.is_quantized:
            raise ValueError(f"{shown(path)} is a tensor without plain values")
        yield path, found
    elif isinstance(found, (Mapping, list, tuple)) and depth <= _MAX_DEPTH + 1:
        items = found.items() if isinstance(found, Mapping) else enumerate(found)
        for name, value in items:
            yield from _tensors(value, f"{path}/{name}"[-_MAX_NAME:].strip("/"), depth + 1)
