"""`veneer calibrate`, as a user calls it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from calibration.autotune import autotune, engine_timing
from calibration.calibrate_command import calibrate
from engines import calibration_set
from engines.cache.cache_entry import verdict
from engines.errors import LookError, OptionsError
from engines.runtime.autotune_choice import choice_file
from engines.runtime.selector import open_engine
from engines.styles import load_style
from live.sources.still_picture import write_picture


def call(*options: object) -> str:
    """What it prints on stdout; errors come as they are."""
    words = [str(option) for option in options]
    result = CliRunner().invoke(calibrate, words, catch_exceptions=False, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return str(result.stdout)


def test_the_engines_of_a_style_are_judged_and_live_knows(built_in_set: Path) -> None:
    said = call("lips-bright")
    lines = [line for line in said.splitlines() if line.startswith("lips-bright 90x30")]
    assert any("openvino fp32" in line and "passed; dE 0.00" in line for line in lines)
    assert all("flicker" in line and "PSNR" in line for line in lines)
    assert all(", non-finite 0, 4 faces at once dE 0." in line for line in lines)
    assert "tensorrt fp16" in said, "what cannot be had is said as well"
    engine = open_engine(load_style("lips-bright"))
    assert verdict(engine.info.key) == "passed"


def test_the_numbers_are_there_for_programs(built_in_set: Path) -> None:
    rows = json.loads(call("lips-bright", "--json"))
    full = next(row for row in rows if (row["runtime"], row["precision"]) == ("openvino", "fp32"))
    assert full["passed"] is True and set(full["cases"]) == {"all", *calibration_set.CASES}
    assert full["cases"]["dark"]["psnr_db"] > 80 and full["cases"]["all"]["non_finite"] == 0
    assert all("refused" in row or "passed" in row for row in rows)


def test_a_style_that_is_not_there_is_named() -> None:
    with pytest.raises(LookError, match="'lips-glaz'.*did you mean 'lips-glaze'"):
        call("lips-glaz")
    with pytest.raises(LookError, match="'glaz'.*did you mean glaze"):
        call("machine", "glaz")


def test_photos_are_collected_and_where_they_lie_is_said(tmp_path: Path, portrait_bgr: NDArray[np.uint8]) -> None:
    write_picture(tmp_path / "me.png", portrait_bgr)
    said = call("collect", tmp_path)
    assert "1 photos and clips taken" in said and str(calibration_set.own_folder()) in said
    with pytest.raises(OptionsError, match="there is no such folder"):
        call("collect", tmp_path / "nowhere")


def test_a_folder_without_a_name_is_not_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("", " "):
        with pytest.raises(OptionsError, match="photos in ''.*no folder's name"):
            call("collect", name)


def test_a_look_that_has_no_engine_is_not_timed() -> None:
    with pytest.raises(OptionsError, match="calibrate machine none nude-satin: there is nothing to time.*toon, glaze"):
        call("machine", "none", "nude-satin")
    assert not choice_file().exists()


def test_a_set_that_was_damaged_says_what_to_do(
    made_set: Path, veneer_home: Path, portrait_bgr: NDArray[np.uint8]
) -> None:
    folder = calibration_set.built_in_folder()
    shutil.copytree(made_set, folder)
    picture = next(folder.glob("*.plain.head.png"))
    picture.write_bytes(picture.read_bytes()[:50])
    with pytest.raises(OptionsError, match=f"{picture.name}.*delete .*calibration, and it is made again"):
        call("lips-bright")
    shutil.rmtree(folder)
    assert "passed" in call("lips-bright", "--json")


def test_the_machine_is_measured_and_its_choice_written(built_in_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_timing, "_ROUNDS", 1)
    monkeypatch.setattr(autotune, "_SECONDS", 0.01)
    monkeypatch.setattr(autotune, "_LOOK_SECONDS", 0.01)
    said = call("machine", "bright", "--fps", 1)
    assert "lips-bright 90x30: " in said and "    not " in said, "what was turned down is shown"
    assert "bright at 90x30" in said and "holds, chosen" in said
    assert f"written to {choice_file()}" in said and choice_file().is_file()
