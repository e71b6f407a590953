"""`veneer evaluate --teacher`: a style that copies its input, against the real sketch teacher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import typer
from numpy.typing import NDArray
from support.video_files import write_video
from typer.testing import CliRunner

import calibration.evaluation.mask_leakage
from calibration.evaluate_command import evaluate
from calibration.evaluation.contact_sheet import select_rows
from calibration.evaluation.mask_leakage import changed_outside
from calibration.evaluation.student import Student
from calibration.evaluation.teacher_scores import photo_scores
from calibration.sets.region_collector import collect
from engines.errors import LookError, OptionsError, SinkError, SourceError, VeneerError
from engines.generators.toon_net import ToonNet
from engines.regions.upright import PictureRegion
from engines.style_lookup import load_style
from engines.training.data.aligned import AlignedRegion, load_region
from engines.training.style_card import save_style

pytestmark = pytest.mark.usefixtures("one_thread")

APP = typer.Typer()
APP.command()(evaluate)

ImageU8 = NDArray[np.uint8]


def save_copying_style(home: Path, region: str = "head") -> None:
    """Save the style "copy", which returns its input, among the user's own styles."""
    torch.manual_seed(0)
    net = ToonNet(channels=8, blocks=1)
    torch.nn.init.zeros_(net.out.weight)
    folder = home / "data" / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    size_wh = [448, 256] if region in ("frame", "person") else [256, 256]
    card = {"name": "copy", "generator": "toon_net", "region": region, "size_wh": size_wh, "output": "picture"}
    save_style(net, {**card, "generator_args": {"channels": 8, "blocks": 1}}, folder)


@pytest.fixture
def faces(tmp_path: Path, veneer_home: Path, portrait_bgr: ImageU8) -> Path:
    """A folder with two faces, an image without a face and an unreadable file; the style "copy" exists."""
    save_copying_style(veneer_home)
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    assert cv2.imwrite(str(folder / "commander.png"), portrait_bgr)
    dim = np.asarray(cv2.convertScaleAbs(portrait_bgr[:, ::-1], alpha=0.5), np.uint8)
    assert cv2.imwrite(str(folder / "more" / "dim.png"), dim)
    assert cv2.imwrite(str(folder / "wall.png"), np.full((200, 300, 3), 120, np.uint8))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


def run(*arguments: object) -> str:
    """Return stdout; errors of the command are raised."""
    result = CliRunner().invoke(APP, list(map(str, arguments)))
    if result.exception is not None:
        raise result.exception
    return result.stdout


def failure(kind: type[VeneerError], *arguments: object) -> str:
    with pytest.raises(kind) as caught:
        run(*arguments)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_pixels_outside_the_photo_are_not_scored(tmp_path: Path, veneer_home: Path, portrait_bgr: ImageU8) -> None:
    save_copying_style(veneer_home, "frame")
    assert cv2.imwrite(str(tmp_path / "wide.png"), portrait_bgr[:256])  # 512x256: half is border
    collect([tmp_path / "wide.png"], tmp_path, kinds=("frame",))

    def teacher(region: AlignedRegion) -> ImageU8:
        drawn = region.rgb.copy()
        drawn[:128], drawn[384:] = 0, 255
        return drawn

    (scores,) = photo_scores(tmp_path, teacher, Student(load_style("copy")))
    assert (scores["psnr_db"], scores["ssim"]) == (100.0, 1.0)
    assert scores["untouched"]["psnr_db"] == 100.0


