"""Translation networks: the parameters of the published programs, and outputs computed a second time with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from support.numpy_layers import Array, convolved, instance, linear, relu, scattered, standardised, transposed, values
from torch import nn

from engines.generators.cgan_image_net import ConditionalImageGan
from engines.generators.cgan_net import ConditionalGan
from engines.generators.cyclegan_net import CycleGan
from engines.generators.layers import Attention
from engines.generators.photo2cartoon_net import Photo2Cartoon
from engines.generators.pix2pix_unet_net import Pix2PixUnet
from engines.generators.pix2pixhd_local_net import Pix2PixHd
from engines.generators.pix2pixhd_net import Pix2PixHdGlobal
from engines.generators.registry import fresh_generator
from engines.generators.ugatit_full_net import UGatIt
from engines.generators.ugatit_net import UGatItLight
from engines.generators.vid2vid_net import Vid2Vid
from engines.generators.weights_file import shapes_only
from engines.training.metrics.model_cost import parameters

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("network", "arguments", "published"),
    [
        (Photo2Cartoon, {}, 3_831_079),
        (UGatItLight, {}, 10_589_888),
        (UGatIt, {}, 278_959_808),
        (CycleGan, {}, 11_378_179),
        (CycleGan, {"blocks": 6}, 7_837_699),
        (Pix2PixUnet, {}, 54_413_955),
        (Pix2PixHdGlobal, {}, 182_443_267),
        (Pix2PixHd, {}, 182_701_827),
        # section 4.1 of the paper, with three values for each of the 28x28 pixels
        (ConditionalGan, {"side_px": 28}, 101 * 200 + 11 * 1000 + 1201 * 1200 + 1201 * 3 * 28 * 28),
    ],
)
def test_parameters_are_the_published_ones(network: type[nn.Module], arguments: dict[str, Any], published: int) -> None:
    with shapes_only():
        assert parameters(network(**arguments)) == published


def mixed(x: Array, rho: torch.Tensor) -> Array:
    """Equation 1 of U-GAT-IT."""
    share = values(rho)
    out: Array = share * instance(x) + (1 - share) * standardised(x, (1, 2, 3))
    return out


def residual(x: Array, block: nn.Module) -> Array:
    inner = relu(instance(convolved(x, block.get_submodule("first.0"))))
    return x + instance(convolved(inner, block.get_submodule("second.0")))


def attended(x: Array, attend: Attention) -> Array:
    """Equation 2 of U-GAT-IT, with the means and with the maxima."""
    both = np.concatenate([x * values(attend.by_mean), x * values(attend.by_most)], 1)
    return relu(convolved(both, attend.narrow))


def doubled(x: Array, layers: nn.Module) -> Array:
    norm = layers.get_submodule("2")
    out = mixed(convolved(x.repeat(2, 2).repeat(2, 3), layers.get_submodule("1")), norm.get_parameter("rho"))
    return relu(out * values(norm.get_parameter("gamma")) + values(norm.get_parameter("beta")))


@pytest.mark.parametrize("full", [False, True])
def test_ugatit_draws_what_its_equations_say(full: bool) -> None:
    net = scattered(UGatIt(4, 1, 16) if full else UGatItLight(4, 1))
    assert isinstance(net, UGatItLight)
    rgb = torch.rand(2, 3, 16, 16) * 2 - 1
    x = values(rgb)
    for i, stride in enumerate((1, 2, 2)):
        x = relu(instance(convolved(x, net.encode[i][0], stride=stride)))  # type: ignore[index]
    x = residual(x, net.encode[3])
    logits = np.stack([(x.mean((2, 3)) * values(net.attend.by_mean)[..., 0, 0]).sum(1),
                       (x.max((2, 3)) * values(net.attend.by_most)[..., 0, 0]).sum(1)], 1)  # fmt: skip
    x = attended(x, net.attend)
    style = x.reshape(2, -1) if full else x.mean((2, 3))
    style = relu(linear(relu(linear(style, net.style[0])), net.style[2]))
    gamma, beta = (linear(style, layer)[:, :, None, None] for layer in (net.gamma, net.beta))
    block = net.decode[0]
    inner = relu(
        mixed(convolved(x, block.get_submodule("first")), block.get_parameter("first_norm.rho")) * gamma + beta
    )
    inner = convolved(inner, block.get_submodule("second"))
    x = x + mixed(inner, block.get_parameter("second_norm.rho")) * gamma + beta
    for enlarge in net.enlarge:
        x = doubled(x, enlarge)
    picture, classified = net(rgb, with_logits=True)
    assert np.abs(np.tanh(convolved(x, net.out)) - values(picture)).max() < 1e-4
    assert np.abs(logits - values(classified)).max() < 1e-4


def test_soft_adalin_blends_content_and_style() -> None:
    net = scattered(Photo2Cartoon(4, 1, 2))
    norm = net.get_submodule("decode.0.first_norm")
    x, content, style = torch.randn(2, 16, 6, 6), torch.randn(2, 16), torch.randn(2, 16)
    steered = []
    for name in ("gamma", "beta"):
        part = norm.get_submodule(name)
        share = values(part.get_parameter("share"))
        hidden = relu(linear(values(content), part.get_submodule("by_content.0")))
        by_content = linear(hidden, part.get_submodule("by_content.2"))
        by_style = linear(values(style), part.get_submodule("by_style"))
        steered.append(((1 - share) * by_style + share * by_content)[:, :, None, None])
    expected = mixed(values(x), norm.get_parameter("rho")) * steered[0] + steered[1]
    assert np.abs(expected - values(norm(x, content, style))).max() < 1e-4


def test_photo2cartoon_classifiers_have_a_bias() -> None:
    net = scattered(Photo2Cartoon(4, 1, 2))
    rgb = torch.rand(2, 3, 16, 16) * 2 - 1
    picture, logits = net(rgb, with_logits=True)
    assert torch.equal(picture, net(rgb))
    with torch.no_grad():
        net.get_parameter("attend.biases").add_(1)
    assert torch.allclose(net(rgb, with_logits=True)[1], logits + 1, atol=1e-5)


def test_pix2pix_unet_is_computed_alike_in_numpy() -> None:
    net = scattered(Pix2PixUnet(4, 3))
    assert isinstance(net, Pix2PixUnet)
    rgb = torch.rand(1, 3, 16, 16) * 2 - 1
    x, skips = values(rgb), []
    for i in range(3):
        x = np.where(x > 0, x, 0.2 * x) if i else x
        x = convolved_by_two(x, net.down[i])
        x = normalised(x, net.down_norms[i])
        skips.append(x)
    x = skips.pop()
    for up, norm in zip(net.up, net.up_norms, strict=True):
        x = normalised(transposed(relu(x), up, 2, 1, 0), norm)
        x = np.concatenate([skips.pop(), x], 1)
    expected = np.tanh(transposed(relu(x), net.out, 2, 1, 0))
    assert np.abs(expected - values(net(rgb))).max() < 1e-4


def convolved_by_two(x: Array, layer: nn.Module) -> Array:
    """A 4x4 convolution at stride 2, padded with one zero."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = sliding_window_view(padded, (4, 4), (2, 3))[:, :, ::2, ::2]
    return np.einsum("nchwij,ocij->nohw", windows, values(layer.get_parameter("weight")))  # type: ignore[no-any-return]


