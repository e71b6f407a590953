"""`veneer train lips`: equal seeds give equal bytes, it learns, it resumes, and it reports unusable input."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import typer
from support.kit_parts import lip_crops
from support.root import ROOT
from typer.testing import CliRunner

from calibration.evaluation.student import Student
from engines import paths
from engines.errors import EngineError, OptionsError
from engines.generators.lip_net import LipNet
from engines.style_lookup import load_style
from engines.training.checkpoints.resume import CHECKPOINT
from engines.training.cross_validation import plan_cross_validation
from engines.training.data.lip_pairs import LipPairs
from engines.training.devices import make_fabric
from engines.training.methods.lips import Lips, LipsConfig
from engines.training.metrics.psnr import psnr_db
from engines.training.progress import StoppedError, Watch
from engines.training.style_card import save_style
from engines.training.train_lips_command import lips
from engines.training.trainer import fit

train = typer.Typer()
train.command()(lips)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder for `--data` with six pairs of the style "crimson"."""
    for name, stack_rgb in zip(("bare", "crimson"), lip_crops(), strict=True):
        (tmp_path / "lips" / name).mkdir(parents=True)
        for i, picture_rgb in enumerate(stack_rgb):
            assert cv2.imwrite(str(tmp_path / "lips" / name / f"{i:03}.png"), picture_rgb[:, :, ::-1])
    (tmp_path / "lips" / "TERMS.txt").write_text("Made by a test,\nfree for all.\n")
    return tmp_path / "lips"


@pytest.fixture(autouse=True)
def own_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints go to the current folder by default."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


