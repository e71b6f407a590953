"""Prints a digest of everything that one slow check depends on: `python -m tests.support.fingerprint CHECK`.

The check need not run again on a machine where it passed with the same digest. The digest covers the product modules
that the check's entry modules import, directly or not (modules named in strings too), the check's own files, the
versions of all installed packages and of the system programs that the check uses.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("engines", "live", "calibration", "benchmarks")
_MODULE_NAME = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")


@dataclass(frozen=True)
class Check:
    """What one check depends on.

    Attributes:
        modules: The product modules that it starts or imports.
        files: Glob patterns of its own files and of the data that it reads.
        programs: Debian packages whose versions count.
    """

    modules: tuple[str, ...]
    files: tuple[str, ...]
    programs: tuple[str, ...] = ()


_SHARED_FILES = ("constraints.txt", "pyproject.toml", "tests/support/fingerprint.py", ".ci/run")
# Generators are found by name at run time, so that no import statement shows them.
_STYLE_FILES = ("engines/weights/**/*", "engines/looks.toml", "engines/generators/*.py")
CHECKS = {
    "tensorrt-proof": Check(
        (
            "benchmarks.tensorrt_proof",
            "benchmarks.common.onnx_writer",
            "engines.runtime.tensorrt.plan_builder",
            "engines.runtime.tensorrt.graph_plan",
        ),
        (*_SHARED_FILES, *_STYLE_FILES, "tests/engines/runtime/test_tensorrt_proof.py"),
    ),
    "virtual-machine": Check(
        (
            "live.__main__",
            "live.commands.run_command",
            "live.commands.apply_command",
            "live.commands.doctor_command",
            "live.commands.ctl_command",
            "benchmarks.latency",
            # found through entry points
            "calibration.train_command",
            "calibration.evaluate_command",
            "calibration.calibrate_command",
            "calibration.engine_checks.int8_build",
            "engines.build.engines_command",
        ),
        (
            *_SHARED_FILES,
            *_STYLE_FILES,
            "live/panel/page/*",
            "tests/vm/**/*",
            "tests/conftest.py",
            *(f"tests/support/{name}.py" for name in ("cli_parts", "obs_parts", "panel_parts", "root", "screen")),
        ),
        ("qemu-system-x86", "busybox-static", "v4l-utils", "chromium", "ffmpeg", "gcc-12", "obs-studio", "xvfb"),
    ),
}


def digest(check: Check, root: Path = ROOT) -> str:
    """The check's digest, 32 hexadecimal digits, for the tree at `root`."""
    found = hashlib.sha256()
    for path in sorted({*imported_files(check.modules, root), *_matching(check.files, root)}):
        found.update(path.relative_to(root).as_posix().encode() + b"\0")
        found.update(hashlib.sha256(path.read_bytes()).digest())
    for line in (sys.version, *_installed(), *_system_versions(check.programs)):
        found.update(line.encode() + b"\n")
    return found.hexdigest()[:32]


def imported_files(modules: Iterable[str], root: Path = ROOT) -> set[Path]:
    """The source files of these product modules and of all product modules that they import, transitively."""
    files: set[Path] = set()
    waiting = list(modules)
    while waiting:
        for path in _files_of(waiting.pop(), root):
            if path not in files:
                files.add(path)
                waiting += _named_modules(path)
    return files


def _files_of(module: str, root: Path) -> Iterator[Path]:
    """The file of a module and the `__init__` files of its packages; nothing for names that are no module."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:length])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                yield path


def _named_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(PACKAGES))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGES):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _MODULE_NAME.fullmatch(node.value):
            yield node.value


def _matching(patterns: Iterable[str], root: Path) -> Iterator[Path]:
    for pattern in patterns:
        yield from (path for path in root.glob(pattern) if path.is_file() and path.suffix != ".pyc")


def _installed() -> list[str]:
    return sorted({f"{one.metadata['Name']} {one.version}" for one in metadata.distributions()})


def _system_versions(packages: tuple[str, ...]) -> list[str]:
    if not packages:
        return []
    command = ["dpkg-query", "--show", *packages]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    except OSError:  # not a Debian system
        return []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=CHECKS)
    print(digest(CHECKS[parser.parse_args().check]))
