"""A slow check is skipped only while nothing that it depends on has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fingerprint import CHECKS, Check, digest, imported_files
from support.root import ROOT


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small source tree: live.a imports engines.b, which names engines.c in a string; engines.d is unused."""
    for name, text in {
        "live/__init__.py": "",
        "live/a.py": "def run():\n    from engines.b import thing\n",
        "engines/__init__.py": "",
        "engines/b.py": "COMMAND = ['python', '-m', 'engines.c']\n",
        "engines/c.py": "",
        "engines/d.py": "",
        "data.toml": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


CHECK = Check(("live.a",), ("*.toml",))


@pytest.mark.parametrize("name", ["live/__init__.py", "live/a.py", "engines/b.py", "engines/c.py", "data.toml"])
def test_a_changed_dependency_runs_the_check_again(tree: Path, name: str) -> None:
    before = digest(CHECK, tree)
    assert digest(CHECK, tree) == before
    (tree / name).write_text((tree / name).read_text() + "# changed\n")
    assert digest(CHECK, tree) != before


def test_an_unrelated_change_does_not_run_it_again(tree: Path) -> None:
    before = digest(CHECK, tree)
    (tree / "engines" / "d.py").write_text("# changed\n")
    assert digest(CHECK, tree) == before


def test_the_checks_name_modules_and_files_that_exist() -> None:
    for check in CHECKS.values():
        for module in check.modules:
            assert ROOT / f"{module.replace('.', '/')}.py" in imported_files([module]), module
        for pattern in check.files:
            assert any(ROOT.glob(pattern)), pattern


def test_the_checks_cover_what_they_run() -> None:
    machine, proof = (imported_files(CHECKS[name].modules) for name in ("virtual-machine", "tensorrt-proof"))
    assert {ROOT / "live/session.py", ROOT / "live/sinks/virtual_camera.py", ROOT / "engines/looks.py"} <= machine
    assert {ROOT / "benchmarks/tensorrt/rtx_environment.py", ROOT / "engines/runtime/tensorrt/plan_builder.py"} <= proof
