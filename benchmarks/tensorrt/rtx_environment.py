"""Virtual environment with TensorRT-RTX, which cannot be installed beside the other distribution of torch-tensorrt.

It shares the packages of the Python that creates it if PyTorch there has the pinned version; otherwise PyTorch is
installed a second time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

PINS = ("torch==2.13.0", "torch-tensorrt-rtx==2.13.0")
_INSTALL_TIMEOUT_S = 3600.0  # for slow connections: 200 MB, or several GB with the CUDA build of PyTorch
_MARKER = "installed.json"


class NoEnvironmentError(Exception):
    """The environment cannot be created; the message is one line with the remedy."""


def environment(folder: Path) -> Path:
    """Create the environment if necessary, and return its Python, or raise NoEnvironmentError. Other processes wait."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=_INSTALL_TIMEOUT_S):
            found = about(folder)
            complete = found.get("pins") == list(PINS) and found.get("python") == sys.version and python.is_file()
            if not complete or not _has_torch(found.get("shares", "")):
                _create(folder, python)
    except Timeout:
        raise NoEnvironmentError(f"another process has been creating {folder} for an hour: end it") from None
    except OSError as error:
        raise NoEnvironmentError(f"{folder} cannot be created: {error.strerror or error}") from error
    return python


def about(folder: Path) -> dict[str, Any]:
    """Return "pins" and "python" of an environment; empty if it is missing or incomplete."""
    try:
        found = json.loads((folder / _MARKER).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _create(folder: Path, python: Path) -> None:
    print(f"installing {' '.join(PINS)} into {folder}", file=sys.stderr, flush=True)
    if folder.exists():  # incomplete, or with other pins; any other folder must not be deleted
        if not (folder / "pyvenv.cfg").is_file():
            raise NoEnvironmentError(f"{folder} is not a Python environment: name another folder")
        shutil.rmtree(folder)
    venv.create(folder, with_pip=True)
    shares = _shareable()
    if shares:  # the last entry of sys.path: packages of the environment itself come first
        site_packages = next(folder.glob("[Ll]ib/**/site-packages"))
        (site_packages / "shared.pth").write_text(f"{shares}\n", encoding="utf-8")
    _install(python)
    marker = {"pins": list(PINS), "python": sys.version, "shares": shares}
    (folder / _MARKER).write_text(json.dumps(marker))  # written last: marks the environment as complete


def _shareable() -> str:
    """Return the folder of this Python's packages if PyTorch there is the pinned one; "" if it has to be installed."""
    names = {str(one.metadata["Name"]).lower().replace("_", "-") for one in metadata.distributions()}
    if names & {"torch-tensorrt", "torch-tensorrt-rtx", "tensorrt"} or "torch" not in names:
        return ""
    folder = str(metadata.distribution("torch").locate_file(""))
    return folder if _has_torch(folder) else ""


def _has_torch(folder: str) -> bool:
    """Return whether a folder of shared packages, if one is named, still contains the pinned PyTorch."""
    pinned = PINS[0].replace("==", "-")
    return not folder or any(Path(folder).glob(f"{pinned}[.+-]*dist-info"))


def _install(python: Path) -> None:
    command = [str(python), "-m", "pip", "install", "-q", "--progress-bar", "off", *PINS]
    remedy = "give pip a package index (PIP_INDEX_URL, PIP_FIND_LINKS), or name an environment with --environment"
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", timeout=_INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise NoEnvironmentError(f"{' '.join(PINS)} could not be installed in an hour: {remedy}") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        error = next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1] if lines else "")
        reason = error.removeprefix("ERROR: ")[:200]
        raise NoEnvironmentError(f"{' '.join(PINS)} cannot be installed: {reason} - {remedy}")
