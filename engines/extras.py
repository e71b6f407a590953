"""Optional dependencies: which extra of the package provides a module, and how to install it."""

from __future__ import annotations

import importlib.util

from engines.errors import OptionsError

# extra of pyproject.toml -> {module to import: name for messages}
_MODULES = {
    "train": {"torch": "PyTorch", "lightning_fabric": "Lightning Fabric", "psutil": "psutil"},
    "int8": {"nncf": "NNCF"},
    "nvidia": {"torch": "PyTorch", "torch_tensorrt": "Torch-TensorRT"},
    "rtx": {"torch": "PyTorch", "torch_tensorrt": "Torch-TensorRT-RTX"},
}


def install_command(extra: str) -> str:
    """Return the command that installs an extra of the package."""
    return f"pip install 'veneer[{extra}]'"


def missing(extra: str) -> str:
    """Return the names of the libraries of an extra that are not installed, as in "PyTorch and NNCF"; may be empty."""
    return " and ".join(name for module, name in _MODULES[extra].items() if importlib.util.find_spec(module) is None)


def missing_module(error: ImportError) -> OptionsError | None:
    """Return the error for the user if an import failed because an extra is not installed; else None."""
    for extra, modules in _MODULES.items():
        if error.name in modules:
            return OptionsError("this command", f"{modules[error.name]} is not installed", install_command(extra))
    return None


def require(extra: str, purpose: str) -> None:
    """Check that the libraries of an extra are installed, without importing them.

    Args:
        extra: A key of the extras in pyproject.toml: "train", "int8", "nvidia" or "rtx".
        purpose: What needs them, in the user's words: "training", "veneer evaluate".

    Raises:
        OptionsError: One is not installed; the message says which and how to install it.
    """
    if names := missing(extra):
        verb = "are" if " and " in names else "is"
        raise OptionsError(purpose, f"{names} {verb} not installed", install_command(extra))