def test_json_report_and_contact_sheet_are_complete(faces: Path, tmp_path: Path, portrait_bgr: ImageU8) -> None:
    clip = write_video(tmp_path / "clip.mp4", [np.roll(portrait_bgr, 2 * i, 1)[:384] for i in range(5)])
    sheet = tmp_path / "sheet.png"
    arguments = ("copy", "--teacher", "sketch", "--faces", faces, "--clip", clip, "--sheet", sheet, "--json")
    report: dict[str, Any] = json.loads(run(*arguments))
    assert (report["style"], report["teacher"], report["region"]) == ("copy", "sketch", "head")
    assert report["photos"]["given"] == 4
    assert [Path(path).name for path in report["photos"]["faceless"]] == ["wall.png"]
    assert "broken.jpg" in report["photos"]["unreadable"][0]
    assert sorted(picture["name"] for picture in report["pictures"]) == ["commander.head", "dim.head"]
    for picture in report["pictures"]:
        copied = {key: picture[key] for key in picture["untouched"]}
        assert copied == picture["untouched"], "a copy scores like the unmodified photo"
        assert 10 < picture["psnr_db"] < 35
        assert 0.2 < picture["line_recall"] < 1
        assert picture["drift_percent"] == 0.0
        assert picture["flicker_still"]["ratio"] == picture["flicker_jitter"]["ratio"] == 1.0
        assert picture["changed_outside_px"] == 0
    mean, (one, other) = report["mean"], report["pictures"]
    assert mean["psnr_db"] == pytest.approx((one["psnr_db"] + other["psnr_db"]) / 2, abs=1e-3)
    assert report["clips"][0]["frames"] == 5
    assert report["clips"][0]["ratio"] == 1.0
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape[1] >= 3 * 256
    assert picture.shape[0] >= 2 * 256
    row = picture[40:270]
    left, middle, right = row[:, 6:262], row[:, 268:524], row[:, 530:786]
    assert (left == right).all(), "input and copy"
    assert (left != middle).any(2).mean() > 0.5, "the teacher's output"


def test_text_output_has_units_and_skipped_photos(faces: Path) -> None:
    (faces / "more" / "dim.png").unlink()
    text = run("copy", "--teacher", "sketch", "--faces", faces)
    for words in ("1 face,", " dB", "SSIM", "recall", "% of the eye distance", "outside the mask: 0 pixels"):
        assert words in text
    assert "unreadable: 1" in text
    assert "no face found: 1" in text
    assert "torch fp32" in text


def test_live_runtime_gives_the_same_image(faces: Path) -> None:
    style, picture_rgb = load_style("copy"), cv2.imread(str(faces / "commander.png"))[:256, 100:356, ::-1]
    live = Student(style, runtime="auto")
    try:
        assert live.runs_on.startswith("openvino")
        off = live.apply_rgb(picture_rgb).astype(np.int16) - Student(style).apply_rgb(picture_rgb)
    finally:
        live.close()
    assert np.abs(off).max() <= 1


@pytest.mark.parametrize("region", ["face", "person"])
def test_face_and_person_regions_are_evaluated(faces: Path, veneer_home: Path, region: str) -> None:
    save_copying_style(veneer_home, region)
    (faces / "more" / "dim.png").unlink()
    report = json.loads(run("copy", "--teacher", "sketch", "--faces", faces, "--json"))
    assert report["size_wh"] == [256, 256]
    assert report["mean"]["drift_percent"] == 0.0
    assert report["mean"]["changed_outside_px"] == 0


