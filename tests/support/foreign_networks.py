"""Small networks in the layouts in which other programs save theirs, computed layer by layer.

A `Foreign` creates each tensor when a layer first asks for it by name, so that one function states the layout and
computes the picture. Pictures are RGB in 0..1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class Foreign:
    """The named tensors of a checkpoint."""

    def __init__(self, draw: Callable[..., Tensor], **arguments: int) -> None:
        self.state: dict[str, Tensor] = {}
        self._random = torch.Generator().manual_seed(7)
        self._draw, self._arguments = draw, arguments
        with torch.no_grad():
            self(torch.rand(1, 3, 64, 64, generator=self._random))

    @torch.no_grad()
    def __call__(self, rgb: Tensor) -> Tensor:
        return self._draw(self, rgb, **self._arguments)

    def tensor(self, name: str, *shape: int, low: float = -0.5, high: float = 0.5) -> Tensor:
        if name not in self.state:
            self.state[name] = low + (high - low) * torch.rand(shape, generator=self._random)
        return self.state[name]

    def conv(
        self, name: str, x: Tensor, out: int, size: int, *, stride: int = 1, reflect: int = 0, zeros: int = 0,
        bias: bool = True, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        into = x.shape[1] // groups
        spread = (3 / (into * size * size)) ** 0.5
        weight = self.tensor(f"{name}.weight", out, into, size, size, low=-spread, high=spread)
        if reflect:
            x = F.pad(x, (reflect,) * 4, mode="reflect")
        return F.conv2d(x, weight, self.tensor(f"{name}.bias", out) if bias else None, stride, zeros, groups=groups)

    def up(self, name: str, x: Tensor, out: int, size: int, *, extra: int = 0, bias: bool = True) -> Tensor:
        spread = (12 / (x.shape[1] * size * size)) ** 0.5
        weight = self.tensor(f"{name}.weight", x.shape[1], out, size, size, low=-spread, high=spread)
        return F.conv_transpose2d(x, weight, self.tensor(f"{name}.bias", out) if bias else None, 2, 1, extra)

    def linear(self, name: str, x: Tensor, *, bias: bool = True) -> Tensor:
        wide = x.shape[1]
        return F.linear(
            x, self.tensor(f"{name}.weight", wide, wide), self.tensor(f"{name}.bias", wide) if bias else None
        )

    def scaled(self, scale: str, shift: str, x: Tensor) -> Tensor:
        """Multiply and shift channels by tensors of these names."""
        channels = x.shape[1]
        scales, shifts = self.tensor(scale, channels, low=0.5, high=1.5), self.tensor(shift, channels)
        return x * scales[:, None, None] + shifts[:, None, None]

    def adapted(self, name: str, x: Tensor) -> Tensor:
        """Instance and layer normalisation mixed by a tensor `rho`, with variances of samples."""
        rho = self.tensor(f"{name}.rho", 1, x.shape[1], 1, 1, low=0, high=1)
        by_instance, by_layer = (
            (x - x.mean(axes, keepdim=True)) / (x.var(axes, keepdim=True) + 1e-5).sqrt() for axes in ([2, 3], [1, 2, 3])
        )
        return rho * by_instance + (1 - rho) * by_layer

    def mixed(self, name: str, x: Tensor) -> Tensor:
        shape = (1, x.shape[1], 1, 1)
        return self.adapted(name, x) * self.tensor(f"{name}.gamma", *shape) + self.tensor(f"{name}.beta", *shape)

    def attended(self, x: Tensor, *, bias: bool) -> Tensor:
        ways = [self.tensor(f"{name}.weight", 1, x.shape[1]) for name in ("gap_fc", "gmp_fc")]
        for name in ("gap_fc", "gmp_fc") if bias else ():
            self.tensor(f"{name}.bias", 1)
        both = torch.cat([x * way[:, :, None, None] for way in ways], 1)
        return self.conv("conv1x1", both, x.shape[1], 1).relu()


def _unit(x: Tensor) -> Tensor:
    return (x.tanh() + 1) / 2


def _residual(net: Foreign, name: str, x: Tensor, second: int, *, bias: bool) -> Tensor:
    inner = F.instance_norm(net.conv(f"{name}.1", x, x.shape[1], 3, reflect=1, bias=bias)).relu()
    return x + F.instance_norm(net.conv(f"{name}.{second}", inner, x.shape[1], 3, reflect=1, bias=bias))


def cyclegan(net: Foreign, rgb: Tensor, channels: int = 8, blocks: int = 2, second: int = 5) -> Tensor:
    c = channels
    x = F.instance_norm(net.conv("model.1", rgb * 2 - 1, c, 7, reflect=3)).relu()
    for name, wide in (("model.4", 2 * c), ("model.7", 4 * c)):
        x = F.instance_norm(net.conv(name, x, wide, 3, stride=2, zeros=1)).relu()
    for i in range(blocks):
        x = _residual(net, f"model.{10 + i}.conv_block", x, second, bias=True)
    for i, wide in ((0, 2 * c), (3, c)):
        x = F.instance_norm(net.up(f"model.{10 + blocks + i}", x, wide, 3, extra=1)).relu()
    return _unit(net.conv(f"model.{17 + blocks}", x, 3, 7, reflect=3))


def pix2pix(net: Foreign, rgb: Tensor, channels: int = 8, depth: int = 5) -> Tensor:
    def normed(name: str, x: Tensor) -> Tensor:
        mean = net.tensor(f"{name}.running_mean", x.shape[1])
        variance = net.tensor(f"{name}.running_var", x.shape[1], low=0.5, high=2)
        net.state.setdefault(f"{name}.num_batches_tracked", torch.tensor(5))
        x = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        return net.scaled(f"{name}.weight", f"{name}.bias", x)

    def inside(name: str, x: Tensor, level: int) -> Tensor:
        """From a level's input to its input and output, side by side."""
        wide = channels * min(2**level, 8)
        y = net.conv(f"{name}.1", F.leaky_relu(x, 0.2), wide, 4, stride=2, zeros=1, bias=False)
        if level < depth - 1:
            y = inside(f"{name}.3.model", normed(f"{name}.2", y), level + 1)
        up, norm = (5, 6) if level < depth - 1 else (3, 4)
        y = net.up(f"{name}.{up}", y.relu(), x.shape[1], 4, bias=False)
        return torch.cat([x, normed(f"{name}.{norm}", y)], 1)

    x = net.conv("model.model.0", rgb * 2 - 1, channels, 4, stride=2, zeros=1, bias=False)
    return _unit(net.up("model.model.3", inside("model.model.1.model", x, 1).relu(), 3, 4))