def normalised(x: Array, norm: nn.Module) -> Array:
    """Batch normalisation with the running statistics of a fresh network: mean 0, variance 1."""
    if isinstance(norm, nn.Identity):
        return x
    weight, bias = (values(norm.get_parameter(name))[None, :, None, None] for name in ("weight", "bias"))
    return x / np.sqrt(1 + 1e-5) * weight + bias


def encoded(x: Array, layers: nn.Module) -> Array:
    """c7s1 and the halving layers of CycleGAN and pix2pixHD."""
    x = relu(instance(convolved(x, layers.get_submodule("0.0"))))
    for i in range(1, len(list(layers.children()))):
        x = relu(instance(convolved(x, layers.get_submodule(f"{i}.0"), stride=2, mode="constant")))
    return x


def decoded(x: Array, layers: nn.Module) -> Array:
    for layer in layers.children():
        x = relu(instance(transposed(x, layer.get_submodule("0"), 2, 1, 1)))
    return x


def test_cyclegan_is_computed_alike_in_numpy() -> None:
    net = scattered(CycleGan(4, 2))
    rgb = torch.rand(1, 3, 16, 16) * 2 - 1
    x = encoded(values(rgb), nn.Sequential(net.first, net.to_half, net.to_quarter))  # type: ignore[arg-type]
    for block in net.get_submodule("body").children():
        x = residual(x, block)
    x = decoded(x, nn.Sequential(net.from_quarter, net.from_half))  # type: ignore[arg-type]
    assert np.abs(np.tanh(convolved(x, net.get_submodule("out"))) - values(net(rgb))).max() < 1e-4


