"""Which distribution of TensorRT is installed; asked without loading it, since its import wants a GPU."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from importlib import metadata

from engines.runtime.base import NotUsableError

EXTRAS = "pip install 'veneer[tensorrt]' (any NVIDIA GPU, several GB) or 'veneer[rtx]' (GeForce, 95 MB), not both"


@dataclass(frozen=True, slots=True)
class Distribution:
    """One of the two that bring the module `torch_tensorrt`, and the TensorRT that belongs to it.

    Attributes:
        converter: the distribution that brings torch_tensorrt.
        tensorrt: the distribution of TensorRT itself.
        module: what it is imported as.
    """

    converter: str
    tensorrt: str
    module: str

    def versions(self) -> dict[str, str]:
        """Of both."""
        return {name: metadata.version(name) for name in (self.converter, self.tensorrt)}


_BOTH = (
    Distribution("torch-tensorrt-rtx", "tensorrt-rtx", "tensorrt_rtx"),
    Distribution("torch-tensorrt", "tensorrt", "tensorrt"),
)


def installed_distribution() -> Distribution:
    """The one that is there.

    Raises:
        NotUsableError: there is none, or both are there and shadow each other.
    """
    found = []
    for distribution in _BOTH:
        with contextlib.suppress(metadata.PackageNotFoundError):
            distribution.versions()
            found.append(distribution)
    if not found:
        raise NotUsableError("TensorRT is not installed", EXTRAS)
    if len(found) > 1:
        names = " and ".join(distribution.converter for distribution in found)
        raise NotUsableError(f"{names} exclude each other", "uninstall one of them and its TensorRT")
    return found[0]
