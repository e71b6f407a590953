"""Imported checkpoints at 256x256: `veneer evaluate` finds the pictures of the original program's layers."""

from __future__ import annotations

import json
from pathlib import Path

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


@pytest.mark.parametrize("program", NETWORKS)
def test_evaluate_finds_the_programs_pictures(
    program: str, tmp_path: Path, portrait_bgr: NDArray[np.uint8], veneer_home: Path
) -> None:
    network = Foreign(NETWORKS[program])
    torch.save(network.state, tmp_path / "net.pt")
    import_checkpoint("mine", tmp_path / "net.pt", program=program, region="frame", size_wh=(256, 256))
    bgr = cv2.resize(portrait_bgr, (256, 256), interpolation=cv2.INTER_AREA)
    rgb = torch.from_numpy(np.ascontiguousarray(bgr[..., ::-1])).permute(2, 0, 1)[None] / 255
    expected = network(rgb)[0].permute(1, 2, 0).numpy()[..., ::-1] * 255
    for name, picture in (("before", bgr), ("after", np.rint(expected.clip(0, 255)).astype(np.uint8))):
        (tmp_path / name).mkdir()
        assert cv2.imwrite(str(tmp_path / name / "a.png"), picture)
    folders = ["--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]
    result = CliRunner().invoke(APP, ["mine", *folders, "--json"])
    assert result.exception is None and json.loads(result.stdout)["mean"]["psnr_db"] >= 45
    engine = open_engine(load_style("mine"), runtime="openvino")
    error = np.abs(engine.infer(np.asarray(bgr, np.uint8)[None])[0].clip(0, 255) - expected.clip(0, 255)).mean()
    engine.close()
    assert error <= 1
