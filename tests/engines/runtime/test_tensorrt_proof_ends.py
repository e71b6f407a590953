"""Environment and exit codes of the TensorRT proof, without TensorRT."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import tensorrt_proof
from benchmarks.engine_matrix.checkout_jobs import jobs, small_jobs
from benchmarks.tensorrt import rtx_environment
from benchmarks.tensorrt.rtx_environment import NoEnvironmentError, about, environment
from benchmarks.tensorrt_proof import Proof


@pytest.fixture
def no_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip finds the packages of this folder only."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", wheels.as_uri())
    return wheels


def wheel(folder: Path, version: str, name: str = "nothing_at_all") -> str:
    """Create an empty package; return its requirement for pip."""
    about_it = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{about_it}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{about_it}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about_it}/RECORD", "")
    return f"{name}=={version}"


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "environment"
    venv.create(folder, with_pip=True)
    return folder


@pytest.fixture
def quick_venv(empty_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy an environment in place of creating each, which takes seconds."""

    def create(folder: Path, *, with_pip: bool) -> None:
        assert with_pip
        shutil.copytree(empty_environment, folder, symlinks=True)

    monkeypatch.setattr(venv, "create", create)


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["proof", *arguments])
    return tensorrt_proof.main()


def test_environment_is_rebuilt_only_for_other_pins(
    no_registry: Path, quick_venv: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "environment"
    monkeypatch.setattr(rtx_environment, "PINS", (wheel(no_registry, "1.0"),))
    python = environment(folder)
    assert python.is_file() and about(folder)["python"] == sys.version
    (folder / "mark").touch()
    assert environment(folder) == python and (folder / "mark").exists(), "it is there already"
    monkeypatch.setattr(rtx_environment, "PINS", (wheel(no_registry, "2.0"),))
    environment(folder)
    assert not (folder / "mark").exists()
    assert list(folder.rglob("nothing_at_all-2.0.dist-info"))


def test_environment_shares_the_installed_pytorch(
    no_registry: Path, quick_venv: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, installed = tmp_path / "environment", metadata.version("torch").partition("+")[0]
    monkeypatch.setattr(rtx_environment, "PINS", (f"torch=={installed}", wheel(no_registry, "1.0")))
    wheel(no_registry, "99.0", "setuptools")  # PyTorch needs a newer one than that of an old Python's environments
    python = environment(folder)  # no PyTorch can be found to install
    find = "import importlib.util; print(importlib.util.find_spec('torch').origin)"
    found = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found) == Path(torch.__file__)
    (folder / "mark").touch()
    (folder / "installed.json").write_text(json.dumps({**about(folder), "shares": str(tmp_path)}))
    environment(folder)
    assert not (folder / "mark").exists(), "it is created again when the shared PyTorch is gone"


def test_packages_that_fail_to_install_are_one_line(
    no_registry: Path,
    quick_venv: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "environment"
    assert main(monkeypatch, "--environment", str(folder)) == 2
    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith("installing torch==2.13.0 torch-tensorrt-rtx==2.13.0 into ")
    assert said[1].startswith("torch==2.13.0 torch-tensorrt-rtx==2.13.0 cannot be installed: No matching distribution")
    assert "PIP_INDEX_URL" in said[1] and len(said) == 2
    assert about(folder) == {}, "a half-made environment does not count"


def test_a_foreign_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(NoEnvironmentError, match="is not a Python environment"):
        environment(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_python_without_tensorrt_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def none(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", none)
    assert main(monkeypatch, "--here") == 2
    assert "is not installed in" in capsys.readouterr().err


class Builder:
    """Simulated TensorRT: records each request, and proves it unless set to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.wrong: dict[str, str] = {}
        monkeypatch.setattr(tensorrt_proof, "_proof", self)
        monkeypatch.setattr(tensorrt_proof, "_versions", dict)

    def __call__(self, name: str, net: nn.Module, size_wh: tuple[int, int], count: int) -> Proof:
        size = "{}x{}".format(*size_wh)
        self.asked.append((name, size, count))
        wrong = self.wrong.get(name, "")
        return Proof(name, size, count, 0 if wrong else 1000, 1.0, 9, (), wrong)


def test_missing_proofs_are_named_and_exit_with_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    builder, out = Builder(monkeypatch), tmp_path / "out.json"
    assert main(monkeypatch, "--here") == 0
    networks = {(job.generator, job.arguments, job.size): job for job in reversed([*jobs(), *small_jobs()])}
    first_of_each = [(job.name, job.size, count) for job in reversed(networks.values()) for count in (1, 4)]
    assert sorted(builder.asked) == sorted(first_of_each), "styles that differ in their weights only share an engine"
    said = capsys.readouterr().out
    assert "NOT PROVED" not in said and f"{2 * len([*jobs(), *small_jobs()])} of " in said
    builder.wrong = {"lips-bright": "in FP32: [CONVOLUTION]"}
    assert main(monkeypatch, "--here", "--out", str(out)) == 1
    lines = capsys.readouterr().out.splitlines()
    named = ", ".join(f"{name} 90x30 x{count}" for name in ("lips-bright", "lips-glaze") for count in (1, 4))
    assert lines[-1] == f"NOT PROVED: {named}"
    assert sum("NOT PROVED: in FP32: [CONVOLUTION]" in line for line in lines) == 4
    proofs = json.loads(out.read_text())["proofs"]
    assert {one["name"] for one in proofs if one["wrong"]} == {"lips-bright", "lips-glaze"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--style tun", "--style tun: there is no such generator - use "),
        ("--style toon --style tun", "--style tun: there is no such generator - use "),
        ("--style toon --size 90x30", "--size 90x30: no generator named is offered in it - use 192x192"),
        ("--out /no/such/folder/x.json", "--out /no/such/folder/x.json: there is no folder"),
        ("--styles toon", "tensorrt_proof: unrecognized arguments: --styles toon"),
    ],
)
def test_wrong_arguments_are_one_line_before_any_build(
    arguments: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = Builder(monkeypatch)
    monkeypatch.setattr(tensorrt_proof, "environment", lambda folder: pytest.fail("it would install"))
    for here in ((), ("--here",)):
        try:
            assert main(monkeypatch, *here, *arguments.split()) == 2
        except SystemExit as end:
            assert end.code == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(line)
    assert builder.asked == []


def test_one_size_is_proved_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder(monkeypatch)
    assert main(monkeypatch, "--here", "--size", "256x144", "--style", "toon") == 0
    assert builder.asked == [("toon", "256x144", 1), ("toon", "256x144", 4)]


def test_building_that_crashes_is_no_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crash = tmp_path / "python"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    monkeypatch.setattr(tensorrt_proof, "environment", lambda folder: crash)
    assert main(monkeypatch, "--environment", str(tmp_path)) == 1
    assert "NOT PROVED: building crashed (SIGSEGV)" in capsys.readouterr().out
