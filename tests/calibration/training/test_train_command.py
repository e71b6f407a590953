"""`veneer train STYLE`, as a user calls it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.kit_parts import make_pairs, negative, write_pairs
from support.root import ROOT
from typer.testing import CliRunner

from calibration.train_command import train
from engines.errors import EngineError, OptionsError
from engines.generators.toon_net import ToonNet
from engines.training.data.augmentation import Batch
from engines.training.methods.paired import Learner
from live.portrait import portrait_bgr

QUICK = (
    "--steps", "4", "--crop", "32", "--batch", "2", "--arg", "channels=4", "--arg", "blocks=1", "--threads", "1",
    "--precision", "32-true",
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    """--threads is for the whole process: put it back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def call(*options: object) -> str:
    """What it prints on stdout; errors come as they are."""
    result = CliRunner().invoke(
        train, [str(option) for option in options], catch_exceptions=False, standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait twice, a picture without a face, and a broken file."""
    folder = tmp_path_factory.mktemp("photos")
    cv2.imwrite(str(folder / "a.png"), portrait_bgr())
    cv2.imwrite(str(folder / "b.png"), portrait_bgr()[:, ::-1])
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 200, 3), 120, np.uint8))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "TERMS.txt").write_text("Public domain (NASA).\n")
    return folder


def test_a_teacher_and_photos_make_a_style(photos: Path, tmp_path: Path) -> None:
    said = call("my-toon", "--teacher", "toon", "--faces", photos, "--work", tmp_path / "w", "--out", tmp_path, *QUICK)
    assert "my-toon:" in said and "dB" in said
    assert "1 unreadable, skipped:" in said and "broken.jpg" in said
    assert "1 no face, skipped:" in said and "wall.png" in said
    card = json.loads((tmp_path / "my-toon.json").read_text())
    assert (card["name"], card["generator"], card["region"], card["output"]) == (
        "my-toon",
        "toon_net",
        "head",
        "picture",
    )
    assert (card["teacher"], card["size_wh"], card["steps"]) == ("toon", [256, 256], 4)
    assert card["data"]["terms"] == "Public domain (NASA)."
    assert card["objectives"] == {"l1": 1.0, "gradient": 0.5, "temporal": 0.2}
    assert {"held_out_psnr_db", "held_out_l1_of_255", "unpainted_psnr_db"} == set(card["scores"])
    assert card["gmac"] > 0 and card["parameters"] > 0
    ToonNet(**card["generator_args"]).load_state_dict(load_file(tmp_path / "my-toon.safetensors"))


def test_own_pairs_are_cut_by_the_face_before(tmp_path: Path) -> None:
    for name, picture in (("a", portrait_bgr()), ("b", portrait_bgr()[:, ::-1]), ("wall", np.full((99, 99, 3), 99))):
        for side, shown in (("before", picture.astype(np.uint8)), ("after", negative(picture.astype(np.uint8)))):
            (tmp_path / side).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / side / f"{name}.png"), shown)
    cv2.imwrite(str(tmp_path / "before" / "alone.png"), portrait_bgr())
    own = ("--before", tmp_path / "before", "--after", tmp_path / "after")
    said = call("neg", *own, "--region", "face", "--work", tmp_path / "w", "--out", tmp_path, *QUICK)
    assert "1 without a partner" in said and "alone.png" in said
    assert "1 no face on" in said and "wall.png" in said
    card = json.loads((tmp_path / "neg.json").read_text())
    assert card["pairs"] == "the user's own" and "teacher" not in card
    cut = [cv2.imread(str(tmp_path / "w" / "pairs" / side / "a.png")) for side in ("before", "after")]
    assert cut[0].shape == (256, 256, 3)
    assert np.abs(negative(cut[0]).astype(int) - cut[1]).mean() < 3


def test_ready_regions_are_not_cut_again(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    own = ("--before", before, "--after", after, "--no-cut", "--output", "change")
    call("neg", *own, "--work", tmp_path / "w", "--out", tmp_path, *QUICK)
    card = json.loads((tmp_path / "neg.json").read_text())
    assert card["output"] == "change" and card["generator_args"]["change"] == 1


def test_without_a_folder_the_style_is_the_users_own(veneer_home: Path, tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    call("neg", "--before", before, "--after", after, "--no-cut", "--work", tmp_path / "w", *QUICK)
    assert {path.name for path in veneer_home.rglob("neg.*")} == {"neg.safetensors", "neg.json"}


def test_a_folder_without_faces_is_said_in_one_line(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 120, np.uint8))
    with pytest.raises(OptionsError, match=r"no face on 1 pictures, 0 unreadable - .*photos that show faces") as caught:
        call("x", "--teacher", "toon", "--faces", tmp_path, "--work", tmp_path / "w", "--out", tmp_path / "o", *QUICK)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "o").iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("x",), "give --teacher NAME --faces DIR, or --before DIR --after DIR"),
        (("x", "--teacher", "toon"), "give --teacher NAME --faces DIR"),
        (("x", "--teacher", "toon", "--faces", ".", "--before", ".", "--after", "."), "both kinds"),
        (("X y", "--teacher", "toon", "--faces", "."), "small letters"),
        (("x", "--teacher", "tonn", "--faces", "."), "did you mean toon"),
        (("x", "--teacher", "toon", "--faces", "nowhere"), "no such folder"),
        (("x", "--teacher", "toon", "--faces", ".", "--region", "nose"), "face, head, frame, person"),
        (("x", "--teacher", "toon", "--faces", ".", "--arg", "channels"), "NAME=VALUE"),
        (("x", "--teacher", "toon", "--faces", ".", "--arg", "channels=--5"), "channels must be a whole number"),
        (("x", "--teacher", "toon", "--faces", ".", "--arg", "channels=-5"), "a whole number from 4 to 256"),
        (("x", "--teacher", "toon", "--faces", ".", "--steps", "1", "--minutes", "1"), "give one of them"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=re.escape(said)) as caught:
        call(*options, "--work", tmp_path / "w", "--out", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("linked", [False, True])
def test_pictures_in_its_own_folders_are_never_touched(tmp_path: Path, linked: bool) -> None:
    before, after = write_pairs(make_pairs(3), tmp_path / "pairs")
    (tmp_path / "regions").mkdir()
    (tmp_path / "regions" / "me.png").write_bytes(b"mine")
    there = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    work = tmp_path
    if linked:
        work = tmp_path / "work"
        work.mkdir()
        for name in ("pairs", "regions"):
            (work / name).symlink_to(tmp_path / name)
    out, elsewhere = tmp_path / "o", tmp_path / "elsewhere"
    others = write_pairs(make_pairs(3), elsewhere)
    for options in (
        ("--before", before, "--after", after),
        ("--teacher", "toon", "--faces", tmp_path / "regions"),
        ("--before", others[0], "--after", others[1], "--region", "frame"),
    ):
        with pytest.raises(OptionsError, match="another --work, or move"):
            call("x", *options, "--work", work, "--out", out, *QUICK)
        assert {path: path.read_bytes() for path in there} == there


def test_weights_that_became_no_numbers_leave_the_best_as_a_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Learner.step

    def diverges(learner: Learner, batch: Batch, number: int) -> dict[str, float]:
        if number == 2:
            batch.before.fill(0)
            torch.nn.init.constant_(learner.net.get_parameter("out.weight"), float("nan"))
        return step(learner, batch, number)

    monkeypatch.setattr(Learner, "step", diverges)
    before, after = write_pairs(make_pairs(4), tmp_path)
    with pytest.raises(EngineError, match=r"the loss is nan at step 3; the best weights .* are in the style") as caught:
        call("neg", "--before", before, "--after", after, "--no-cut", "--work", tmp_path, "--out", tmp_path, *QUICK)
    assert "\n" not in str(caught.value)
    card = json.loads((tmp_path / "neg.json").read_text())
    assert card["kept_step"] in (1, 2)
    weights = load_file(tmp_path / "neg.safetensors")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in weights.values())


def test_going_on_is_in_the_checkpoints_precision(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    own = ("--before", before, "--after", after, "--no-cut", "--work", tmp_path, "--out", tmp_path, *QUICK)
    call("neg", *own)
    said = call("neg", *own, "--resume", "--precision", "bf16-mixed", "--lr", "0.5")
    assert "training on cpu in 32-true" in said
    assert "precision 32-true (not bf16-mixed)" in said and "peak_lr 0.006 (not 0.5)" in said


def test_lips_are_trained_as_before(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="lip pairs"):
        call("lips", "--data", tmp_path / "none", "--out", tmp_path)


def test_the_command_is_listed_without_loading_anything_heavy() -> None:
    code = "import sys, calibration.train_command; sys.exit(bool({'torch', 'cv2', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_help_tells_of_both() -> None:
    assert {"lips", "STYLE"} <= set(call("--help").split())
    assert "--teacher" in call("STYLE", "--help")


def test_ctrl_c_ends_with_130_and_resume_finishes(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    shared = ["--before", before, "--after", after, "--no-cut", *QUICK, "--steps", "240"]
    asked = tmp_path / "asked"
    program = (  # it goes on from its checkpoint when it has been asked to stop: a quick one would be done before
        "import sys, time; from pathlib import Path; from live import cli; import typer\n"
        "from calibration.train_command import train; from engines.training.trainer import _Run\n"
        "save, asked = _Run.save, Path(sys.argv.pop())\n"
        "def held(run):\n"
        "    save(run)\n"
        "    while not asked.exists(): time.sleep(0.01)\n"
        "_Run.save, cli.build = held, lambda: train\n"
        "cli.main()"
    )

    def start(*options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program, "neg", *(str(option) for option in (*shared, *options, asked))]
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    stopped = start("--work", tmp_path / "w", "--out", tmp_path / "o")
    checkpoint = tmp_path / "w" / "checkpoint.safetensors"
    watchdog = threading.Timer(60, stopped.kill)
    watchdog.start()
    while not checkpoint.exists() and stopped.poll() is None:
        time.sleep(0.02)
    os.kill(stopped.pid, signal.SIGINT)
    asked.touch()
    said = stopped.communicate()[1]
    watchdog.cancel()
    assert stopped.returncode == 130, said
    assert "go on with the same command and --resume" in said
    assert "Traceback" not in said
    assert not (tmp_path / "o" / "neg.safetensors").exists()
    call("neg", *shared, "--work", tmp_path / "w", "--out", tmp_path / "o", "--resume")
    assert json.loads((tmp_path / "o" / "neg.json").read_text())["steps"] == 240
