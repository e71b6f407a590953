"""Training from noise: every family trains and resumes, bad pictures and labels are one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from calibration.training.train_request import TrainRequest
from engines.errors import OptionsError
from engines.training.augmentation import augmented
from engines.training.data.labelled_pictures import open_labelled, random_labelled, read_labels
from engines.training.devices import make_fabric
from engines.training.method import TrainingMethod
from engines.training.methods import FROM_NOISE, load_method
from engines.training.methods.noise import samples
from engines.training.metrics.precision_recall import precision_recall
from engines.training.parts import build_parts, train_step
from engines.training.progress import DivergedError, Watch
from engines.training.trainer import fit

pytestmark = pytest.mark.usefixtures("one_thread")


class KillError(Exception):
    """Stands for a killed process."""


def noise_method(name: str, **changes: Any) -> TrainingMethod[Any]:
    """A family with a few channels on pictures of 16 pixels."""
    chosen = load_method(name)
    classes = {"classes": 3} if name == "conditional" else {}
    styled = {"mapping": 2} if name.startswith("stylegan") else {}
    values = {
        **chosen.presets[""], "side_px": 16, "critic_channels": 4, "batch": 4, "steps": 4, "check_every": 2,
        "workers": 0, "precision": "32-true", "generator_args": {"channels": 4, "latent": 8, **classes, **styled},
        "path_every": 1, "r1_every": 2, **changes,
    }  # fmt: skip
    return chosen(chosen.config_class(**values), random_labelled(16, 3 if classes else 0))


def test_the_network_of_conditional_gan_learns_its_labels(tmp_path: Path) -> None:
    """Labels are bright, medium and dark pictures: after some steps they differ in the samples too."""
    method = noise_method(
        "conditional", generator="cgan", steps=400, check_every=400, batch=16, peak_lr=1e-3, r1=1.0, beta1=0.0,
        critic_channels=32, generator_args={"channels": 8, "latent": 8, "classes": 3},
    )  # fmt: skip
    pictures = np.empty((96, 16, 16, 3), np.uint8)
    pictures[:] = np.array([200, 120, 40], np.uint8)[np.arange(96) % 3, None, None, None]
    data = replace(method.data, names=tuple(map(str, range(96))), pictures_rgb=pictures,
                   labels=np.eye(3, dtype=np.float32)[np.arange(96) % 3])  # fmt: skip
    net = fit(type(method)(method.config, data), tmp_path).net
    means = samples(net, torch.eye(3), 8, 0, 16).reshape(3, -1).mean(1)
    assert means[0] > means[1] + 30 and means[1] > means[2] + 30


@pytest.mark.parametrize("name", FROM_NOISE)
def test_a_resumed_run_gives_the_same_samples(name: str, tmp_path: Path) -> None:
    changes = {"ada": 0.6} if name == "stylegan2" else {}
    whole = fit(noise_method(name, **changes), tmp_path / "whole")

    def on_step(done: int) -> None:
        if done == 3:
            raise KillError

    with pytest.raises(KillError):
        fit(noise_method(name, **changes), tmp_path / "killed", watch=Watch(on_step=on_step))
    resumed = fit(noise_method(name, **changes), tmp_path / "killed", resume=True)
    for key, tensor in whole.net.state_dict().items():
        assert torch.equal(tensor, resumed.net.state_dict()[key]), key
    sheets = [sorted((tmp_path / run / "growth").glob("*.png")) for run in ("whole", "killed")]
    assert [path.name for path in sheets[0]] == ["000000002.png", "000000004.png"]
    assert [path.read_bytes() for path in sheets[0]] == [path.read_bytes() for path in sheets[1]]


def test_a_conditional_network_needs_labels(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="no labels - give --photos DIR, and --labels CSV for cgan"):
        TrainRequest(name="people", method="conditional", photos=tmp_path)


def surest_class(auxiliary: float) -> float:
    """Lowest probability that a trained discriminator gives the right one of three colours."""
    changes = {"critic_channels": 8, "batch": 12, "peak_lr": 2e-3, "steps": 60}
    method = noise_method("conditional", auxiliary=auxiliary, **changes)
    pictures = np.zeros((30, 16, 16, 3), np.uint8)
    for number in range(30):
        pictures[number, :, :, number % 3] = 200
    method.data = replace(method.data, pictures_rgb=pictures, labels=np.eye(3, dtype=np.float32)[np.arange(30) % 3],
                          names=tuple(map(str, range(30))))  # fmt: skip
    parts, source = build_parts(method, make_fabric("32-true", "cpu")), method.dataset(0)
    for step in range(60):
        train_step(method, source[step], step)
    rgb = torch.from_numpy(pictures[:3]).permute(0, 3, 1, 2) / 255
    told = parts.networks["critic"].eval()(rgb, torch.eye(3))[:, 1:]
    return float(told.detach().softmax(1).diagonal().min())


def test_the_discriminator_learns_to_tell_the_classes() -> None:
    assert surest_class(1.0) > 0.87 > surest_class(0.0)


def test_networks_grow_from_4_pixels_to_all() -> None:
    config = noise_method("pggan", steps=100, grow=0.8).config
    assert [config.level(step) for step in (0, 20, 30, 40, 70, 80, 99)] == [0, 0, 0.5, 1, 1.5, 2, 2]


def test_augmentation_is_off_at_no_chance() -> None:
    torch.manual_seed(0)
    rgb = torch.rand(8, 3, 16, 16)
    assert torch.allclose(augmented(rgb, torch.tensor(0.0)), rgb, atol=1e-5)
    assert not torch.allclose(augmented(rgb, torch.tensor(0.8)), rgb, atol=0.1)


def test_precision_and_recall_tell_collapse_from_noise() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.standard_normal((2, 200, 8)).astype(np.float32)
    assert min(precision_recall(real, fake)) > 0.6
    precision, recall = precision_recall(real, 0.01 * fake)
    assert precision > 0.9 and recall < 0.1
    assert precision_recall(real, fake + 100) == (0, 0)


def test_a_nan_of_a_noise_method_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"loss is (nan|inf) at step|a weight is not finite"):
        fit(noise_method("dcgan", peak_lr=1e30, steps=50, gan="lsgan"), tmp_path)


def test_sizes_that_are_no_power_of_two_are_one_line() -> None:
    with pytest.raises(OptionsError, match="--size 48: not a power of two"):
        noise_method("dcgan", side_px=48)


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:02}.png"), np.full((20, 24, 3), 10 * i, np.uint8))
    return folder


def test_labels_become_ones_and_zeros(tmp_path: Path) -> None:
    rows = [f"{i:02}.png,{'dark' if i % 2 else 'light'},{'yes' if i < 4 else 'no'}" for i in range(18)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,hair,glasses", *rows]))
    labels = read_labels(tmp_path / "labels.csv")
    data, skipped = open_labelled(pictures(tmp_path / "in", 20), 16, labels, "", lambda _total: None)
    assert labels.attributes == {"hair": ("dark", "light"), "glasses": ("no", "yes")}
    assert data.labels[0].tolist() == [0, 1, 0, 1] and data.pictures_rgb.shape == (18, 16, 16, 3)
    assert "2 without a label" in skipped.line()


@pytest.mark.parametrize(
    ("count", "table", "line"),
    [
        (3, "", "3 usable pictures"),
        (20, "file,hair\nother.png,dark", "0 usable pictures .skipped: 20 without a label"),
        (20, "name,hair\n00.png,dark", "no column file"),
        (20, "file,hair", "no row in it"),
    ],
)
def test_pictures_and_labels_that_do_not_fit(count: int, table: str, line: str, tmp_path: Path) -> None:
    folder, labels = pictures(tmp_path / "in", count), tmp_path / "labels.csv"
    labels.write_text(table)
    with pytest.raises(OptionsError, match=line) as error:
        open_labelled(folder, 16, read_labels(labels) if table else None, "", lambda _total: None)
    assert "\n" not in str(error.value)