def test_pix2pixhd_adds_global_and_local_features() -> None:
    net = scattered(Pix2PixHd(4, 2, 1, 1))
    assert isinstance(net, Pix2PixHd)
    rgb = torch.rand(1, 3, 16, 16) * 2 - 1
    x = values(rgb)
    padded, ones = (np.pad(one, ((0, 0), (0, 0), (1, 1), (1, 1))) for one in (x, np.ones_like(x)))
    sums = [sliding_window_view(one, (3, 3), (2, 3))[:, :, ::2, ::2].sum((-1, -2)) for one in (padded, ones)]
    coarse = residual(encoded(sums[0] / sums[1], net.coarse.down), net.coarse.body[0])
    x = encoded(x, net.down) + decoded(coarse, net.coarse.up)
    x = decoded(residual(x, net.body[0]), nn.Sequential(net.up))
    assert np.abs(np.tanh(convolved(x, net.out)) - values(net(rgb))).max() < 1e-4


def test_vid2vid_sees_its_last_frame() -> None:
    net = scattered(Vid2Vid(4, 1))
    assert isinstance(net, Vid2Vid)
    rgb, last = torch.rand(2, 1, 3, 16, 16) * 2 - 1
    x = encoded(values(rgb), net.see) + encoded(values(last), net.remember)
    x = decoded(residual(x, net.body[0]), net.up)
    assert np.abs(np.tanh(convolved(x, net.out)) - values(net(rgb, last))).max() < 1e-4


def test_images_of_range_one_are_all_converted() -> None:
    net = fresh_generator("vid2vid", {"channels": 4, "blocks": 1}).eval()
    plain = Vid2Vid(4, 1).eval()
    plain.load_state_dict(net.state_dict())
    rgb, last = torch.rand(2, 1, 3, 16, 16)
    assert torch.allclose(net(rgb, last), (plain(rgb * 2 - 1, last * 2 - 1) + 1) / 2, atol=1e-6)


def test_conditional_generators_follow_the_class() -> None:
    net = scattered(ConditionalGan(3, 5, 8, 4))
    assert isinstance(net, ConditionalGan)
    noise, label = torch.randn(2, 5), torch.eye(3)[:2]
    hidden = relu(np.concatenate([linear(values(noise), net.noise), linear(values(label), net.label)], 1))
    pixels = 1 / (1 + np.exp(-linear(relu(linear(hidden, net.joint)), net.out)))
    assert np.abs(pixels.reshape(2, 3, 8, 8) - values(net(noise, label))).max() < 1e-5
    drawing = scattered(ConditionalImageGan(3, 4, 1))
    assert isinstance(drawing, ConditionalImageGan)
    rgb = torch.rand(2, 3, 16, 16) * 2 - 1
    x = encoded(values(rgb), drawing.down) + linear(values(label), drawing.label)[:, :, None, None]
    x = decoded(residual(x, drawing.body[0]), drawing.up)
    assert np.abs(np.tanh(convolved(x, drawing.out)) - values(drawing(rgb, label))).max() < 1e-4
    assert torch.equal(drawing(rgb), drawing(rgb, torch.eye(3)[[2, 2]]))
