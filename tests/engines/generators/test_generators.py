"""Every generator: its spec fits its network, it trains, and it has the layers of its paper."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engines.discriminators.patch_gan import PatchGan
from engines.generators.animegan2_net import AnimeGan2
from engines.generators.autoretouch import AutoRetouch
from engines.generators.cyclegan_net import CycleGan
from engines.generators.layers import Attention, ResidualBlock, SteeredBlock, layer_instance_norm
from engines.generators.photo2cartoon_net import Photo2Cartoon
from engines.generators.pix2pix_net import Pix2Pix
from engines.generators.registry import fresh_generator, generator_names, generator_spec
from engines.generators.toon_net import ToonNet
from engines.generators.ugatit_net import UGatItLight
from engines.generators.weights_file import shapes_only
from engines.training.metrics.model_cost import gmac, parameters

NAMES = generator_names()
UPRIGHT = [name for name in NAMES if generator_spec(name).region == "upright"]
DRAWING = [name for name in UPRIGHT if generator_spec(name).inputs[0] == "image"]
LINEAR = ("pggan", "stylegan", "stylegan2")  # their papers have no tanh at the output

pytestmark = pytest.mark.usefixtures("one_thread")


def small(name: str, **arguments: Any) -> nn.Module:
    """The generator with a few channels and layers."""
    numbers = {key: one for key, one in generator_spec(name).arguments.items() if type(one.default) is int}
    least = {key: max(int(one.low), 2) for key, one in numbers.items()}
    torch.manual_seed(0)
    return fresh_generator(name, {**least, **arguments})


def inputs_for(name: str, rgb: torch.Tensor) -> list[torch.Tensor]:
    """The inputs of the small generator: the pictures for every image, noise, one-hot classes."""
    made = {"image": rgb, "latent": torch.randn(len(rgb), 2), "label": torch.eye(2).repeat(2, 1)[: len(rgb)]}
    return [made[kind] for kind in generator_spec(name).inputs]


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_lists_the_constructors_defaults(name: str) -> None:
    spec = generator_spec(name)
    with shapes_only():
        network = type(fresh_generator(name, {}))
    constructor = inspect.signature(network).parameters
    assert {key: one.default for key, one in spec.arguments.items()} == {
        key: one.default for key, one in constructor.items()
    }
    assert all(type(one.default) is type(constructor[key].default) for key, one in spec.arguments.items())
    assert network.__name__ == spec.network and spec.paper


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_takes_and_returns_unit_range(name: str) -> None:
    rgb = torch.rand(2, 3, 48, 80)
    for output in generator_spec(name).outputs:
        net = small(name, **({"change": True} if output == "change" and name in UPRIGHT else {})).eval()
        for weight in net.parameters():
            if weight.dim() > 1 and not weight.any():
                nn.init.normal_(weight, std=0.02)
        drawn = net(*inputs_for(name, rgb))
        fixed = generator_spec(name).output_size == "fixed"
        assert drawn.shape[1:] == ((3, 8, 8) if fixed else generator_spec(name).output_shape(48, 80))
        assert drawn.std() > 0.005
        if name not in LINEAR:
            assert (drawn.min() >= 0 and drawn.max() <= 1) if output == "picture" else drawn.min() < 0 < drawn.max()
        drawn.sum().backward()
        unused = ("attend.biases", "to_rgb.0.")  # the second: colours of smaller pictures, while the network grows
        used = [key for key, one in net.named_parameters() if one.requires_grad and not any(k in key for k in unused)]
        assert [key for key in used if net.get_parameter(key).grad is None] == []


@pytest.mark.parametrize("name", DRAWING)
def test_a_generator_learns_a_simple_look(name: str) -> None:
    net, rgb = small(name).train(), F.interpolate(torch.rand(4, 3, 4, 4), size=32, mode="bicubic").clamp(0, 1)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    losses, inputs = [], inputs_for(name, rgb)
    for _ in range(60):
        wanted = 1 - rgb
        if generator_spec(name).outputs == ("planes",):  # RGB, hair, 2x2 pixels of shade, 2x2 pixels of ink
            wanted = F.avg_pool2d(wanted, 2)[:, [0, 1, 2, *[0] * 9]]
        loss = (net(*inputs) - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if losses[-1] < 0.8 * losses[0]:
            return
    pytest.fail(f"after 60 steps: {losses}")


def field_of_view(net: nn.Module, *pictures: torch.Tensor, at: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the input area that one output value depends on."""
    seen = pictures[-1].requires_grad_(True)
    net(*pictures)[0, 0, at[0], at[1]].backward()
    assert seen.grad is not None
    rows, columns = torch.nonzero(seen.grad[0].abs().sum(0), as_tuple=True)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def cost(network: type[nn.Module], **arguments: Any) -> tuple[int, float]:
    """Parameters, and GMAC at 256x256."""
    with shapes_only():
        net = network(**arguments)
    return parameters(net), gmac(net, (256, 256))


