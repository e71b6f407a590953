"""Optional dependencies: which extra of the package provides a module, and how to install it."""

from __future__ import annotations

from engines.errors import OptionsError

# extra of pyproject.toml -> {module to import: name for messages}
_MODULES = {
    "train": {"torch": "PyTorch", "lightning_fabric": "Lightning Fabric", "psutil": "psutil"},
    "int8": {"nncf": "NNCF"},
    "panel": {
        "starlette": "Starlette",
        "uvicorn": "uvicorn",
        "websockets": "websockets",
        "tomlkit": "TOML Kit",
        "cryptography": "cryptography",
    },
    "obs": {"simpleobsws": "simpleobsws"},
    "cluster": {"ray": "Ray", "fsspec": "fsspec", "s3fs": "s3fs"},
    "nvidia": {"torch": "PyTorch", "torch_tensorrt": "Torch-TensorRT"},
    "rtx": {"torch": "PyTorch", "torch_tensorrt": "Torch-TensorRT-RTX"},
}


def install_command(extra: str) -> str:
    """Return the command that installs an extra of the package."""
    return f"pip install 'veneer[{extra}]'"


def missing_module(error: ImportError) -> OptionsError | None:
    """Return the error for the user if an import failed because an extra is not installed; else None."""
    for extra, modules in _MODULES.items():
        if error.name in modules:
            return OptionsError("this command", f"{modules[error.name]} is not installed", install_command(extra))
    return None
