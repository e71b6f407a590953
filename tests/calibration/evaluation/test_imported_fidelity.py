"""Imported checkpoints at 256x256: `veneer evaluate` finds the pictures of the original program's layers."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import typer
from numpy.typing import NDArray
from support.foreign_networks import NETWORKS, Foreign
from typer.testing import CliRunner

from calibration.evaluate_command import evaluate
from engines.imports.checkpoint_import import import_checkpoint
from engines.runtime.selector import open_engine
from engines.style_lookup import load_style

APP = typer.Typer()
APP.command()(evaluate)


def imported(program: str, folder: Path, portrait_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Any]:
    """Import a checkpoint of random weights as the style "mine"; return a picture and what the program makes of it."""
    network = Foreign(NETWORKS[program])
    torch.save(network.state, folder / "net.pt")
    import_checkpoint("mine", folder / "net.pt", program=program, region="frame", size_wh=(256, 256))
    bgr = np.asarray(cv2.resize(portrait_bgr, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)
    rgb = torch.from_numpy(np.ascontiguousarray(bgr[..., ::-1])).permute(2, 0, 1)[None] / 255
    return bgr, (network(rgb)[0].permute(1, 2, 0).numpy()[..., ::-1] * 255).clip(0, 255)


@pytest.mark.parametrize("program", NETWORKS)
def test_evaluate_finds_the_programs_pictures(
    program: str, tmp_path: Path, portrait_bgr: NDArray[np.uint8], veneer_home: Path
) -> None:
    bgr, expected = imported(program, tmp_path, portrait_bgr)
    for name, picture in (("before", bgr), ("after", np.rint(expected).astype(np.uint8))):
        (tmp_path / name).mkdir()
        assert cv2.imwrite(str(tmp_path / name / "a.png"), picture)
    folders = ["--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]
    result = CliRunner().invoke(APP, ["mine", *folders, "--json"])
    assert result.exception is None and json.loads(result.stdout)["mean"]["psnr_db"] >= 45


@pytest.mark.parametrize("program", ["cyclegan", "animegan2"])  # FP32, and BF16 where the processor has it
def test_openvino_draws_the_programs_picture(
    program: str, tmp_path: Path, portrait_bgr: NDArray[np.uint8], veneer_home: Path
) -> None:
    bgr, expected = imported(program, tmp_path, portrait_bgr)
    with closing(open_engine(load_style("mine"), runtime="openvino")) as engine:
        assert np.abs(engine.infer(bgr[None])[0].clip(0, 255) - expected).mean() <= 1
