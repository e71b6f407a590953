"""Cache of proofs by the digest of their inputs, so that unchanged generators are not built again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engines.files import atomic_write

ROOT = Path(__file__).resolve().parents[2]
_OWN_PACKAGES = ("engines", "benchmarks", "__main__")


def inputs_digest(net: nn.Module, size_wh: tuple[int, int], count: int) -> str:
    """Return a digest of weights, shapes, all loaded modules of this project, and all installed packages."""
    digest = hashlib.sha256(json.dumps([_machine(), list(size_wh), count, type(net).__name__, repr(net)]).encode())
    for name, values in sorted(net.state_dict().items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)} ".encode())
        digest.update(values.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:32]


@cache
def _machine() -> dict[str, Any]:
    sources = hashlib.sha256()
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in _OWN_PACKAGES]
    for path in sorted(Path(file) for module in modules if (file := getattr(module, "__file__", None))):
        if path.is_relative_to(ROOT):
            sources.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    installed = sorted(f"{one.metadata['Name']} {one.version}" for one in metadata.distributions())
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {"sources": sources.hexdigest(), "installed": installed, "python": sys.version, "gpu": gpu}


def read(file: Path | None) -> dict[str, Mapping[str, Any]]:
    """Return the cached proofs by `inputs_digest`; empty if the file is missing or damaged."""
    with contextlib.suppress(OSError, ValueError, RecursionError, TypeError):
        found = json.loads(file.read_text(encoding="utf-8")) if file else {}
        if isinstance(found, dict):
            return {key: proof for key, proof in found.items() if isinstance(proof, dict)}
    return {}


def write(file: Path | None, proofs: Mapping[str, Mapping[str, Any]]) -> None:
    """Replace the cached proofs; a full disk is ignored, because they can be made again."""
    if file is not None:
        with contextlib.suppress(OSError):
            atomic_write(file, json.dumps(proofs, indent=1) + "\n")
