"""Imports go one way: engines <- live <- calibration, benchmarks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support.root import ROOT

MAY_IMPORT = {
    "engines": {"engines"},
    "live": {"engines", "live"},
    "calibration": {"engines", "live", "calibration"},
    "benchmarks": {"engines", "live", "calibration", "benchmarks"},
}
HEAVY = ("torch", "mediapipe", "openvino", "cv2", "av", "pyvirtualcam", "pynput", "skimage", "scipy", "numpy")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add((node.module or "").split(".")[0])
    return names & set(MAY_IMPORT)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_one_way(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = {str(path.relative_to(ROOT)): names - MAY_IMPORT[package] for path in files if (names := imported(path))}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_every_package_is_shipped() -> None:
    listed = (ROOT / "pyproject.toml").read_text()
    for package in MAY_IMPORT:
        for init in (ROOT / package).rglob("__init__.py"):
            name = ".".join(init.parent.relative_to(ROOT).parts)
            assert f'"{name}"' in listed, f"{name} is not among the packages in pyproject.toml"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['veneer', '--help']\n"
        "from live.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stdout
    for command in ("run", "demo", "apply", "looks", "doctor", "ctl", "train", "evaluate", "calibrate", "engines"):
        assert command in done.stdout, f"`veneer --help` does not name {command}"
