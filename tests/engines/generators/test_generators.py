"""Each generator: what it returns, what it costs, and that it is built as its paper says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engines.discriminators.patch_gan import PatchGan
from engines.generators.autoretouch import AutoRetouch
from engines.generators.pix2pix import Pix2Pix
from engines.generators.toon_net import ToonNet
from engines.training.metrics.model_cost import gmac, parameters

SMALL = {
    "toon_net": (ToonNet, {"channels": 8, "blocks": 1}),
    "autoretouch": (AutoRetouch, {"channels": 8, "blocks": 2}),
    "pix2pix": (Pix2Pix, {"channels": 8, "depth": 4}),
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", SMALL)
def test_a_generator_returns_a_picture_or_a_change_of_any_size(name: str) -> None:
    made, arguments = SMALL[name]
    torch.manual_seed(0)
    wide = torch.rand(2, 3, 48, 80)
    with torch.inference_mode():
        picture = made(**arguments).eval()(wide)
        change = made(**arguments, change=1).eval()(wide)
    assert picture.shape == change.shape == wide.shape
    assert picture.min() >= 0 and picture.max() <= 1
    assert change.min() < 0 < change.max()


@pytest.mark.parametrize("name", SMALL)
def test_a_generator_learns_a_simple_look(name: str) -> None:
    made, arguments = SMALL[name]
    torch.manual_seed(0)
    net, rgb = made(**arguments).train(), torch.rand(4, 3, 32, 32)
    wanted = 1 - rgb
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = (net(rgb) - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def field_of_view(net: nn.Module, *pictures: torch.Tensor, at: tuple[int, int]) -> tuple[int, int]:
    """Height and width of what one output value depends on."""
    seen = pictures[-1].requires_grad_(True)
    net(*pictures)[0, 0, at[0], at[1]].backward()
    assert seen.grad is not None
    rows, columns = torch.nonzero(seen.grad[0].abs().sum(0), as_tuple=True)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def test_toon_net_is_cheap_enough_for_live_use() -> None:
    assert gmac(ToonNet(), (256, 256)) <= 0.8
    assert parameters(ToonNet()) <= 800_000


def test_toon_net_sees_a_wide_part_of_the_face() -> None:
    torch.manual_seed(0)
    net = ToonNet()
    for name, weights in net.named_parameters():
        nn.init.constant_(weights, 0.01 if name.endswith("weight") else 0.1)  # no ReLU hides anything
    seen = field_of_view(net, torch.full((1, 3, 256, 256), 0.9), at=(128, 128))
    assert min(seen) >= 100


def test_cost_counts_convolutions_of_both_directions() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1))
    down = 8 * 16 * 32 * 3 * 9
    up = 8 * 16 * 32 * 3 * 16
    assert gmac(net, (64, 32)) == pytest.approx((down + up) / 1e9)


def test_autoretouch_has_the_layers_of_its_paper() -> None:
    net = AutoRetouch()
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    first, down, *body, narrow, out = convolutions
    assert (first.out_channels, first.kernel_size, first.stride) == (64, (7, 7), (1, 1))
    assert (down.out_channels, down.kernel_size, down.stride) == (128, (3, 3), (2, 2))
    assert len(body) == 15 * 2
    assert {(m.in_channels, m.out_channels, m.kernel_size) for m in body} == {(128, 128, (3, 3))}
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == 30
    assert narrow.out_channels == 64
    assert (out.in_channels, out.out_channels, out.kernel_size) == (64, 3, (3, 3))


def test_pix2pix_of_the_paper_brings_a_picture_to_one_pixel() -> None:
    net = Pix2Pix(depth=8)
    widths = [m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 512, 512, 512, 512]
    assert parameters(net) == pytest.approx(54.4e6, rel=0.01)


def test_pix2pix_drops_values_only_while_it_learns() -> None:
    torch.manual_seed(0)
    net, rgb = Pix2Pix(channels=8, depth=4), torch.rand(2, 3, 32, 32)
    assert not torch.equal(net.train()(rgb), net(rgb))
    assert torch.equal(net.eval()(rgb), net(rgb))


@pytest.mark.parametrize("norm", [0, 1])
def test_patch_gan_judges_patches_of_70_pixels(norm: int) -> None:
    torch.manual_seed(0)
    net = PatchGan(channels=8, norm=norm).eval()
    pictures = torch.rand(2, 1, 3, 256, 256)
    assert field_of_view(net, pictures[0], pictures[1], at=(15, 15)) == (70, 70)


def test_patch_gan_has_no_normalisation_where_a_gradient_penalty_forbids_it() -> None:
    assert not any(isinstance(m, nn.BatchNorm2d) for m in PatchGan(norm=0).modules())
    assert sum(isinstance(m, nn.BatchNorm2d) for m in PatchGan().modules()) == 3