def test_toon_net_is_cheap_enough_for_live_use() -> None:
    weights, computed = cost(ToonNet)
    assert computed <= 0.8 and weights <= 800_000


def test_toon_net_sees_a_wide_part_of_the_face() -> None:
    torch.manual_seed(0)
    net = ToonNet()
    for name, weights in net.named_parameters():
        nn.init.constant_(weights, 0.01 if name.endswith("weight") else 0.1)  # no value becomes negative before a ReLU
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


def test_pix2pix_has_the_layers_of_its_paper() -> None:
    net = Pix2Pix(depth=8)
    widths = [m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 512, 512, 512, 512]
    assert parameters(net) == pytest.approx(54.414e6, rel=1e-4)


def test_pix2pix_drops_values_in_training_only() -> None:
    torch.manual_seed(0)
    net, rgb = Pix2Pix(channels=8, depth=4), torch.rand(2, 3, 32, 32)
    assert not torch.equal(net.train()(rgb), net(rgb))
    assert torch.equal(net.eval()(rgb), net(rgb))


def test_cyclegan_costs_what_is_published() -> None:
    weights, computed = cost(CycleGan)
    assert weights == pytest.approx(11.378e6, rel=1e-4)  # as its authors' program prints it
    # GAN Compression (arXiv:2003.08951, table 2) says 56.8, because it counts every output of the two transposed
    # convolutions with all its inputs, three of four of which are inserted zeros.
    transposed = 64 * 64 * 256 * 128 * 9 + 128 * 128 * 128 * 64 * 9
    assert computed + 3 * transposed / 1e9 == pytest.approx(56.8, abs=0.05)


def test_animegan2_has_the_published_size() -> None:
    assert cost(AnimeGan2)[0] * 4 / 2**20 == pytest.approx(8.17, abs=0.01)  # MB in FP32: its README


def test_ugatit_and_photo2cartoon_have_their_papers_blocks() -> None:
    with shapes_only():
        light, cartoon = UGatItLight(), Photo2Cartoon()
    for net, wide in ((light, 4 * 64), (cartoon, 4 * 32)):
        kinds = [type(part) for part in net.modules()]
        assert (kinds.count(ResidualBlock), kinds.count(Attention), kinds.count(SteeredBlock)) == (4, 1, 4)
        assert net.attend.narrow.out_channels == wide


def test_rho_mixes_instance_and_layer_normalisation() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 16, 16) * torch.tensor([1.0, 5.0, 9.0])[:, None, None] + 4
    instance, layer = (layer_instance_norm(x, torch.full((1, 3, 1, 1), rho)) for rho in (1.0, 0.0))
    assert torch.allclose(instance.mean((2, 3)), torch.zeros(2, 3), atol=1e-4)
    assert torch.allclose(instance.var((2, 3), correction=0), torch.ones(2, 3), atol=1e-3)
    assert torch.allclose(layer.mean((1, 2, 3)), torch.zeros(2), atol=1e-4)
    assert torch.allclose(layer.var((1, 2, 3), correction=0), torch.ones(2), atol=1e-3)
    assert layer.var((2, 3))[0, 2] > 5 * layer.var((2, 3))[0, 0], "channels keep their relative spread"


@pytest.mark.parametrize("norm", [False, True])
def test_patch_gan_judges_patches_of_70_pixels(norm: bool) -> None:
    torch.manual_seed(0)
    net = PatchGan(channels=8, norm=norm).eval()
    pictures = torch.rand(2, 1, 3, 256, 256)
    assert field_of_view(net, pictures[0], pictures[1], at=(15, 15)) == (70, 70)


def test_patch_gan_without_norm_suits_a_gradient_penalty() -> None:
    assert not any(isinstance(m, nn.BatchNorm2d) for m in PatchGan(norm=False).modules())
    assert sum(isinstance(m, nn.BatchNorm2d) for m in PatchGan().modules()) == 3
