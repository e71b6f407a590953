"""`veneer evaluate STYLE --teacher NAME --faces DIR`: a style that copies its input, against the real toon teacher."""

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
from calibration.evaluation.contact_sheet import chosen
from calibration.evaluation.mask_leakage import changed_outside
from calibration.evaluation.student import Student
from calibration.evaluation.teacher_scores import photo_scores
from calibration.sets.region_collector import collect
from engines.errors import LookError, OptionsError, SinkError, SourceError, VeneerError
from engines.generators.toon_net import ToonNet
from engines.regions.upright import PictureRegion
from engines.styles import load_style
from engines.training.data.aligned import AlignedRegion, load_region
from engines.training.style_card import save_style

pytestmark = pytest.mark.usefixtures("one_thread")

APP = typer.Typer()
APP.command()(evaluate)

ImageU8 = NDArray[np.uint8]


def save_copying_style(home: Path, region: str = "head") -> None:
    """Register "copy", which gives its input back, among the user's own styles."""
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
    """A folder with two faces, a picture without one and one that cannot be read; "copy" is a style."""
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
    """What the command prints to stdout; its own errors come through."""
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


def test_what_lies_beyond_the_photo_is_not_scored(tmp_path: Path, veneer_home: Path, portrait_bgr: ImageU8) -> None:
    save_copying_style(veneer_home, "frame")
    assert cv2.imwrite(str(tmp_path / "wide.png"), portrait_bgr[:256])  # 512x256: a quarter above and below is made up
    collect([tmp_path / "wide.png"], tmp_path, kinds=("frame",))

    def teacher(region: AlignedRegion) -> ImageU8:
        drawn = region.rgb.copy()
        drawn[:128], drawn[384:] = 0, 255
        return drawn

    (scores,) = photo_scores(tmp_path, teacher, Student(load_style("copy")))
    assert (scores["psnr_db"], scores["ssim"]) == (100.0, 1.0)
    assert scores["untouched"]["psnr_db"] == 100.0


def test_every_number_of_every_face_and_all_three_on_the_sheet(
    faces: Path, tmp_path: Path, portrait_bgr: ImageU8
) -> None:
    clip = write_video(tmp_path / "clip.mp4", [np.roll(portrait_bgr, 2 * i, 1)[:384] for i in range(5)])
    sheet = tmp_path / "sheet.png"
    arguments = ("copy", "--teacher", "toon", "--faces", faces, "--clip", clip, "--sheet", sheet, "--json")
    report: dict[str, Any] = json.loads(run(*arguments))
    assert (report["style"], report["teacher"], report["region"]) == ("copy", "toon", "head")
    assert report["photos"]["given"] == 4
    assert [Path(path).name for path in report["photos"]["faceless"]] == ["wall.png"]
    assert "broken.jpg" in report["photos"]["unreadable"][0]
    assert sorted(picture["name"] for picture in report["pictures"]) == ["commander.head", "dim.head"]
    for picture in report["pictures"]:
        copied = {key: picture[key] for key in picture["untouched"]}
        assert copied == picture["untouched"], "a copy is as near to the teacher as the photo"
        assert 15 < picture["psnr_db"] < 35
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
    assert (left != middle).any(2).mean() > 0.5, "the teacher's own picture"


def test_plain_output_gives_numbers_with_units_and_names_what_was_skipped(faces: Path) -> None:
    (faces / "more" / "dim.png").unlink()
    text = run("copy", "--teacher", "toon", "--faces", faces)
    for words in ("1 face,", " dB", "SSIM", "recall", "% of the eye distance", "outside the mask: 0 pixels"):
        assert words in text
    assert "unreadable: 1" in text
    assert "no face found: 1" in text
    assert "torch fp32" in text


def test_the_runtime_of_the_live_program_makes_the_same_picture(faces: Path) -> None:
    style, picture_rgb = load_style("copy"), cv2.imread(str(faces / "commander.png"))[:256, 100:356, ::-1]
    live = Student(style, runtime="auto")
    try:
        assert live.runs_on.startswith("openvino")
        off = live.apply_rgb(picture_rgb).astype(np.int16) - Student(style).apply_rgb(picture_rgb)
    finally:
        live.close()
    assert np.abs(off).max() <= 1


@pytest.mark.parametrize("region", ["face", "person"])
def test_other_regions(faces: Path, veneer_home: Path, region: str) -> None:
    save_copying_style(veneer_home, region)
    (faces / "more" / "dim.png").unlink()
    report = json.loads(run("copy", "--teacher", "toon", "--faces", faces, "--json"))
    assert report["size_wh"] == [256, 256]
    assert report["mean"]["drift_percent"] == 0.0
    assert report["mean"]["changed_outside_px"] == 0


