"""Which distribution of TensorRT is installed, found without importing it: the import requires a GPU."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from importlib import metadata

from engines.runtime.base import NotUsableError

INSTALL = "pip install 'veneer[nvidia]' (any NVIDIA GPU, several GB) or 'veneer[rtx]' (GeForce, 95 MB), not both"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution that contains `torch_tensorrt`, the converter, with its TensorRT and the name of its module."""

    converter: str
    tensorrt: str
    module: str

    def versions(self) -> dict[str, str]:
        """Return the versions of both by name. Raises PackageNotFoundError."""
        return {name: metadata.version(name) for name in (self.converter, self.tensorrt)}


_BOTH = (
    Distribution("torch-tensorrt-rtx", "tensorrt-rtx", "tensorrt_rtx"),
    Distribution("torch-tensorrt", "tensorrt", "tensorrt"),
)


def installed_distribution() -> Distribution:
    """Return the installed one. Raises NotUsableError if there is none, or both, which overwrite each other's files."""
    found = []
    for distribution in _BOTH:
        with contextlib.suppress(metadata.PackageNotFoundError):
            distribution.versions()
            found.append(distribution)
    if not found:
        raise NotUsableError("TensorRT is not installed", INSTALL)
    if len(found) > 1:
        names = " and ".join(distribution.converter for distribution in found)
        raise NotUsableError(f"{names} exclude each other", "uninstall one of them and its TensorRT")
    return found[0]
