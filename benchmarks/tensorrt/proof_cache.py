"""Proofs that were made before, of the very same inputs: what did not change need not be built at every change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
_OURS = ("engines", "benchmarks", "__main__")


def inputs_digest(net: nn.Module, size_wh: tuple[int, int], count: int) -> str:
    """One name for all that a plan is made of: weights, size, count, all of our modules that are loaded, and everything
    that is installed.
    """
    digest = hashlib.sha256(json.dumps([_machine(), list(size_wh), count, type(net).__name__, repr(net)]).encode())
    for name, values in sorted(net.state_dict().items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)} ".encode())
        digest.update(values.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:32]


@cache
def _machine() -> dict[str, Any]:
    sources = hashlib.sha256()
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] in _OURS]
    for path in sorted(Path(file) for module in ours if (file := getattr(module, "__file__", None))):
        if path.is_relative_to(ROOT):
            sources.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    installed = sorted(f"{one.metadata['Name']} {one.version}" for one in metadata.distributions())
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {"sources": sources.hexdigest(), "installed": installed, "python": sys.version, "gpu": gpu}


def read(file: Path | None) -> dict[str, Mapping[str, Any]]:
    """What is kept, by `inputs_digest`; nothing where the file cannot be read."""
    with contextlib.suppress(OSError, ValueError, RecursionError, TypeError):
        found = json.loads(file.read_text(encoding="utf-8")) if file else {}
        return (
            {key: proof for key, proof in found.items() if isinstance(proof, dict)} if isinstance(found, dict) else {}
        )
    return {}


def write(file: Path | None, proofs: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep these and no others; where the disk does not allow it, they are made again the next time."""
    if file is None:
        return
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(proofs, indent=1) + "\n", encoding="utf-8")
        part.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