def fast_style(net: Foreign, rgb: Tensor, channels: int = 8, blocks: int = 5) -> Tensor:
    def layer(name: str, x: Tensor, out: int, size: int, stride: int = 1) -> Tensor:
        return net.conv(f"{name}.conv2d", x, out, size, stride=stride, reflect=size // 2)

    def normed(name: str, x: Tensor) -> Tensor:
        return net.scaled(f"{name}.weight", f"{name}.bias", F.instance_norm(x))

    c = channels
    x = normed("in1", layer("conv1", rgb * 255, c, 9)).relu()
    x = normed("in2", layer("conv2", x, 2 * c, 3, 2)).relu()
    x = normed("in3", layer("conv3", x, 4 * c, 3, 2)).relu()
    for name in (f"res{i + 1}" for i in range(blocks)):
        inner = normed(f"{name}.in1", layer(f"{name}.conv1", x, 4 * c, 3)).relu()
        x = x + normed(f"{name}.in2", layer(f"{name}.conv2", inner, 4 * c, 3))
    for i, wide in ((1, 2 * c), (2, c)):
        x = normed(f"in{3 + i}", layer(f"deconv{i}", F.interpolate(x, scale_factor=2), wide, 3)).relu()
    net.state.setdefault("deconv3.conv2d.bias", torch.tensor([110.0, 120.0, 130.0]))
    net.tensor("deconv3.conv2d.weight", 3, c, 9, 9, low=-4, high=4)
    return layer("deconv3", x, 3, 9).clamp(0, 255) / 255


def cartoongan(net: Foreign, rgb: Tensor, channels: int = 8, blocks: int = 8) -> Tensor:
    def normed(name: str, x: Tensor) -> Tensor:
        return net.scaled(f"{name}.scale", f"{name}.shift", F.instance_norm(x, eps=1e-9))

    c, count = channels, blocks
    x = normed("in01_1", net.conv("conv01_1", rgb.flip(1) * 2 - 1, c, 7, reflect=3)).relu()
    for i, wide in ((2, 2 * c), (3, 4 * c)):
        x = net.conv(f"conv0{i}_2", net.conv(f"conv0{i}_1", x, wide, 3, stride=2, zeros=1), wide, 3, zeros=1)
        x = normed(f"in0{i}_1", x).relu()
    for i in range(4, 4 + count):
        inner = normed(f"in{i:02}_1", net.conv(f"conv{i:02}_1", x, 4 * c, 3, reflect=1)).relu()
        x = x + normed(f"in{i:02}_2", net.conv(f"conv{i:02}_2", inner, 4 * c, 3, reflect=1))
    for i, wide in ((1, 2 * c), (2, c)):
        x = net.conv(f"deconv0{i}_2", net.up(f"deconv0{i}_1", x, wide, 3, extra=1), wide, 3, zeros=1)
        x = normed(f"in{3 + count + i:02}_1", x).relu()
    return _unit(net.conv("deconv03_1", x, 3, 7, reflect=3)).flip(1)


def animegan2(net: Foreign, rgb: Tensor, aligned: int = 0) -> Tensor:
    def layer(name: str, x: Tensor, out: int, size: int = 3, **more: Any) -> Tensor:
        x = net.conv(f"{name}.1", x, out, size, **{"reflect": size // 2, "bias": False, **more})
        return F.leaky_relu(net.scaled(f"{name}.2.weight", f"{name}.2.bias", F.group_norm(x, 1)), 0.2)

    def halved(name: str, x: Tensor, out: int) -> Tensor:
        return layer(name, F.pad(x, (0, 1, 0, 1), mode="reflect"), out, stride=2, reflect=0)

    def inverted(name: str, x: Tensor) -> Tensor:
        wide = 2 * x.shape[1]
        inner = layer(f"{name}.1", layer(f"{name}.0", x, wide, 1), wide, groups=wide, bias=True)
        inner = F.group_norm(net.conv(f"{name}.2", inner, 256, 1, bias=False), 1)
        inner = net.scaled(f"{name}.3.weight", f"{name}.3.bias", inner)
        return x + inner if x.shape[1] == 256 else inner

    x = layer("block_a.2", halved("block_a.1", layer("block_a.0", rgb * 2 - 1, 32, 7), 64), 64)
    x = layer("block_c.0", layer("block_b.1", halved("block_b.0", x, 128), 128), 128)
    for i in range(1, 5):
        x = inverted(f"block_c.{i}.layers", x)
    x = layer("block_c.5", x, 128)
    for names, widths in ((("d.0", "d.1"), (128, 128)), (("e.0", "e.1", "e.2"), (64, 64, 32))):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=bool(aligned))
        for name, wide in zip(names, widths, strict=True):
            x = layer(f"block_{name}", x, wide, 7 if wide == 32 else 3)
    return _unit(net.conv("out_layer.0", x, 3, 1, bias=False))


def ugatit(net: Foreign, rgb: Tensor, channels: int = 8, blocks: int = 2, full: int = 0) -> Tensor:
    x = rgb * 2 - 1
    for i, (size, stride) in enumerate(((7, 1), (3, 2), (3, 2))):
        wide = channels * 2**i
        name = f"DownBlock.{4 * i + 1}"
        x = F.instance_norm(net.conv(name, x, wide, size, stride=stride, reflect=size // 2, bias=False)).relu()
    for i in range(blocks):
        x = _residual(net, f"DownBlock.{12 + i}.conv_block", x, 5, bias=False)
    x = net.attended(x, bias=False)
    seen = x.flatten(1) if full else x.mean((2, 3))
    style = F.linear(seen, net.tensor("FC.0.weight", x.shape[1], seen.shape[1], low=-0.1, high=0.1)).relu()
    style = net.linear("FC.2", style, bias=False).relu()
    gamma, beta = (net.linear(name, style, bias=False)[:, :, None, None] for name in ("gamma", "beta"))
    for name in (f"UpBlock1_{i + 1}" for i in range(blocks)):
        y = net.adapted(f"{name}.norm1", net.conv(f"{name}.conv1", x, x.shape[1], 3, reflect=1, bias=False))
        y = net.conv(f"{name}.conv2", (y * gamma + beta).relu(), x.shape[1], 3, reflect=1, bias=False)
        x = x + net.adapted(f"{name}.norm2", y) * gamma + beta
    for i in range(2):
        x = net.conv(
            f"UpBlock2.{5 * i + 2}", F.interpolate(x, scale_factor=2), x.shape[1] // 2, 3, reflect=1, bias=False
        )
        x = net.mixed(f"UpBlock2.{5 * i + 3}", x).relu()
    return _unit(net.conv("UpBlock2.11", x, 3, 7, reflect=3, bias=False))


def photo2cartoon(net: Foreign, rgb: Tensor, channels: int = 8) -> Tensor:
    c = channels

    def block(name: str, x: Tensor) -> Tensor:
        net.tensor(f"{name}.ConvBlock4.2.weight", c, c, 1, 1)  # for a change of width that no block has
        steps, y = [], x
        for i, wide in enumerate((c // 2, c // 4, c // 4), 1):
            y = net.conv(f"{name}.ConvBlock{i}.3", F.instance_norm(y).relu(), wide, 3, reflect=1, bias=False)
            steps.append(y)
        return x + torch.cat(steps, 1)

    def hourglass(name: str, x: Tensor, *, last: bool = False) -> Tensor:
        skips, y = [], x
        for i in range(1, 5):
            skips.append(block(f"{name}.HG.0.ConvBlock{i}_1", y))
            y = block(f"{name}.HG.0.ConvBlock{i}_2", F.avg_pool2d(y, 2))
        for i in range(5, 10):
            y = block(f"{name}.HG.0.ConvBlock{i}", y)
            y = y if i == 5 else skips.pop() + F.interpolate(y, scale_factor=2)
        y = F.instance_norm(net.conv(f"{name}.HG.2", block(f"{name}.HG.1", y), c, 1, bias=False)).relu()
        draft = net.conv(f"{name}.Conv1", y, 3, 1)
        return draft if last else x + net.conv(f"{name}.Conv2", y, c, 1) + net.conv(f"{name}.Conv3", draft, c, 1)

    def normed(name: str, x: Tensor, content: Tensor, style: Tensor) -> Tensor:
        x = net.adapted(f"{name}.norm", x)
        for kind in ("gamma", "beta"):
            share = net.tensor(f"{name}.w_{kind}", 1, x.shape[1], low=0, high=1)
            by_content = net.linear(f"{name}.c_{kind}.2", net.linear(f"{name}.c_{kind}.0", content).relu())
            value = ((1 - share) * net.linear(f"{name}.s_{kind}", style) + share * by_content)[:, :, None, None]
            x = x * value if kind == "gamma" else x + value
        return x

    x = F.instance_norm(net.conv("ConvBlock1.1", rgb * 2 - 1, c, 7, reflect=3, bias=False)).relu()
    x = hourglass("HourGlass2", hourglass("HourGlass1", x))
    for i in (1, 2):
        x = F.instance_norm(net.conv(f"DownBlock{i}.1", x, 2 * x.shape[1], 3, stride=2, reflect=1, bias=False)).relu()
    contents = []
    for i in range(1, 5):
        x = _residual(net, f"EncodeBlock{i}.conv_block", x, 5, bias=False)
        contents.append(x.mean((2, 3)))
    x = net.attended(x, bias=True)
    style = net.linear("FC.2", net.linear("FC.0", x.mean((2, 3))).relu()).relu()
    for name in (f"DecodeBlock{i}" for i in range(1, 5)):
        content = contents.pop()
        y = normed(f"{name}.norm1", net.conv(f"{name}.conv1", x, 4 * c, 3, reflect=1, bias=False), content, style)
        y = net.conv(f"{name}.conv2", y.relu(), 4 * c, 3, reflect=1, bias=False)
        x = x + normed(f"{name}.norm2", y, content, style)
    for i in (1, 2):
        x = net.conv(f"UpBlock{i}.2", F.interpolate(x, scale_factor=2), x.shape[1] // 2, 3, reflect=1, bias=False)
        x = net.mixed(f"UpBlock{i}.3", x).relu()
    x = hourglass("HourGlass4", hourglass("HourGlass3", x), last=True)
    return _unit(net.conv("ConvBlock2.1", x, 3, 7, reflect=3, bias=False))


NETWORKS: dict[str, Callable[..., Tensor]] = {
    "photo2cartoon": photo2cartoon, "ugatit": ugatit, "cyclegan": cyclegan, "pix2pix": pix2pix,
    "animegan2": animegan2, "fast-style": fast_style, "cartoongan": cartoongan,
}  # fmt: skip
