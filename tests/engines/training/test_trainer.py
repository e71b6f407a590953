"""The trainer, with a tiny network: what comes out, and every way a run can end."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from support.kit_parts import full_disk, make_pairs, paired
from torch import nn

from engines.errors import EngineError, OptionsError
from engines.training.checkpoints.resume import CHECKPOINT
from engines.training.data.paired_batches import PairedBatch
from engines.training.devices import make_fabric
from engines.training.methods.paired import Paired
from engines.training.progress import DivergedError, StoppedError, Watch
from engines.training.trainer import fit


class KillError(Exception):
    """Stands for a killed process."""


def same(one: nn.Module, other: nn.Module) -> bool:
    others = other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in one.state_dict().items())


def killed_at(step: int) -> Watch:
    def on_step(done: int) -> None:
        if done == step:
            raise KillError

    return Watch(on_step=on_step)


def test_training_improves_on_held_out_pairs(tmp_path: Path) -> None:
    lines: list[str] = []
    learning = {"steps": 150, "check_every": 50, "generator_args": {"channels": 8, "blocks": 1}}
    method = paired(**learning, webcam=0, relit=0, turned=0)
    outcome = fit(method, tmp_path, watch=Watch(on_line=lines.append))
    best = outcome.progress.best
    assert best["held_out_psnr_db"] > best["unpainted_psnr_db"] + 3
    assert len(lines) == 3
    assert f"{best['held_out_psnr_db']:.2f} dB" in "".join(lines)
    assert {"curves.png", "samples.png", CHECKPOINT} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "soap", "steps": 24, "check_every": 6},
        {"optimiser": "muon", "steps": 24, "check_every": 6},
        {"optimiser": "adamw", "steps": 24, "check_every": 6},
        {"adversarial": 0.1, "gan": "wgan-gp"},
        {"generator": "pix2pix", "generator_args": {"channels": 4, "depth": 4}, "optimiser": "muon"},  # with dropout
    ],
    ids=["soap", "muon", "adamw", "adversarial", "dropout"],
)
def test_a_resumed_run_gives_the_same_bytes(changes: dict[str, Any], tmp_path: Path) -> None:
    method = paired(**changes)
    whole = fit(method, tmp_path / "whole")
    with pytest.raises(KillError):
        fit(method, tmp_path / "killed", watch=killed_at(method.config.steps * 5 // 8))
    resumed = fit(method, tmp_path / "killed", resume=True)
    assert same(whole.net, resumed.net)
    assert resumed.progress.checks == whole.progress.checks


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    nets = [fit(paired(seed=seed), tmp_path / str(i)).net for i, seed in enumerate((3, 3, 4))]
    assert same(nets[0], nets[1])
    assert not same(nets[0], nets[2])


def test_training_keeps_the_callers_random_state(tmp_path: Path) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    fit(paired(make_pairs(4), steps=2), tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_ctrl_c_saves_and_names_resume(tmp_path: Path) -> None:
    method = paired(check_every=100, steps=10)
    whole = fit(method, tmp_path / "whole")

    def on_step(done: int) -> None:
        if done == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(StoppedError, match=r"stopped at step 5 of 10.*--resume"):
        fit(method, tmp_path / "stopped", watch=Watch(on_step=on_step))
    seen: list[int] = []
    again = fit(method, tmp_path / "stopped", resume=True, watch=Watch(on_step=seen.append))
    assert seen[0] == 6
    assert same(whole.net, again.net)


def test_a_nan_loss_stops_and_keeps_the_best_weights(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"the loss is (nan|inf) at step|a weight is not finite") as caught:
        fit(paired(peak_lr=1e30, warm_up_steps=10**29, steps=2000, optimiser="muon"), tmp_path)
    assert isinstance(caught.value, DivergedError)
    outcome = caught.value.outcome
    assert outcome is not None and outcome.progress.best_step > 0
    assert all(bool(torch.isfinite(tensor).all()) for tensor in outcome.net.state_dict().values())
    with safe_open(tmp_path / CHECKPOINT, framework="pt") as kept:
        good = [kept.get_tensor(name) for name in kept.keys() if name.startswith("best.")]  # noqa: SIM118
    assert good and all(bool(torch.isfinite(tensor).all()) for tensor in good)


def test_weights_that_are_not_finite_are_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Paired.step

    def break_weights(method: Paired, batch: PairedBatch) -> dict[str, float]:
        losses = step(method, batch)
        torch.nn.init.constant_(method.parts.networks["generator"].get_parameter("out.weight"), float("nan"))
        return losses

    monkeypatch.setattr(Paired, "step", break_weights)
    with pytest.raises(DivergedError, match="a weight is not finite after step 1") as caught:
        fit(paired(check_every=1), tmp_path)
    assert caught.value.outcome is None
    assert not (tmp_path / CHECKPOINT).exists()


def test_resuming_lists_options_that_do_not_apply(tmp_path: Path) -> None:
    method = paired()
    whole = fit(method, tmp_path / "whole")
    with pytest.raises(KillError):
        fit(method, tmp_path / "killed", watch=killed_at(5))
    lines: list[str] = []
    other = paired(steps=12, l1=2, generator_args={"channels": 8})
    again = fit(other, tmp_path / "killed", resume=True, watch=Watch(on_line=lines.append))
    assert lines[0].startswith("the checkpoint's options apply: ") and "\n" not in lines[0]
    for part in ("steps 8 (not 12)", "l1 1.0 (not 2)", "generator_args channels=4 blocks=1 (not channels=8)"):
        assert part in lines[0]
    assert "temporal" not in lines[0]
    assert same(whole.net, again.net)
    lines.clear()
    fit(method, tmp_path / "killed", resume=True, watch=Watch(on_line=lines.append))
    assert not any("apply" in line for line in lines)


def test_resuming_in_another_precision_is_refused(tmp_path: Path) -> None:
    fit(paired(steps=2), tmp_path)
    with pytest.raises(OptionsError, match="32-true: the device is set to bf16-mixed"):
        fit(paired(steps=2), tmp_path, resume=True, fabric=make_fabric("bf16-mixed"))


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    method = paired()
    whole = fit(method, tmp_path / "whole")
    work = tmp_path / "full"
    with pytest.raises(KillError):
        fit(method, work, watch=killed_at(5))
    before = (work / CHECKPOINT).read_bytes()
    with full_disk(), pytest.raises(OptionsError, match=r"checkpoint .*; the previous one is intact - .*--resume"):
        fit(method, work, resume=True)
    assert (work / CHECKPOINT).read_bytes() == before
    assert not list(work.glob("*.part*"))
    assert same(whole.net, fit(method, work, resume=True).net)


def test_a_constant_score_stops_early(tmp_path: Path) -> None:
    pairs = make_pairs()
    method = paired(replace(pairs, after_rgb=pairs.before_rgb), steps=200, patience=3, peak_lr=1e-9, webcam=0)
    outcome = fit(method, tmp_path)
    assert outcome.progress.step < 200
    assert re.search(rf"stopped early at step {outcome.progress.step} of 200", outcome.stopped_early)


def test_minutes_set_the_number_of_steps(tmp_path: Path) -> None:
    outcome = fit(paired(steps=10**6), tmp_path, minutes=0.02)
    assert 1 <= outcome.config.steps < 10**5
    assert outcome.progress.step == outcome.config.steps


def test_resuming_needs_a_checkpoint_and_the_same_pairs(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="there is none - start without --resume"):
        fit(paired(), tmp_path, resume=True)
    fit(paired(steps=2), tmp_path)
    with pytest.raises(OptionsError, match="the training data differs"):
        fit(paired(make_pairs(5), steps=2), tmp_path, resume=True)
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(OptionsError, match="not readable"):
        fit(paired(steps=2), tmp_path, resume=True)


def test_output_change_learns_the_change(tmp_path: Path) -> None:
    pairs = make_pairs()
    method = paired(
        pairs, output="change", generator_args={"channels": 8, "blocks": 1, "change": 1}, steps=150, check_every=50,
        webcam=0, relit=0, turned=0,
    )  # fmt: skip
    outcome = fit(method, tmp_path)
    rgb = torch.from_numpy(pairs.before_rgb[:1]).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        made = (rgb + outcome.net(rgb)).clamp(0, 1)[0].permute(1, 2, 0).numpy() * 255
    off, untouched = (np.abs(one - pairs.after_rgb[0]).mean() for one in (made, pairs.before_rgb[0].astype(float)))
    assert off < 0.8 * untouched


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": "toonnet"}, "did you mean 'toon_net'"),
        ({"generator": "lip_net"}, "use veneer train lips"),
        ({"l1": 0, "gradient": 0}, "all losses are switched off"),
        ({"l1": -1}, "--l1 -1: out of range"),
        ({"gan": "gan"}, "use vanilla, lsgan, wgan, wgan-gp, hinge"),
        ({"crop_px": 20}, "not a multiple of 8"),
        ({"crop_px": 64}, "the pictures are 48x48"),
        ({"generator": "pix2pix", "optimiser": "muon", "generator_args": {"depth": 6}}, "halved"),
        ({"generator_args": {"chanels": 4}}, "chanels"),
        ({"generator_args": {"channels": -5}}, "channels must be a whole number from 4 to 256"),
        ({"perceptual": 1}, "--vgg"),
        ({"precision": "bf17"}, "--precision"),
        ({"generator": "pix2pix", "optimiser": "soap", "generator_args": {"depth": 5}}, "--optimiser muon"),
    ],
)
def test_unusable_options_are_one_line(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=re.escape(message)) as caught:
        fit(paired(**changes), tmp_path)
    assert "\n" not in str(caught.value)