def run(*arguments: object) -> str:
    """The command's output; its errors are raised."""
    result = CliRunner().invoke(train, [*map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


QUICK = ("--folds", 2, "--epochs", 2)


def test_equal_seeds_give_equal_bytes_on_any_threads(data: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    written = []
    try:
        for name, count, seed in (("one", 1, 3), ("two", 2, 3), ("other", 1, 4)):
            torch.set_num_threads(count)
            run("--data", data, "--out", tmp_path / name, "--work", tmp_path / name, "--seed", seed, *QUICK)
            written.append((tmp_path / name / "lips-crimson.safetensors").read_bytes())
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert written[0] == written[1]
    assert written[0] != written[2]


def test_training_keeps_the_callers_random_state(tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fit(Lips(LipsConfig.for_epochs(1, 2), LipPairs("x", *lip_crops(2), "")), tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_the_card_holds_data_terms_scores_and_digest(data: Path, tmp_path: Path) -> None:
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


def test_without_out_the_style_is_the_users_own(data: Path) -> None:
    run("--data", data, "--folds", 2, "--epochs", 60)
    style = load_style("lips-crimson")
    assert style.weights.is_relative_to(paths.data_dir())
    bare_rgb, painted_rgb = (stack[0] for stack in lip_crops())
    assert psnr_db(Student(style).apply_rgb(bare_rgb), painted_rgb) > psnr_db(bare_rgb, painted_rgb) + 5


def test_the_card_holds_the_mean_colour_of_bare_lips(data: Path, tmp_path: Path) -> None:
    run("--data", data, "--out", tmp_path / "out", *QUICK)
    blue, green, red = json.loads((tmp_path / "out" / "lips-crimson.json").read_text())["lips_mean_bgr"]
    assert abs(blue - 90) < 12
    assert abs(green - 80) < 12
    assert abs(red - 170) < 12


def test_the_network_learns_to_paint_unseen_lips(tmp_path: Path) -> None:
    steps: list[int] = []
    totals: list[tuple[int, int]] = []
    watch = Watch(on_start=lambda *numbers: totals.append(numbers), on_step=steps.append)
    _, _, scores = plan_cross_validation(LipPairs("crimson", *lip_crops(10), ""), tmp_path, folds=2, epochs=15).run(
        watch
    )
    assert totals == [(0, 15 * (2 + 2 + 3))]
    assert steps[-1] == totals[0][1]
    assert steps == sorted(steps)
    assert scores["cv_psnr_db"] > scores["identity_psnr_db"] + 5
    assert scores["cv_worst_picture_psnr_db"] <= min(scores["cv_psnr_db_per_fold"])


def test_folds_are_scored_by_networks_that_never_saw_them(tmp_path: Path) -> None:
    """Random paint can be memorised from training pairs, and cannot be predicted for unseen ones."""
    bare, painted = lip_crops(4)
    painted[0] = 255 - painted[0]
    _, _, scores = plan_cross_validation(
        LipPairs("odd", bare, painted, ""), tmp_path, folds=4, epochs=40, lit_share=0.0
    ).run()
    assert scores["cv_worst_picture_psnr_db"] < 12


def test_a_diverging_training_stops_with_one_line(tmp_path: Path) -> None:
    method = Lips(LipsConfig.for_epochs(50, 4, peak_lr=1e30), LipPairs("x", *lip_crops(4), ""))
    with pytest.raises(EngineError, match=r"loss is (inf|nan)"):
        fit(method, tmp_path, fabric=make_fabric("32-true", "cpu"))


def test_a_stopped_cross_validation_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    pairs = LipPairs("x", *lip_crops(7), "")
    _, whole, scores = plan_cross_validation(pairs, tmp_path / "whole", folds=2, epochs=3).run()

    def stop(step: int) -> None:
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(StoppedError, match="--resume"):
        plan_cross_validation(pairs, tmp_path / "stopped", folds=2, epochs=3).run(Watch(on_step=stop))
    assert (tmp_path / "stopped" / "fold-2" / CHECKPOINT).exists()
    assert not (tmp_path / "stopped" / "all").exists()
    _, resumed, again = plan_cross_validation(pairs, tmp_path / "stopped", folds=2, epochs=3, resume=True).run()
    assert again == scores
    weights = resumed.net.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in whole.net.state_dict().items())


def test_progress_names_each_network(data: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    pairs = LipPairs("x", *lip_crops(4), "")
    plan_cross_validation(pairs, tmp_path, folds=2, epochs=1).run(Watch(on_line=lines.append))
    assert [line.partition(":")[0] for line in lines] == ["fold 1 of 2", "fold 2 of 2"]
    assert all("dB on its 2 unseen pairs" in line for line in lines)


def test_shipped_lip_names_are_reserved(data: Path, tmp_path: Path) -> None:
    (data / "crimson").rename(data / "glaze")
    for style in ("glaze", "all"):
        assert "'lips-glaze': a shipped style has this name" in failure("--data", data, "--style", style)
    run("--data", data, "--replace", *QUICK)
    assert load_style("lips-glaze").replaces_shipped


def test_finished_lips_are_not_overwritten_silently(data: Path, tmp_path: Path) -> None:
    run("--data", data, "--out", tmp_path, *QUICK)
    first = (tmp_path / "lips-crimson.safetensors").read_bytes()
    assert "continue it with --resume, or start over with --again" in failure("--data", data, "--out", tmp_path)
    assert "holds a finished style" in failure("--data", data, "--out", tmp_path, "--work", tmp_path / "w")
    assert "with another --folds or --seed" in failure("--data", data, "--out", tmp_path, "--resume", "--seed", 9)
    assert (tmp_path / "lips-crimson.safetensors").read_bytes() == first
    run("--data", data, "--out", tmp_path, "--again", "--seed", 9, *QUICK)
    assert (tmp_path / "lips-crimson.safetensors").read_bytes() != first


def test_all_lip_styles_are_checked_before_the_first(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "crimson", data / "pale")
    own = tmp_path / "own"
    own.mkdir()
    (own / "lips-pale.safetensors").write_bytes(b"mine")
    assert "lips-pale" in failure("--data", data, "--out", own)
    assert [path.name for path in own.iterdir()] == ["lips-pale.safetensors"]


def failure(*arguments: object) -> str:
    with pytest.raises(OptionsError) as caught:
        run(*arguments, *QUICK)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "nowhere" in failure("--data", tmp_path / "nowhere")


def test_an_unknown_style_lists_the_folders(data: Path) -> None:
    assert "crimson" in failure("--data", data, "--style", "glaze")
    assert "bare" in failure("--data", data, "--style", "bare")


def test_a_folder_without_bare_crops_is_refused(data: Path) -> None:
    (data / "bare").rename(data / "naked")
    assert "naked" in failure("--data", data)


def test_a_missing_partner_is_named(data: Path) -> None:
    (data / "bare" / "002.png").unlink()
    assert "002.png" in failure("--data", data)


def test_a_crop_of_another_size_is_named(data: Path) -> None:
    assert cv2.imwrite(str(data / "crimson" / "003.png"), np.zeros((31, 90, 3), np.uint8))
    line = failure("--data", data)
    assert "003.png" in line
    assert "90x31" in line
    assert "90x30" in line


def test_an_unreadable_crop_is_named(data: Path) -> None:
    (data / "crimson" / "004.png").write_bytes(b"no picture")
    assert "004.png" in failure("--data", data)


def test_more_folds_than_pairs_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="7 folds: 6 pairs"):
        run("--data", data, "--folds", 7, "--epochs", 1, "--out", tmp_path / "out")


def test_a_file_as_out_is_refused_before_the_training(data: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OptionsError, match="--out"):
        run("--data", data, "--out", tmp_path / "taken", "--epochs", 1_000_000)
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_failed_rename_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "lips-x.safetensors" / "in the way").mkdir(parents=True)
    with pytest.raises(OptionsError, match="weights in"):
        save_style(LipNet(), {"name": "lips-x"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lips-x.safetensors"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child on Windows")
def test_ctrl_c_ends_with_one_line_and_no_style(data: Path, tmp_path: Path) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    code = "import typer; from engines.training.train_lips_command import lips; typer.run(lips)"
    arguments = ["--data", str(data), "--out", str(out), "--work", str(work), "--epochs", "100000"]
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        until_s = time.monotonic() + 60
        while not (work / "crimson" / "fold-1").is_dir() and time.monotonic() < until_s:
            time.sleep(0.05)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        _, printed = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130
    assert "continue with the same command and --resume" in printed
    assert "Traceback" not in printed
    assert list(out.iterdir()) == []


def test_the_command_is_listed_without_heavy_imports() -> None:
    heavy = "{'torch', 'cv2', 'numpy'}"
    code = f"import sys, engines.training.train_lips_command as _; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
