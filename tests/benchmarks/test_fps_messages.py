"""`python -m benchmarks.fps`: invalid arguments, and the header of the report."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
import torch

from benchmarks import fps
from benchmarks.common.arguments import run_main
from engines.runtime.torch.cuda_device import CudaDevice


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--size 12", "--size 12: not a size - write WIDTHxHEIGHT"),
        ("--look glase", "there is no such look - did you mean 'glaze'"),
        ("--faces 5", "'5' is not an integer from 1 to 4"),
        ("--frames many", "'many' is not an integer"),
        ("--seconds -1", "'-1' is not a number from"),
        ("--live-s nan", "'nan' is not a number from"),
        ("--backend cuda", "invalid choice: 'cuda'"),
        ("--json /no/such/folder/x.json", "there is no folder /no/such/folder - create it first"),
        ("--json .", "it cannot be written"),
        ("--json x.png", "--plot x.png: it is the same file as --json"),
        ("--quickly", "unrecognized arguments: --quickly"),
    ],
)
def test_invalid_arguments_are_reported_in_one_line(
    arguments: str, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fps.Bench, "measure", lambda *_: pytest.fail("it measured"))
    monkeypatch.setattr(sys, "argv", ["fps", *arguments.split()])
    try:
        code = run_main("fps", fps.main)
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("fps: ") and line in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_header_names_driver_and_library_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uses a fake driver."""
    device = CudaDevice("NVIDIA H100", (9, 0), (13, 0), "580.95.05")
    monkeypatch.setattr(fps, "driver_device", lambda: device)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    here = metadata.version

    def version(name: str) -> str:
        return "10.14.1" if name == "tensorrt" else here(name)

    monkeypatch.setattr(metadata, "version", version)
    line = fps.head(fps.environment_info())[1]
    assert line == "GPU: NVIDIA H100, driver 580.95.05 (CUDA 13.0), PyTorch for CUDA 13.0, TensorRT 10.14.1"
    monkeypatch.setattr(metadata, "version", here)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(fps, "driver_device", lambda: replace(device, driver=""))
    assert fps.head(fps.environment_info())[1] == "GPU: NVIDIA H100, driver (CUDA 13.0)"