def test_paint_outside_the_mask_is_seen(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collect([faces / "commander.png"], tmp_path, kinds=("head",))
    region, student = load_region(tmp_path, "commander.head"), Student(load_style("copy"))
    monkeypatch.setattr(Student, "answer_bgr", lambda self, region_bgr: 255.0 - region_bgr.astype(np.float32))
    assert changed_outside(region, student) == 0

    def careless(frame_bgr: ImageU8, place: PictureRegion, picture_bgr: NDArray[np.float32], strength: float) -> None:
        place.cut(frame_bgr)[...] = place.uncrop(picture_bgr.astype(np.uint8))

    monkeypatch.setattr(calibration.evaluation.mask_leakage, "blend_picture", careless)
    found = changed_outside(region, student)
    assert found is not None
    assert found > 10_000


def test_the_sheet_shows_each_picture_once_worst_first() -> None:
    def names(count: int) -> list[tuple[str, str]]:
        shown = chosen([{"name": f"{psnr:02d}", "psnr_db": float(psnr)} for psnr in range(count)])
        return [(which, picture["name"]) for which, picture in shown]

    assert names(1) == [("worst", "00")]
    assert [which for which, _ in names(3)] == ["worst", "worst", "best"]
    assert names(11) == [
        ("worst", "00"), ("worst", "01"), ("median", "04"), ("median", "05"), ("best", "09"), ("best", "10")
    ]  # fmt: skip


def test_a_lip_style_says_what_to_use(faces: Path) -> None:
    assert "--before DIR" in failure(OptionsError, "lips-glaze", "--teacher", "toon", "--faces", faces)


def test_unknown_style_and_teacher_name_the_near_ones(faces: Path) -> None:
    assert "copy" in failure(LookError, "copi", "--teacher", "toon", "--faces", faces)
    assert "toon" in failure(OptionsError, "copy", "--teacher", "tonn", "--faces", faces)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--teacher NAME --faces DIR"),
        (("--teacher", "toon"), "without --faces"),
        (("--faces", "."), "without --teacher"),
        (("--before", "."), "without --after"),
        (("--before", ".", "--after", ".", "--teacher", "toon"), "--teacher"),
        (("--before", ".", "--after", ".", "--sheet", "x.png"), "--sheet"),
    ],
)
def test_half_said_options(options: tuple[str, ...], said: str) -> None:
    assert said in failure(OptionsError, "lips-glaze", *options)


def test_folders_without_faces(faces: Path, tmp_path: Path) -> None:
    (faces / "commander.png").unlink()
    (faces / "more" / "dim.png").unlink()
    line = failure(OptionsError, "copy", "--teacher", "toon", "--faces", faces)
    assert "no face" in line
    assert "1 of them unreadable" in line
    assert "no such folder" in failure(OptionsError, "copy", "--teacher", "toon", "--faces", tmp_path / "nowhere")


def test_clips_that_cannot_be_used(faces: Path, tmp_path: Path) -> None:
    base = ("copy", "--teacher", "toon", "--faces", faces, "--clip")
    assert "no such file" in failure(SourceError, *base, tmp_path / "nowhere.mp4")
    assert "no video" in failure(SourceError, *base, faces / "wall.png")
    walls = write_video(tmp_path / "walls.mp4", [np.full((240, 320, 3), 120, np.uint8)] * 4)
    assert "no face was found" in failure(OptionsError, *base, walls)


def test_a_sheet_that_cannot_be_written_is_known_before_the_work(faces: Path, tmp_path: Path) -> None:
    base = ("copy", "--teacher", "toon", "--faces", faces, "--sheet")
    assert ".xyz" in failure(SinkError, *base, tmp_path / "sheet.xyz")
    assert "no folder" in failure(SinkError, *base, tmp_path / "nowhere" / "sheet.png")


def test_unknown_runtime(faces: Path) -> None:
    assert "openvino" in failure(OptionsError, "copy", "--teacher", "toon", "--faces", faces, "--runtime", "tpu")


@pytest.mark.data
def test_a_copy_of_real_faces_on_real_clips_does_not_flicker(faces: Path, data_dir: Path) -> None:
    (faces / "more" / "dim.png").unlink()
    clip = data_dir / "clips" / "intel_asl_ccby" / "milk.mkv"
    report = json.loads(run("copy", "--teacher", "toon", "--faces", faces, "--clip", clip, "--json"))
    (found,) = report["clips"]
    assert found["pairs"] == found["frames"] - 1 > 30
    assert found["faceless_frames"] == 0
    assert found["ratio"] == 1.0
    assert 0.3 < found["input_levels"] < 6, "what is left of a moving person is noise, not motion"
