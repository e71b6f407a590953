"""The translation methods: every objective trains, a resumed run is the same, the sheets show what was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.translation_parts import small_method, unpaired
from torch import nn

from engines.errors import OptionsError
from engines.training.checkpoints.resume import CHECKPOINT
from engines.training.devices import make_fabric
from engines.training.image_pool import ImagePool
from engines.training.method import TrainingMethod
from engines.training.methods import load_method
from engines.training.parts import build_parts, train_step
from engines.training.progress import DivergedError, Watch
from engines.training.trainer import fit

METHODS = ("cyclegan", "ugatit", "photo2cartoon", "pix2pix", "pix2pixhd", "vid2vid", "cgan")


OBJECTIVES = [{"gan": "wgan"}, {"gan": "wgan-gp"}, {"gan": "hinge", "spectral": True, "r1": 1.0}]


class KillError(Exception):
    """Stands for a killed process."""


def killed_at(step: int) -> Watch:
    def on_step(done: int) -> None:
        if done == step:
            raise KillError

    return Watch(on_step=on_step)


def same(one: nn.Module, other: nn.Module) -> bool:
    others = other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in one.state_dict().items())


def built(method: TrainingMethod[Any]) -> TrainingMethod[Any]:
    build_parts(method, make_fabric("32-true", "cpu"))
    return method


@pytest.mark.parametrize("name", METHODS)
def test_a_resumed_run_of_a_method_gives_the_same(name: str, tmp_path: Path) -> None:
    whole = fit(small_method(name), tmp_path / "whole")
    with pytest.raises(KillError):
        fit(small_method(name), tmp_path / "killed", watch=killed_at(3))
    resumed = fit(small_method(name), tmp_path / "killed", resume=True)
    assert same(whole.net, resumed.net)
    assert resumed.progress.checks == whole.progress.checks
    assert {"curves.png", "samples.png", CHECKPOINT} <= {path.name for path in (tmp_path / "whole").iterdir()}


@pytest.mark.parametrize(
    "changes", [{"gan": "wgan"}, {"gan": "wgan-gp"}, {"gan": "hinge", "spectral": True, "r1": 1.0}]
)
@pytest.mark.parametrize("name", ["cyclegan", "pix2pix", "pix2pixhd", "cgan"])
def test_every_objective_trains_every_method(name: str, changes: dict[str, Any]) -> None:
    method = built(small_method(name, **changes))
    before = {key: weight.clone() for key, weight in method.parts.networks["generator"].named_parameters()}
    losses = train_step(method, method.dataset(0)[0], 0)
    assert all(np.isfinite(value) for value in losses.values())
    after = dict(method.parts.networks["generator"].named_parameters())
    assert any(not torch.equal(weight, after[key]) for key, weight in before.items())
    critics = [net for key, net in method.parts.networks.items() if "critic" in key or key == "discriminator"]
    largest = max(float(weight.detach().abs().max()) for net in critics for weight in net.parameters())
    assert changes["gan"] != "wgan" or largest <= 0.01


def test_cyclegan_closes_its_cycle(tmp_path: Path) -> None:
    method = small_method("cyclegan", steps=60, check_every=10, batch=2, peak_lr=3e-3, held_out=0.2)
    progress = fit(method, tmp_path).progress
    assert progress.checks[-1]["cycle"] < 0.8 * progress.checks[0]["cycle"]
    assert {"swd", "untrained_swd", "untouched_swd", "cycle_psnr_db"} < set(progress.best)


@pytest.mark.parametrize(
    "name, changes", [("cyclegan", {"generator": "flat_net", "generator_args": {}}), ("ugatit", {})]
)
def test_photos_of_the_way_back_keep_their_texture(name: str, changes: dict[str, Any]) -> None:
    networks: dict[str, Any] = built(small_method(name, **changes)).parts.networks
    assert networks["generator"].edge > 0 and networks["back"].edge == 0


def test_noise_in_the_cycle_grows_to_its_size() -> None:
    """Both generators start as the identity: the loss is the mean size of the noise in 2 directions, of -1..1."""
    differences = []
    for step in (0, 2, 4):
        method = built(small_method("cyclegan", generator="toon_net", generator_args={}, cycle_noise=0.1, steps=8))
        differences.append(train_step(method, method.dataset(0)[0], step)["cycle"])
    expected = 4 * 0.1 * (2 / np.pi) ** 0.5
    assert differences[0] < 0.2 * differences[2] < differences[1] < 0.7 * differences[2]
    assert differences[2] == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("name", ["cyclegan", "ugatit", "photo2cartoon"])
def test_the_first_steps_learn_the_identity(name: str, tmp_path: Path) -> None:
    words: dict[str, Any] = {"initial_steps": 1000, "steps": 80, "check_every": 20, "peak_lr": 3e-3, "batch": 2}
    first, last, after, _ = fit(small_method(name, **words), tmp_path).progress.checks  # half of the steps at most
    assert last["same"] < 0.9 * first["same"]
    assert "adversarial" not in last and "critics" not in last and {"adversarial", "critics", "cycle"} <= set(after)
    method = built(small_method(name, initial_steps=1))
    critics = [net for key, net in method.parts.networks.items() if "critic" in key]
    before = [weight.clone() for net in critics for weight in net.parameters()]
    train_step(method, method.dataset(0)[0], 0)
    assert all(map(torch.equal, before, (weight for net in critics for weight in net.parameters())))


def test_losses_that_begin_between_two_checks_are_means(tmp_path: Path) -> None:
    words: dict[str, Any] = {"initial_steps": 15, "steps": 30, "check_every": 10}
    _, between, after = fit(small_method("ugatit", **words), tmp_path).progress.checks
    assert between["adversarial"] > 0.7 * after["adversarial"] > 0
    assert between["critics"] > 0.7 * after["critics"] > 0


@pytest.mark.parametrize("side_px, expected", [(64, [5, 5]), (96, [6, 5]), (128, [6, 5]), (256, [7, 5])])
def test_discriminators_of_small_pictures_have_fewer_layers(side_px: int, expected: list[int]) -> None:
    critics = small_method("ugatit", side_px=side_px).critics()  # type: ignore[attr-defined]
    layers = [len(critics[f"drawings' {name} critic"].steps) + 1 for name in ("global", "local")]
    assert layers == expected


def test_shares_of_normalisation_stay_in_range() -> None:
    method = built(small_method("ugatit", peak_lr=0.5))
    for step in range(3):
        train_step(method, method.dataset(0)[step], step)
    for name in ("generator", "back"):
        shares = [
            value.detach() for key, value in method.parts.networks[name].named_parameters() if key.endswith("rho")
        ]
        assert shares and all(float(one.min()) >= 0 and float(one.max()) <= 1 for one in shares)


def test_gradients_of_several_batches_are_added_up() -> None:
    """Two batches in one step move the weights as their mean gradient does: SGD makes it visible."""
    moved = []
    for count in (1, 2):
        method = built(small_method("pix2pixhd", accumulate=count, adversarial=0, l1=1.0, matching=0.0))
        nets = method.parts.networks
        method.parts.optimisers["generator"] = method.parts.fabric.setup_optimizers(
            torch.optim.SGD(nets["generator"].parameters(), 1.0)
        )
        start = nets["generator"].get_parameter("out.weight").detach().clone()
        steps = []
        for part in range(2):
            train_step(method, method.dataset(0)[part], 0, part if count == 2 else 0)
            steps.append(nets["generator"].get_parameter("out.weight").detach() - start)
            if count == 1:
                nets["generator"].load_state_dict(
                    built(small_method("pix2pixhd")).parts.networks["generator"].state_dict()
                )
        moved.append(steps)
    assert not moved[1][0].any(), "the first batch alone moves nothing"
    assert torch.allclose(moved[1][1], (moved[0][0] + moved[0][1]) / 2, atol=1e-4)


def test_the_pool_returns_earlier_pictures() -> None:
    torch.manual_seed(0)
    pool = ImagePool(2, 4)
    shown = [pool.exchange(torch.full((1, 3, 4, 4), float(i)))[0, 0, 0, 0].item() for i in range(12)]
    assert shown[:2] == [0, 1]
    assert any(value < i for i, value in enumerate(shown)) and any(value == i for i, value in enumerate(shown[2:], 2))
    empty = ImagePool(0, 4)
    assert float(empty.exchange(torch.ones(1, 3, 4, 4)).mean()) == 1


def test_flicker_depends_on_the_last_picture() -> None:
    scores = []
    for memory in (True, False):
        method = built(small_method("vid2vid", memory=memory))
        method.parts.averages["generator"].load_state_dict(method.parts.networks["generator"].state_dict())
        scores.append(method.validate().scores["flicker_of_255"])
    assert all(score > 0 for score in scores) and scores[0] != scores[1]


def test_a_nan_loss_of_a_method_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"loss is (nan|inf) at step|a weight is not finite"):
        fit(small_method("cyclegan", peak_lr=1e30, steps=50), tmp_path)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("cyclegan", {"gan": "gan"}, "there is no such"),
        ("cyclegan", {"gan": "wgan", "spectral": True}, "both limit the weights"),
        ("cyclegan", {"generator": "vid2vid"}, "only one image"),
        ("cyclegan", {"face_id": 1.0}, "no identity network"),
        ("ugatit", {"generator": "cyclegan"}, "no class activation attention"),
        ("vid2vid", {"generator": "toon_net"}, "does not receive its last picture"),
        ("vid2vid", {"temporal": 0.0, "batch": 3}, "temporal 0: the method trains on pairs"),
        ("cgan", {"generator": "cyclegan"}, "does not receive an image and a class"),
        ("cgan", {"generator_args": {"classes": 5}}, "the classes are photo and drawing"),
    ],
)
def test_options_that_do_not_fit_are_one_line(name: str, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionsError, match=told) as error:
        small_method(name, **changes)
    assert "\n" not in str(error.value)


def test_a_size_that_the_generator_changes_is_refused() -> None:
    method = small_method("cgan")
    method.data = unpaired(side=34)
    with pytest.raises(OptionsError, match="cgan_image on pictures or crops of 34x34"):
        built(method)


def test_presets_name_fields_of_their_configs() -> None:
    for name in METHODS:
        method = load_method(name)
        assert set(method.presets) == {"tiny", "light", "paper"}
        for values in method.presets.values():
            extra = {"face_id": 0} if name == "photo2cartoon" else {}
            method.config_class(**{**values, **extra})


def test_a_network_that_starts_as_identity_keeps_its_weights() -> None:
    rgb = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ours = small_method("cyclegan", generator="toon_net", generator_args={"channels": 4, "deep": 4, "blocks": 1})
    for name, net in ours.networks().items():
        if name in ("generator", "back"):
            assert (net(rgb) - rgb).abs().mean() < 0.05 and net.training
    papers = small_method("cyclegan").networks()["generator"]
    assert (papers(rgb) - rgb).abs().mean() > 0.1
    assert float(papers.first[0].weight.detach().std()) == pytest.approx(0.02, rel=0.2)  # type: ignore[index,union-attr]


def test_batches_of_photos_keep_the_eyes_in_order() -> None:
    data = unpaired()
    source = small_method("cyclegan", batch=8).dataset(0)
    batch = source[5]
    assert np.array_equal(batch.photos_rgb, source[5].photos_rgb)
    assert (batch.eyes_xy[:, 0, 0] < batch.eyes_xy[:, 1, 0]).all()
    assert batch.photos_rgb.shape == (8, 32, 32, 3) and data.size_wh == (32, 32)
