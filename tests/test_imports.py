"""Imports go one way, also for module names in strings: engines <- live <- calibration, benchmarks."""

from __future__ import annotations

import ast
import re
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
HEAVY = ("torch", "mediapipe", "openvino", "cv2", "av", "pyvirtualcam", "pynput", "Xlib", "skimage", "scipy", "numpy")


MODULE_NAME = re.compile(rf"(?<![\w./])({'|'.join(MAY_IMPORT)})\.(\w*)")


def named_in_string(text: str) -> set[str]:
    """Packages of which a string names a module; a part of an f-string may end with "calibration."."""
    found = set()
    for package, module in MODULE_NAME.findall(text):
        path = ROOT / package / module
        if not module or path.is_dir() or path.with_suffix(".py").is_file():
            found.add(package)
    return found


def docstrings(tree: ast.Module) -> set[ast.expr]:
    return {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }


def imported(source: str, path: Path) -> set[str]:
    names: set[str] = set()
    tree = ast.parse(source)
    skipped = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            names |= named_in_string(node.value)
    return names & set(MAY_IMPORT)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_one_way(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    sources = {path: path.read_text(encoding="utf-8") for path in files}
    wrong = {str(path): imported(source, path) - MAY_IMPORT[package] for path, source in sources.items()}
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import calibration.quantize",
        "from calibration import quantize",
        'command = ["python", "-m", "calibration.engine_checks.int8_build"]',
        'module = f"calibration.{name}"',
        'entry = "calibration.engine_checks.int8_build:main"',
    ],
)
def test_upward_imports_are_found_also_in_strings(source: str) -> None:
    assert imported(source, ROOT) == {"calibration"}


def test_folders_and_docstrings_are_no_imports() -> None:
    assert imported('"""See calibration.sets."""\nfolder = home / "calibration"\nlive = "a.live.x"', ROOT) == set()


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


def imported_modules(path: Path, modules: set[str]) -> set[str]:
    """Product modules that a file imports anywhere, but for those under `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & modules


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for package in MAY_IMPORT
        for path in (ROOT / package).rglob("*.py")
    }
    remaining = {name: imported_modules(path, set(files)) for name, path in files.items()}
    while free := {name for name, needs in remaining.items() if not needs & remaining.keys()}:
        remaining = {name: needs for name, needs in remaining.items() if name not in free}
    assert remaining == {}
