"""The shape of the repository: names, folders, and documents that keep up with the code."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from support.root import ROOT

PACKAGES = ("engines", "live", "calibration", "benchmarks")
SHARED_NAMES = {"base", "registry", "__init__", "__main__"}
MAX_MODULES_IN_A_ROOT = 12
MAX_TEST_NAME = 60
MAX_README_LINES = 150
# What the guides let their readers write.
EXAMPLES = {"engines/training/methods/plain.py", "engines/generators/tint_net.py"}
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")
_PATH = re.compile(r"`((?:engines|live|calibration|benchmarks|tests|docs|\.ci)/[\w./-]*)`")
_MODULE = re.compile(r"python -m ((?:engines|live|calibration|benchmarks|tests)(?:\.\w+)+)")


def product_modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_no_two_product_modules_share_a_name() -> None:
    folders = defaultdict(list)
    for path in product_modules():
        folders[path.stem].append(path.parent.relative_to(ROOT).as_posix())
    shared = {name: found for name, found in folders.items() if len(found) > 1 and name not in SHARED_NAMES}
    assert shared == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_root_folders_hold_a_dozen_modules_at_most(package: str) -> None:
    modules = [path.stem for path in (ROOT / package).glob("*.py") if path.stem != "__init__"]
    assert len(modules) <= MAX_MODULES_IN_A_ROOT, sorted(modules)


def test_test_names_are_short() -> None:
    names = [
        (path.relative_to(ROOT).as_posix(), node.name)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert names
    assert [(path, name) for path, name in names if len(name) > MAX_TEST_NAME] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < MAX_README_LINES


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_name_only_what_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [link for link in _LINK.findall(_FENCED.sub("", text)) if not (document.parent / link).exists()]
    paths = [path for path in _PATH.findall(text) if not any(ROOT.glob(path.rstrip("/"))) and path not in EXAMPLES]
    modules = [name for name in _MODULE.findall(text) if not _module_exists(name)]
    assert (links, paths, modules) == ([], [], [])


def test_the_files_that_the_test_plan_names_exist() -> None:
    from conftest import PARTLY_SERIAL, SLOW, TIMING_BOUND

    assert [name for name in (*SLOW, *TIMING_BOUND) if not (ROOT / "tests" / name).is_file()] == []
    tests, marker = ROOT / "tests", ".".join(("pytest", "mark", "serial"))
    marked = [path for path in tests.rglob("test_*.py") if marker in path.read_text(encoding="utf-8")]
    assert sorted(marked) == sorted(tests / name for name in PARTLY_SERIAL), "the serial pass imports only these"


def _module_exists(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()
