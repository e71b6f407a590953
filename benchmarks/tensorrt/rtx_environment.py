"""An environment of its own for TensorRT-RTX, which excludes the other distribution of torch-tensorrt."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

PINS = ("torch==2.13.0", "torch-tensorrt-rtx==2.13.0")
_INSTALL_S = 3600.0  # a slow line takes its time over 200 MB; with PyTorch's CUDA build, over several GB
_NEEDED = "installed.json"


class NoEnvironmentError(Exception):
    """It cannot be made: one line says why, and what to do."""


def environment(folder: Path) -> Path:
    """The Python of an environment with TensorRT-RTX, made if it is not there; by one process, others wait.

    Raises:
        NoEnvironmentError: pip could not install it, or the disk does not allow it.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=_INSTALL_S):
            if not _is_there(folder, python):
                _make(folder, python)
    except Timeout:
        raise NoEnvironmentError(f"another process has been making {folder} for an hour: end it") from None
    except OSError as error:
        raise NoEnvironmentError(f"{folder} cannot be made: {error.strerror or error}") from error
    return python


def about(folder: Path) -> dict[str, Any]:
    """What making it took: "pins", "python", "install_s", "bytes"; empty where it is not there."""
    try:
        found = json.loads((folder / _NEEDED).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_there(folder: Path, python: Path) -> bool:
    found = about(folder)
    return found.get("pins") == list(PINS) and found.get("python") == sys.version and python.is_file()


def _make(folder: Path, python: Path) -> None:
    print(f"installing {' '.join(PINS)} into {folder}", file=sys.stderr, flush=True)
    started_s = time.monotonic()
    if folder.exists():  # half of one, or one with other pins; a folder that is something else is left alone
        if not (folder / "pyvenv.cfg").is_file():
            raise NoEnvironmentError(f"{folder} is no environment of Python's: name another folder")
        shutil.rmtree(folder)
    venv.create(folder, with_pip=True)
    _pip(python)
    size = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
    took_s = round(time.monotonic() - started_s, 1)
    said = {"pins": list(PINS), "python": sys.version, "install_s": took_s, "bytes": size}
    (folder / _NEEDED).write_text(json.dumps(said))  # written last: without it the folder is made anew


def _pip(python: Path) -> None:
    command = [str(python), "-m", "pip", "install", "-q", "--progress-bar", "off", *PINS]
    do = "let pip reach a package index (PIP_INDEX_URL, PIP_FIND_LINKS), or name what has them with --environment"
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", timeout=_INSTALL_S)
    except subprocess.TimeoutExpired:
        raise NoEnvironmentError(f"{' '.join(PINS)} could not be had in an hour: {do}") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        why = next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1] if lines else "")
        raise NoEnvironmentError(f"{' '.join(PINS)} cannot be had: {why.removeprefix('ERROR: ')[:200]} - {do}")