def test_changes_outside_the_mask_are_counted(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collect([faces / "commander.png"], tmp_path, kinds=("head",))
    region, student = load_region(tmp_path, "commander.head"), Student(load_style("copy"))
    monkeypatch.setattr(Student, "infer_bgr", lambda self, region_bgr: 255.0 - region_bgr.astype(np.float32))
    assert changed_outside(region, student) == 0

    def careless(frame_bgr: ImageU8, place: PictureRegion, picture_bgr: ImageU8, strength: float) -> None:
        place.cut(frame_bgr)[...] = place.uncrop(picture_bgr)

    monkeypatch.setattr(calibration.evaluation.mask_leakage, "blend_picture", careless)
    found = changed_outside(region, student)
    assert found is not None
    assert found > 10_000


def test_contact_sheet_shows_each_image_once_worst_first() -> None:
    def names(count: int) -> list[tuple[str, str]]:
        shown = select_rows([{"name": f"{psnr:02d}", "psnr_db": float(psnr)} for psnr in range(count)])
        return [(which, picture["name"]) for which, picture in shown]

    assert names(1) == [("worst", "00")]
    assert [which for which, _ in names(3)] == ["worst", "worst", "best"]
    assert names(11) == [
        ("worst", "00"), ("worst", "01"), ("median", "04"), ("median", "05"), ("best", "09"), ("best", "10")
    ]  # fmt: skip


def test_lip_style_with_teacher_suggests_pairs(faces: Path) -> None:
    assert "--before DIR" in failure(OptionsError, "lips-glaze", "--teacher", "sketch", "--faces", faces)


def test_unknown_style_or_teacher_suggests_similar_names(faces: Path) -> None:
    assert "copy" in failure(LookError, "copi", "--teacher", "sketch", "--faces", faces)
    assert "sketch" in failure(OptionsError, "copy", "--teacher", "skech", "--faces", faces)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--teacher NAME --faces DIR"),
        (("--teacher", "sketch"), "without --faces"),
        (("--faces", "."), "without --teacher"),
        (("--before", "."), "without --after"),
        (("--before", ".", "--after", ".", "--teacher", "sketch"), "--teacher"),
        (("--before", ".", "--after", ".", "--sheet", "x.png"), "--sheet"),
    ],
)
def test_incomplete_options_are_reported(options: tuple[str, ...], said: str) -> None:
    assert said in failure(OptionsError, "lips-glaze", *options)


def test_folders_without_faces_are_reported(faces: Path, tmp_path: Path) -> None:
    (faces / "commander.png").unlink()
    (faces / "more" / "dim.png").unlink()
    line = failure(OptionsError, "copy", "--teacher", "sketch", "--faces", faces)
    assert "no face" in line
    assert "1 of them unreadable" in line
    assert "no such folder" in failure(OptionsError, "copy", "--teacher", "sketch", "--faces", tmp_path / "nowhere")


def test_unusable_clips_are_reported(faces: Path, tmp_path: Path) -> None:
    base = ("copy", "--teacher", "sketch", "--faces", faces, "--clip")
    assert "no such file" in failure(SourceError, *base, tmp_path / "nowhere.mp4")
    assert "no video" in failure(SourceError, *base, faces / "wall.png")
    walls = write_video(tmp_path / "walls.mp4", [np.full((240, 320, 3), 120, np.uint8)] * 4)
    assert "no two consecutive frames" in failure(OptionsError, *base, walls)


def test_unwritable_sheet_is_reported_before_the_evaluation(faces: Path, tmp_path: Path) -> None:
    base = ("copy", "--teacher", "sketch", "--faces", faces, "--sheet")
    assert ".xyz" in failure(SinkError, *base, tmp_path / "sheet.xyz")
    assert "no folder" in failure(OptionsError, *base, tmp_path / "nowhere" / "sheet.png")


def test_unknown_runtime_is_reported(faces: Path) -> None:
    assert "openvino" in failure(OptionsError, "copy", "--teacher", "sketch", "--faces", faces, "--runtime", "tpu")


@pytest.mark.data
def test_copying_style_does_not_flicker_on_real_clips(faces: Path, data_dir: Path) -> None:
    (faces / "more" / "dim.png").unlink()
    clip = data_dir / "clips" / "intel_asl_ccby" / "milk.mkv"
    report = json.loads(run("copy", "--teacher", "sketch", "--faces", faces, "--clip", clip, "--json"))
    (found,) = report["clips"]
    assert found["pairs"] == found["frames"] - 1 > 30
    assert found["faceless_frames"] == 0
    assert found["ratio"] == 1.0
    assert 0.3 < found["input_levels"] < 6, "only noise remains after motion compensation"
