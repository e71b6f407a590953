"""The training loop, with real parts on a tiny network: what comes out, and every way it can end."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from support.kit_parts import full_disk, make_pairs, make_recipe
from torch import nn

from engines.errors import EngineError, OptionsError
from engines.training.data.augmentation import Batch
from engines.training.data.paired_dataset import Pairs
from engines.training.devices import make_fabric
from engines.training.methods.paired import Learner
from engines.training.outcome import DivergedError, StoppedError, Watch
from engines.training.recipe import Objectives
from engines.training.resume import CHECKPOINT
from engines.training.trainer import fit


class KillError(Exception):
    """The process is gone."""


def same(one: nn.Module, other: nn.Module) -> bool:
    others = other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in one.state_dict().items())


def killed_at(step: int) -> Watch:
    def on_step(done: int) -> None:
        if done == step:
            raise KillError

    return Watch(on_step=on_step)


def test_training_gets_better_on_pairs_it_never_saw(tmp_path: Path) -> None:
    lines: list[str] = []
    learning = {"steps": 150, "check_every": 50, "generator_args": {"channels": 8, "blocks": 1}}
    recipe = make_recipe(**learning, webcam=0, light=0, turned=0)
    outcome = fit(make_pairs(), recipe, tmp_path, watch=Watch(on_line=lines.append))
    best = outcome.progress.best
    assert best["held_out_psnr_db"] > best["unpainted_psnr_db"] + 3
    assert len(lines) == 3
    assert f"{best['held_out_psnr_db']:.2f} dB" in "".join(lines)
    assert {"curves.png", "samples.png", CHECKPOINT} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("optimiser", ["soap", "muon", "adamw"])
def test_a_killed_run_gone_on_with_gives_the_same_bytes(optimiser: str, tmp_path: Path) -> None:
    pairs, recipe = make_pairs(), make_recipe(optimiser=optimiser, steps=24, check_every=6)
    whole = fit(pairs, recipe, tmp_path / "whole")
    with pytest.raises(KillError):
        fit(pairs, recipe, tmp_path / "killed", watch=killed_at(15))
    again = fit(pairs, recipe, tmp_path / "killed", resume=True)
    assert same(whole.net, again.net)
    assert again.progress.checks == whole.progress.checks


def test_adversarial_training_goes_on_the_same_too(tmp_path: Path) -> None:
    pairs = make_pairs(4)
    recipe = make_recipe(steps=4, objectives=Objectives(adversarial=0.1, gan="wgan-gp"))
    whole = fit(pairs, recipe, tmp_path / "whole")
    with pytest.raises(KillError):
        fit(pairs, recipe, tmp_path / "killed", watch=killed_at(3))
    assert same(whole.net, fit(pairs, recipe, tmp_path / "killed", resume=True).net)


def test_dropout_does_not_disturb_going_on(tmp_path: Path) -> None:
    pairs = make_pairs(4)
    recipe = make_recipe(generator="pix2pix", generator_args={"channels": 4, "depth": 4}, optimiser="muon")
    whole = fit(pairs, recipe, tmp_path / "whole")
    with pytest.raises(KillError):
        fit(pairs, recipe, tmp_path / "killed", watch=killed_at(5))
    assert same(whole.net, fit(pairs, recipe, tmp_path / "killed", resume=True).net)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    pairs = make_pairs()
    nets = [fit(pairs, make_recipe(seed=seed), tmp_path / str(i)).net for i, seed in enumerate((3, 3, 4))]
    assert same(nets[0], nets[1])
    assert not same(nets[0], nets[2])


def test_training_leaves_the_callers_dice_alone(tmp_path: Path) -> None:
    torch.manual_seed(11)
    wanted = torch.rand(3)
    torch.manual_seed(11)
    fit(make_pairs(4), make_recipe(steps=2), tmp_path)
    assert torch.equal(torch.rand(3), wanted)


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    pairs, recipe = make_pairs(), make_recipe(check_every=100, steps=10)
    whole = fit(pairs, recipe, tmp_path / "whole")

    def on_step(done: int) -> None:
        if done == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(StoppedError, match=r"stopped at step 5 of 10.*--resume"):
        fit(pairs, recipe, tmp_path / "stopped", watch=Watch(on_step=on_step))
    seen: list[int] = []
    again = fit(pairs, recipe, tmp_path / "stopped", resume=True, watch=Watch(on_step=seen.append))
    assert seen[0] == 6
    assert same(whole.net, again.net)


def test_nan_stops_names_the_step_and_keeps_the_last_good_weights(tmp_path: Path) -> None:
    pairs = make_pairs()
    with pytest.raises(EngineError, match=r"the loss is (nan|inf) at step|a weight is not finite") as caught:
        fit(pairs, make_recipe(peak_lr=1e30, warm_up_steps=10**29, steps=2000, optimiser="muon"), tmp_path)
    assert isinstance(caught.value, DivergedError)
    outcome = caught.value.outcome
    assert outcome is not None and outcome.progress.best_step > 0
    assert all(bool(torch.isfinite(tensor).all()) for tensor in outcome.net.state_dict().values())
    with safe_open(tmp_path / CHECKPOINT, framework="pt") as kept:
        good = [kept.get_tensor(name) for name in kept.keys() if name.startswith("best.")]  # noqa: SIM118
    assert good and all(bool(torch.isfinite(tensor).all()) for tensor in good)


def test_weights_that_are_no_numbers_are_never_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Learner.step

    def into_nothing(learner: Learner, batch: Batch, number: int) -> dict[str, float]:
        told = step(learner, batch, number)
        torch.nn.init.constant_(learner.mean.get_parameter("out.weight"), float("nan"))
        return told

    monkeypatch.setattr(Learner, "step", into_nothing)
    with pytest.raises(DivergedError, match="a weight is not finite after step 1") as caught:
        fit(make_pairs(), make_recipe(check_every=1), tmp_path)
    assert caught.value.outcome is None
    assert not (tmp_path / CHECKPOINT).exists()


def test_going_on_says_which_options_do_not_count(tmp_path: Path) -> None:
    pairs, recipe = make_pairs(), make_recipe()
    whole = fit(pairs, recipe, tmp_path / "whole")
    with pytest.raises(KillError):
        fit(pairs, recipe, tmp_path / "killed", watch=killed_at(5))
    lines: list[str] = []
    other = make_recipe(steps=12, objectives=Objectives(l1=2, temporal=0.2), generator_args={"channels": 8})
    again = fit(pairs, other, tmp_path / "killed", resume=True, watch=Watch(on_line=lines.append))
    assert lines[0].startswith("the checkpoint counts: ") and "\n" not in lines[0]
    for said in ("steps 8 (not 12)", "l1 1.0 (not 2)", "generator_args channels=4 blocks=1 (not channels=8)"):
        assert said in lines[0]
    assert "temporal" not in lines[0]
    assert same(whole.net, again.net)
    lines.clear()
    fit(pairs, recipe, tmp_path / "killed", resume=True, watch=Watch(on_line=lines.append))
    assert not any("counts" in line for line in lines)


def test_going_on_in_another_precision_is_refused(tmp_path: Path) -> None:
    fit(make_pairs(), make_recipe(steps=2), tmp_path)
    with pytest.raises(OptionsError, match="32-true: the device calculates in bf16-mixed"):
        fit(make_pairs(), make_recipe(steps=2), tmp_path, resume=True, fabric=make_fabric("bf16-mixed"))


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    pairs, recipe = make_pairs(), make_recipe()
    whole = fit(pairs, recipe, tmp_path / "whole")
    work = tmp_path / "full"
    with pytest.raises(KillError):
        fit(pairs, recipe, work, watch=killed_at(5))
    before = (work / CHECKPOINT).read_bytes()
    with full_disk(), pytest.raises(OptionsError, match=r"checkpoint .*; the one before it is whole - .*--resume"):
        fit(pairs, recipe, work, resume=True)
    assert (work / CHECKPOINT).read_bytes() == before
    assert not list(work.glob("*.part"))
    assert same(whole.net, fit(pairs, recipe, work, resume=True).net)


def test_a_score_that_stands_still_stops_the_training_early(tmp_path: Path) -> None:
    pairs = make_pairs()
    same_after = Pairs(pairs.names, pairs.before_rgb, pairs.before_rgb, pairs.terms)
    recipe = make_recipe(steps=200, patience=3, peak_lr=1e-9, webcam=0)
    outcome = fit(same_after, recipe, tmp_path)
    assert outcome.progress.step < 200
    assert re.search(rf"stopped early at step {outcome.progress.step} of 200", outcome.stopped_early)


def test_minutes_choose_the_number_of_steps(tmp_path: Path) -> None:
    outcome = fit(make_pairs(), make_recipe(steps=10**6), tmp_path, minutes=0.02)
    assert 1 <= outcome.recipe.steps < 10**5
    assert outcome.progress.step == outcome.recipe.steps


def test_going_on_wants_a_checkpoint_and_the_same_pairs(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="there is none - start without --resume"):
        fit(make_pairs(), make_recipe(), tmp_path, resume=True)
    fit(make_pairs(), make_recipe(steps=2), tmp_path)
    with pytest.raises(OptionsError, match="the pairs are not those it started with"):
        fit(make_pairs(5), make_recipe(steps=2), tmp_path, resume=True)
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(OptionsError, match="not readable"):
        fit(make_pairs(), make_recipe(steps=2), tmp_path, resume=True)


def test_a_style_of_changes_learns_changes(tmp_path: Path) -> None:
    recipe = make_recipe(
        output="change", generator_args={"channels": 8, "blocks": 1, "change": 1}, steps=150, check_every=50,
        webcam=0, light=0, turned=0,
    )  # fmt: skip
    pairs = make_pairs()
    outcome = fit(pairs, recipe, tmp_path)
    rgb = torch.from_numpy(pairs.before_rgb[:1]).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        made = (rgb + outcome.net(rgb)).clamp(0, 1)[0].permute(1, 2, 0).numpy() * 255
    off, untouched = (np.abs(one - pairs.after_rgb[0]).mean() for one in (made, pairs.before_rgb[0].astype(float)))
    assert off < 0.8 * untouched


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"generator": "toonnet"}, "did you mean 'toon_net'"),
        ({"objectives": Objectives(l1=0, gradient=0)}, "all are switched off"),
        ({"objectives": Objectives(l1=-1)}, "negative"),
        ({"objectives": Objectives(gan="gan")}, "use vanilla, lsgan, wgan-gp"),
        ({"crop_px": 20}, "not a multiple of 8"),
        ({"crop_px": 64}, "the pictures are 48x48"),
        ({"generator": "pix2pix", "optimiser": "muon", "generator_args": {"depth": 6}}, "halved"),
        ({"generator_args": {"chanels": 4}}, "chanels"),
        ({"generator_args": {"channels": -5}}, "channels must be a whole number from 4 to 256"),
        ({"objectives": Objectives(perceptual=1)}, "--vgg"),
        ({"precision": "bf17"}, "--precision"),
        ({"generator": "pix2pix", "optimiser": "soap", "generator_args": {"depth": 5}}, "--optimiser muon"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=re.escape(said)) as caught:
        fit(make_pairs(), make_recipe(**changes), tmp_path)
    assert "\n" not in str(caught.value)
