"""`veneer train lips`: same seed, same bytes; learns; and says clearly what is wrong with its input."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.root import ROOT
from typer.testing import CliRunner

from engines import paths
from engines.errors import EngineError, OptionsError
from engines.generators.lip_net import LipNet
from engines.styles import load_style
from engines.training.data.picture_pairs import psnr_db
from engines.training.methods import lips
from engines.training.style_files import save_style
from engines.training.train_lips_command import train


def made_pairs(count: int = 6, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Skin with a darker, redder ellipse on it; painted, the ellipse is crimson. (count, 30, 90, 3) RGB each."""
    dice = np.random.default_rng(seed)
    bare, painted = [], []
    for _ in range(count):
        skin = dice.uniform((150, 110, 90), (240, 190, 170))
        centre, axes = (int(dice.integers(38, 52)), int(dice.integers(13, 18))), (int(dice.integers(30, 40)), 9)
        lip = cv2.ellipse(np.zeros((30, 90), np.float32), centre, axes, 0, 0, 360, (1.0,), -1)
        lip = cv2.GaussianBlur(lip, (0, 0), 1.0)[:, :, None]
        grain = dice.normal(0, 3, (30, 90, 3))
        picture = skin + lip * ((170, 80, 90) - skin) + grain
        bare.append(picture)
        painted.append(picture + lip * (10, -55, -40))
    before, after = (np.clip(np.stack(stack), 0, 255).astype(np.uint8) for stack in (bare, painted))
    return before, after


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder as `--data` wants it, with six pairs of the style "crimson"."""
    for name, stack_rgb in zip(("bare", "crimson"), made_pairs(), strict=True):
        (tmp_path / "lips" / name).mkdir(parents=True)
        for i, picture_rgb in enumerate(stack_rgb):
            assert cv2.imwrite(str(tmp_path / "lips" / name / f"{i:03}.png"), picture_rgb[:, :, ::-1])
    (tmp_path / "lips" / "TERMS.txt").write_text("Made by a test,\nfree for all.\n")
    return tmp_path / "lips"


def run(*arguments: object) -> str:
    """What the command prints; its own errors come through."""
    result = CliRunner().invoke(train, ["lips", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


QUICK = ("--folds", 2, "--epochs", 2)


def test_same_seed_same_bytes_whatever_the_threads(data: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    written = []
    try:
        for name, count, seed in (("one", 1, 3), ("two", 2, 3), ("other", 1, 4)):
            torch.set_num_threads(count)
            run("--data", data, "--out", tmp_path / name, "--seed", seed, *QUICK)
            written.append((tmp_path / name / "lips-crimson.safetensors").read_bytes())
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert written[0] == written[1]
    assert written[0] != written[2]


def test_training_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    lips.fit(*made_pairs(2), lips.Recipe(epochs=1), seed=0, on_epoch=lambda: None)
    assert torch.equal(torch.rand(3), wanted)


def test_card_tells_data_terms_scores_and_digest(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "crimson" in run("--data", data, "--style", "crimson", "--out", out, "--seed", 5, *QUICK)
    assert sorted(path.name for path in out.iterdir()) == ["lips-crimson.json", "lips-crimson.safetensors"]
    card = json.loads((out / "lips-crimson.json").read_text(encoding="utf-8"))
    assert card["weights_sha256"] == hashlib.sha256((out / "lips-crimson.safetensors").read_bytes()).hexdigest()
    assert (card["name"], card["generator"], card["seed"], card["epochs"]) == ("lips-crimson", "lip_net", 5, 2)
    assert card["data"]["terms"] == "Made by a test, free for all."
    assert card["data"]["what"].startswith("6 ")
    assert card["scores"]["folds"] == len(card["scores"]["cv_psnr_db_per_fold"]) == 2
    assert card["scores"]["identity_psnr_db"] < 30


def test_without_out_the_style_is_one_of_the_users_own_and_paints(data: Path) -> None:
    run("--data", data, "--folds", 2, "--epochs", 60)
    style = load_style("lips-crimson")
    assert style.weights.is_relative_to(paths.data_dir())
    bare_rgb, painted_rgb = (stack[0] for stack in made_pairs())
    assert psnr_db(style.apply_rgb(bare_rgb), painted_rgb) > psnr_db(bare_rgb, painted_rgb) + 5


def test_card_says_the_mean_colour_of_the_bare_lips(data: Path, tmp_path: Path) -> None:
    run("--data", data, "--out", tmp_path / "out", *QUICK)
    blue, green, red = json.loads((tmp_path / "out" / "lips-crimson.json").read_text())["lips_mean_bgr"]
    assert abs(blue - 90) < 12
    assert abs(green - 80) < 12
    assert abs(red - 170) < 12


def test_network_learns_to_paint_lips_it_never_saw() -> None:
    pairs = lips.Pairs("crimson", *made_pairs(10), "")
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1

    _, scores = lips.train(pairs, lips.Recipe(epochs=15), folds=2, seed=0, on_epoch=tick)
    assert ticks == 3 * 15
    assert scores["cv_psnr_db"] > scores["identity_psnr_db"] + 5
    assert scores["cv_worst_picture_psnr_db"] <= min(scores["cv_psnr_db_per_fold"])


def test_scores_of_unseen_pairs_come_from_a_network_that_did_not_see_them() -> None:
    """Painted pictures that nothing in the crop foretells: known by heart where seen, not where unseen."""
    bare, painted = made_pairs(4)
    painted[0] = 255 - painted[0]
    pairs = lips.Pairs("odd", bare, painted, "")
    _, scores = lips.train(pairs, lips.Recipe(epochs=40, lit_share=0), folds=4, seed=0, on_epoch=lambda: None)
    assert scores["cv_worst_picture_psnr_db"] < 12


def test_training_that_runs_away_stops_with_a_line() -> None:
    with pytest.raises(EngineError, match=r"loss is (inf|nan)"):
        lips.fit(*made_pairs(4), lips.Recipe(epochs=50, peak_lr=1e30), seed=0, on_epoch=lambda: None)


def failure(*arguments: object) -> str:
    with pytest.raises(OptionsError) as caught:
        run(*arguments, *QUICK)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_missing_folder(tmp_path: Path) -> None:
    assert "nowhere" in failure("--data", tmp_path / "nowhere")


def test_unknown_style_names_the_folders_there_are(data: Path) -> None:
    assert "crimson" in failure("--data", data, "--style", "glaze")
    assert "bare" in failure("--data", data, "--style", "bare")


def test_folder_without_bare_crops(data: Path) -> None:
    (data / "bare").rename(data / "naked")
    assert "naked" in failure("--data", data)


def test_missing_partner(data: Path) -> None:
    (data / "bare" / "002.png").unlink()
    assert "002.png" in failure("--data", data)


def test_wrong_size(data: Path) -> None:
    assert cv2.imwrite(str(data / "crimson" / "003.png"), np.zeros((31, 90, 3), np.uint8))
    line = failure("--data", data)
    assert "003.png" in line
    assert "90x31" in line
    assert "90x30" in line


def test_unreadable_picture(data: Path) -> None:
    (data / "crimson" / "004.png").write_bytes(b"no picture")
    assert "004.png" in failure("--data", data)


def test_more_folds_than_pairs(data: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="7 folds: 6 pairs"):
        run("--data", data, "--folds", 7, "--epochs", 1, "--out", tmp_path / "out")


def test_out_that_is_a_file_is_refused_before_the_training(data: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OptionsError, match="--out"):
        run("--data", data, "--out", tmp_path / "taken", "--epochs", 1_000_000)
    assert (tmp_path / "taken").read_text() == "a file"


def test_weights_that_cannot_take_their_place_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "lips-x.safetensors" / "in the way").mkdir(parents=True)
    with pytest.raises(OptionsError, match="weights in"):
        save_style(LipNet(), {"name": "lips-x"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lips-x.safetensors"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child on Windows")
def test_ctrl_c_ends_with_one_line_and_writes_nothing(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = "from engines.training.train_lips_command import train; train()"
    arguments = ["lips", "--data", str(data), "--out", str(out), "--epochs", "1000000"]
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        until_s = time.monotonic() + 60
        while not out.is_dir() and time.monotonic() < until_s:
            time.sleep(0.05)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130
    assert said.strip() == "training stopped: the style in work was not written"
    assert list(out.iterdir()) == []


def test_command_is_listed_without_loading_anything_heavy() -> None:
    heavy = "{'torch', 'cv2', 'numpy'}"
    code = f"import sys, engines.training.train_lips_command as _; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
