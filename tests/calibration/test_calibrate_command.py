"""`veneer calibrate` and its subcommands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.root import ROOT
from typer.testing import CliRunner

from calibration.autotune import autotune
from calibration.calibrate_command import calibrate
from engines.cache import calibration_set
from engines.cache.cache_entry import verdict
from engines.errors import LookError, OptionsError
from engines.runtime import call_times
from engines.runtime.autotune_choice import choice_file
from engines.runtime.selector import open_engine
from engines.style_lookup import load_style
from live.picture_files.picture_writer import write_picture


def call(*options: object) -> str:
    """Return stdout; errors of the command are raised."""
    words = [str(option) for option in options]
    result = CliRunner().invoke(calibrate, words, catch_exceptions=False, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return str(result.stdout)


def test_calibrate_prints_scores_and_records_verdicts(built_in_set: Path) -> None:
    said = call("lips-bright")
    lines = [line for line in said.splitlines() if line.startswith("lips-bright 90x30")]
    assert any("openvino fp32" in line and "passed; dE 0.00" in line for line in lines)
    assert all("flicker" in line and "PSNR" in line for line in lines)
    assert all(", non-finite 0, 4 faces per call dE 0." in line for line in lines)
    assert "tensorrt fp16" in said, "unavailable backends are listed"
    engine = open_engine(load_style("lips-bright"))
    assert verdict(engine.info.key) == "passed"


def test_calibrate_works_without_pytorch(built_in_set: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(torch=None, nncf=None)\n"
        "from calibration.calibrate_command import calibrate\n"
        "calibrate(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code, "lips-bright"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "openvino fp32" in line]
    assert "passed; dE 0.00" in line, "the reference is OpenVINO FP32"
    assert "INT8" in done.stdout and "pip install" in done.stdout
    assert "the FP32 reference is OpenVINO, because PyTorch is not installed\n" in done.stderr


def test_calibrate_json_holds_the_scores(built_in_set: Path) -> None:
    rows = json.loads(call("lips-bright", "--json"))
    full = next(row for row in rows if (row["runtime"], row["precision"]) == ("openvino", "fp32"))
    assert full["passed"] is True and set(full["cases"]) == {"all", *calibration_set.CASES}
    assert full["cases"]["dark"]["psnr_db"] > 80 and full["cases"]["all"]["non_finite"] == 0
    assert all("unavailable" in row or "passed" in row for row in rows)


def test_unknown_style_or_look_suggests_similar_names() -> None:
    with pytest.raises(LookError, match="'lips-glaz'.*did you mean 'lips-glaze'"):
        call("lips-glaz")
    with pytest.raises(LookError, match="'glaz'.*did you mean 'glaze'"):
        call("machine", "glaz")


def test_collect_prints_the_folder_of_the_set(tmp_path: Path, portrait_bgr: NDArray[np.uint8]) -> None:
    write_picture(tmp_path / "me.png", portrait_bgr)
    said = call("collect", tmp_path)
    assert "1 photos and clips used" in said and str(calibration_set.own_folder()) in said
    with pytest.raises(OptionsError, match="there is no such folder"):
        call("collect", tmp_path / "nowhere")


def test_empty_folder_name_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("", " "):
        with pytest.raises(OptionsError, match="photos in ''.*the name is empty"):
            call("collect", name)


def test_machine_rejects_looks_without_a_network() -> None:
    with pytest.raises(OptionsError, match="machine none nude-satin: these looks use no network.*toon, comic"):
        call("machine", "none", "nude-satin")
    assert not choice_file().exists()


def test_damaged_set_names_the_remedy(made_set: Path, veneer_home: Path, portrait_bgr: NDArray[np.uint8]) -> None:
    folder = calibration_set.built_in_folder()
    shutil.copytree(made_set, folder)
    picture = next(folder.glob("*.plain.head.png"))
    picture.write_bytes(picture.read_bytes()[:50])
    with pytest.raises(OptionsError, match=f"{picture.name}.*delete .*calibration, and it is created again"):
        call("lips-bright")
    shutil.rmtree(folder)
    assert "passed" in call("lips-bright", "--json")


def test_machine_prints_and_writes_the_selection(built_in_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_times, "_ROUNDS", 1)
    monkeypatch.setattr(autotune, "_ENGINE_S", 0.01)
    monkeypatch.setattr(autotune, "_LOOK_S", 0.01)
    said = call("machine", "bright", "--fps", 1)
    assert "lips-bright 90x30: " in said and "    not " in said, "rejected backends are listed"
    assert "bright at 90x30" in said and "holds, chosen" in said
    assert f"written to {choice_file()}" in said and choice_file().is_file()
