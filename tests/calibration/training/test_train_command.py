"""`veneer train STYLE` on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.kit_parts import make_pairs, negative, write_pairs
from support.root import ROOT
from support.train_parts import QUICK, call

from engines.errors import EngineError, OptionsError
from engines.generators.toon_net import ToonNet
from engines.style_lookup import load_style
from engines.training.data.paired_batches import PairedBatch
from engines.training.methods.paired import Paired
from live.portrait import portrait_bgr


def test_a_teacher_and_photos_make_a_style(photos: Path, tmp_path: Path) -> None:
    printed = call(
        "my-toon", "--teacher", "sketch", "--faces", photos, "--work", tmp_path / "w", "--out", tmp_path, *QUICK
    )
    assert "my-toon:" in printed and "dB" in printed
    assert "skipped: 1 unreadable (" in printed and "broken.jpg" in printed
    assert "1 without a face (" in printed and "wall.png" in printed
    card = json.loads((tmp_path / "my-toon.json").read_text())
    assert (card["name"], card["generator"], card["region"], card["output"]) == (
        "my-toon",
        "toon_net",
        "head",
        "picture",
    )
    assert (card["teacher"], card["size_wh"], card["steps"]) == ("sketch", [256, 256], 4)
    assert card["data"]["terms"] == "Public domain (NASA)."
    assert card["losses"] == {"l1": 1.0, "gradient": 0.5, "temporal": 0.2}
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
    printed = call("neg", *own, "--region", "face", "--work", tmp_path / "w", "--out", tmp_path, *QUICK)
    assert "1 without a partner" in printed and "alone.png" in printed
    assert "1 without a face (" in printed and "wall.png" in printed
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


def test_another_generator_has_its_own_arguments(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    own = ("--before", before, "--after", after, "--no-cut", "--generator", "pix2pix", "--method=paired", *QUICK[:6])
    call("p2p", *own, *QUICK[-6:], "--arg", "channels=4", "--arg", "depth=4", "--work", tmp_path, "--out", tmp_path)
    card = json.loads((tmp_path / "p2p.json").read_text())
    assert (card["generator"], card["config"]["optimiser"]) == ("pix2pix", "muon")
    assert card["generator_args"] == {"channels": 4, "depth": 4}
    assert (card["method"], card["output"]) == ("paired", "picture")


def test_without_out_the_style_is_the_users_own(veneer_home: Path, tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    call("neg", "--before", before, "--after", after, "--no-cut", "--work", tmp_path / "w", *QUICK)
    assert {path.name for path in veneer_home.rglob("neg.*")} == {"neg.safetensors", "neg.json"}


def test_a_folder_without_faces_is_one_line(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 120, np.uint8))
    with pytest.raises(OptionsError, match=r"no face on 1 pictures, 0 unreadable - .*photos that show faces") as caught:
        call("x", "--teacher", "sketch", "--faces", tmp_path, "--work", tmp_path / "w", "--out", tmp_path / "o", *QUICK)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "o").iterdir())


def test_shipped_names_are_reserved(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    own = ("--before", before, "--after", after, "--no-cut", "--work", tmp_path / "w", *QUICK)
    with pytest.raises(OptionsError, match="a shipped style has this name - .* --replace"):
        call("toon", *own)
    assert not (tmp_path / "w").exists() and not load_style("toon").replaces_shipped
    call("toon", *own, "--replace")
    assert load_style("toon").replaces_shipped


def test_finished_training_is_not_overwritten_silently(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    own = ("--before", before, "--after", after, "--no-cut", "--out", tmp_path, *QUICK)
    call("neg", *own, "--work", tmp_path / "w")
    first = (tmp_path / "neg.safetensors").read_bytes()
    advice = {"w": "an earlier training - continue it with --resume", "other": "a finished style - choose another name"}
    for work, what in advice.items():
        with pytest.raises(OptionsError, match=f"holds {what}, or start over with --again"):
            call("neg", *own, "--seed", "1", "--work", tmp_path / work)
    assert (tmp_path / "neg.safetensors").read_bytes() == first
    call("neg", *own, "--seed", "1", "--work", tmp_path / "w", "--again")
    assert (tmp_path / "neg.safetensors").read_bytes() != first


@pytest.mark.parametrize("linked", [False, True])
def test_own_pictures_in_the_work_folder_are_kept(tmp_path: Path, linked: bool) -> None:
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
        ("--teacher", "sketch", "--faces", tmp_path / "regions"),
        ("--before", others[0], "--after", others[1], "--region", "frame"),
    ):
        with pytest.raises(OptionsError, match="another --work, or move"):
            call("x", *options, "--work", work, "--out", out, *QUICK)
        assert {path: path.read_bytes() for path in there} == there


def test_diverged_training_writes_the_best_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Paired.step

    def diverge(method: Paired, batch: PairedBatch) -> dict[str, float]:
        if method.parts.step == 2:
            torch.nn.init.constant_(method.parts.networks["generator"].get_parameter("out.weight"), float("nan"))
        return step(method, batch)

    monkeypatch.setattr(Paired, "step", diverge)
    before, after = write_pairs(make_pairs(4), tmp_path)
    with pytest.raises(EngineError, match="nan at step 3; the style was written with the best weights") as caught:
        call("neg", "--before", before, "--after", after, "--no-cut", "--work", tmp_path, "--out", tmp_path, *QUICK)
    assert "\n" not in str(caught.value)
    card = json.loads((tmp_path / "neg.json").read_text())
    assert card["kept_step"] in (1, 2)
    weights = load_file(tmp_path / "neg.safetensors")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in weights.values())


def test_resuming_uses_the_checkpoints_precision(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    own = ("--before", before, "--after", after, "--no-cut", "--work", tmp_path, "--out", tmp_path, *QUICK)
    call("neg", *own)
    printed = call("neg", *own, "--resume", "--precision", "bf16-mixed", "--lr", "0.5")
    assert "training on cpu in 32-true" in printed
    assert "precision 32-true (not bf16-mixed)" in printed and "peak_lr 0.006 (not 0.5)" in printed


def test_lips_is_a_command_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="lip pairs"):
        call("lips", "--data", tmp_path / "none", "--out", tmp_path)


def test_the_command_is_listed_without_heavy_imports() -> None:
    code = "import sys, calibration.train_command; sys.exit(bool({'torch', 'cv2', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_help_lists_both_commands() -> None:
    assert {"lips", "STYLE"} <= set(call("--help").split())
    assert "--teacher" in call("STYLE", "--help")


def test_ctrl_c_ends_with_130_and_resume_finishes(tmp_path: Path) -> None:
    before, after = write_pairs(make_pairs(4), tmp_path)
    shared = ["--before", before, "--after", after, "--no-cut", *QUICK, "--steps", "240", "--workers", "1"]
    interrupted = tmp_path / "interrupted"
    program = (  # after its first checkpoint it waits for the signal, which a quick run would miss
        "import sys, time; from pathlib import Path; from live import cli; import typer\n"
        "from calibration.train_command import train; from engines.training.trainer import _Run\n"
        "save, interrupted = _Run.save, Path(sys.argv.pop())\n"
        "def held(run):\n"
        "    save(run)\n"
        "    while not interrupted.exists(): time.sleep(0.01)\n"
        "_Run.save, cli.build = held, lambda name: train\n"
        "cli.main()"
    )

    def start(*options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program, "neg", *(str(option) for option in (*shared, *options, interrupted))]
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    stopped = start("--work", tmp_path / "w", "--out", tmp_path / "o")
    checkpoint = tmp_path / "w" / "checkpoint.safetensors"
    watchdog = threading.Timer(60, stopped.kill)
    watchdog.start()
    while not checkpoint.exists() and stopped.poll() is None:
        time.sleep(0.02)
    os.kill(stopped.pid, signal.SIGINT)
    interrupted.touch()
    printed = stopped.communicate()[1]
    watchdog.cancel()
    assert stopped.returncode == 130, printed
    assert "continue with the same command and --resume" in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "o" / "neg.safetensors").exists()
    call("neg", *shared, "--work", tmp_path / "w", "--out", tmp_path / "o", "--resume")
    assert json.loads((tmp_path / "o" / "neg.json").read_text())["steps"] == 240
