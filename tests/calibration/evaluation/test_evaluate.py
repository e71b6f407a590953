"""`veneer evaluate` on pairs of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import CliRunner

from calibration.evaluate_command import evaluate
from calibration.evaluation.image_metrics import ssim
from calibration.evaluation.student import Student
from engines.errors import LookError, OptionsError, VeneerError
from engines.style_lookup import load_style
from engines.training.metrics.psnr import psnr_db

APP = typer.Typer()
APP.command()(evaluate)


def run(style: str, before: Path, after: Path, *more: str) -> str:
    """Return stdout; errors of the command are raised."""
    result = CliRunner().invoke(APP, [style, "--before", str(before), "--after", str(after), *more])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def crop_rgb(seed: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).random((6, 18, 3), np.float32)
    smooth = cv2.resize(noise, (90, 30), interpolation=cv2.INTER_CUBIC)
    return np.clip(90 + 120 * smooth, 0, 255).astype(np.uint8)


def write(path: Path, picture_rgb: NDArray[np.uint8]) -> None:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), picture_rgb[:, :, ::-1])


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three crops and the output of lips-glaze, the last one at half brightness."""
    style = Student(load_style("lips-glaze"))
    for i, name in enumerate(("a.png", "b.png", "ü c.png")):
        write(tmp_path / "before" / name, crop_rgb(i))
        made = style.apply_rgb(crop_rgb(i))
        write(tmp_path / "after" / name, made // np.uint8(2) if i == 2 else made)
    return tmp_path / "before", tmp_path / "after"


def test_psnr_is_48_db_for_one_level_and_100_for_equality() -> None:
    picture = crop_rgb(0)
    assert psnr_db(picture, picture + np.uint8(1)) == pytest.approx(48.13, abs=0.01)
    assert psnr_db(picture + np.uint8(1), picture) == pytest.approx(48.13, abs=0.01)
    assert psnr_db(picture, picture) == 100.0


def test_ssim_is_one_for_equal_images_and_falls_with_noise() -> None:
    picture = crop_rgb(0)
    grainy = (picture + np.random.default_rng(1).integers(0, 30, picture.shape)).clip(0, 255).astype(np.uint8)
    assert ssim(picture, picture) == pytest.approx(1.0)
    assert 0.0 < ssim(picture, grainy) < 0.9


def test_json_holds_scores_of_every_image_and_means(folders: tuple[Path, Path]) -> None:
    report: dict[str, Any] = json.loads(run("lips-glaze", *folders, "--json"))
    assert report["style"] == "lips-glaze"
    assert report["weights_sha256"] == load_style("lips-glaze").weights_digest()
    assert [picture["name"] for picture in report["pictures"]] == ["a.png", "b.png", "ü c.png"]
    right, _, wrong = report["pictures"]
    assert (right["psnr_db"], right["ssim"]) == (100.0, 1.0)
    assert wrong["psnr_db"] < 20
    assert wrong["ssim"] < 0.95
    assert report["mean"]["psnr_db"] == pytest.approx((200 + wrong["psnr_db"]) / 3, abs=1e-3)
    assert report["mean"]["ssim"] == pytest.approx((2 + wrong["ssim"]) / 3, abs=1e-3)


def test_text_output_names_mean_and_worst_image(folders: tuple[Path, Path]) -> None:
    text = run("lips-glaze", *folders)
    assert "lips-glaze: PSNR" in text
    assert "3 pictures" in text
    assert "worst: ü c.png" in text


def failure(kind: type[VeneerError], *arguments: Any) -> str:
    with pytest.raises(kind) as caught:
        run(*arguments)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_unknown_style_suggests_similar_names(folders: tuple[Path, Path]) -> None:
    assert "lips-glaze" in failure(LookError, "lips-glase", *folders)


def test_missing_folder_is_reported(folders: tuple[Path, Path], tmp_path: Path) -> None:
    assert "no such folder" in failure(OptionsError, "lips-glaze", tmp_path / "nowhere", folders[1])
    assert "nowhere" in failure(OptionsError, "lips-glaze", folders[0], tmp_path / "nowhere")


def test_file_instead_of_a_folder_is_reported(folders: tuple[Path, Path]) -> None:
    assert "a file" in failure(OptionsError, "lips-glaze", folders[0] / "a.png", folders[1])


def test_folder_without_images_is_reported(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    assert "no picture" in failure(OptionsError, "lips-glaze", tmp_path / "empty", folders[1])


@pytest.mark.parametrize("side", [0, 1])
def test_image_without_partner_is_reported(folders: tuple[Path, Path], side: int) -> None:
    (folders[side] / "b.png").unlink()
    assert f"{folders[1 - side] / 'b.png'}" in failure(OptionsError, "lips-glaze", *folders)


def test_images_of_different_size_are_reported(folders: tuple[Path, Path]) -> None:
    write(folders[1] / "b.png", crop_rgb(1)[:20])
    line = failure(OptionsError, "lips-glaze", *folders)
    assert "90x30" in line
    assert "90x20" in line


def test_images_too_small_for_ssim_are_reported(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        write(folder / "b.png", crop_rgb(1)[:5, :5])
    assert "11x11" in failure(OptionsError, "lips-glaze", *folders)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nthis is no picture"])
def test_unreadable_image_is_reported(folders: tuple[Path, Path], content: bytes) -> None:
    (folders[0] / "b.png").write_bytes(content)
    assert "b.png" in failure(OptionsError, "lips-glaze", *folders)


def test_folder_named_like_an_image_is_reported(folders: tuple[Path, Path]) -> None:
    (folders[0] / "b.png").unlink()
    (folders[0] / "b.png").mkdir()
    assert "b.png" in failure(OptionsError, "lips-glaze", *folders)


def test_grey_and_16_bit_images_are_accepted(folders: tuple[Path, Path]) -> None:
    grey = crop_rgb(1)[:, :, 0]
    for folder in folders:
        assert cv2.imwrite(str(folder / "a.png"), grey)
        assert cv2.imwrite(str(folder / "b.png"), grey.astype(np.uint16) * 257)
    report = json.loads(run("lips-glaze", *folders, "--json"))
    grey_scores, deep_scores = report["pictures"][:2]
    assert grey_scores["unpainted_psnr_db"] == deep_scores["unpainted_psnr_db"] == 100.0
    assert grey_scores["psnr_db"] == pytest.approx(deep_scores["psnr_db"], abs=0.01)


@pytest.mark.data
@pytest.mark.parametrize(("name", "bar_db"), [("lips-glaze", 27.0), ("lips-bright", 29.5)])
def test_shipped_lip_styles_reach_their_psnr(name: str, bar_db: float, data_dir: Path) -> None:
    lips = data_dir / "lips"
    report = json.loads(run(name, lips / "bare", lips / name.removeprefix("lips-"), "--json"))
    assert len(report["pictures"]) == 142
    assert report["mean"]["psnr_db"] >= bar_db
    assert report["mean"]["psnr_db"] > report["mean"]["unpainted_psnr_db"] + 5
