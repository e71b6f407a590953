"""The layouts in which other programs save their generators, as maps from our layers to theirs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engines.errors import OptionsError
from engines.generators.spec import Value
from engines.text import did_you_mean

Shapes = Mapping[str, tuple[int, ...]]  # of a checkpoint's tensors, by the program's names
Names = dict[str, str]  # our layer, or our tensor: theirs
Arguments = dict[str, Value]


@dataclass(frozen=True)
class Layout:
    """How one program saves one generator.

    Attributes:
        name: The value of `--as`.
        generator: Ours of the same layers.
        larger: Ours that has the argument `side_px` too, for checkpoints that belong to one size; "" for none.
        program: The program's address.
        arguments: Returns the generator's arguments, read from the shapes. Raises LookupError if they are not there.
        names: Returns the map for a generator with these arguments and these shapes.
        groups: The group that is taken if several fit, first the preferred one.
        unused: Pattern of tensors that the program saves and that do not change its picture.
        reshaped: Our tensors whose axes of length 1 may be placed differently.
        zeros: Pattern of our tensors that the program does not have; they are zero.
        scales: Factors of our tensors, where the program's picture has another range.
        outer: Tensors that the program saves beside the groups.
        swapped: Our tensors and the axis on which their colours are reversed, because the program works in BGR.
    """

    name: str
    generator: str
    program: str
    arguments: Callable[[Shapes], Arguments]
    names: Callable[[Arguments, Shapes], Names]
    groups: tuple[str, ...] = ()
    unused: str = "(?!)"
    larger: str = ""
    reshaped: tuple[str, ...] = ()
    zeros: str = "(?!)"
    scales: Mapping[str, float] = field(default_factory=dict)
    swapped: Mapping[str, int] = field(default_factory=dict)
    outer: tuple[str, ...] = ()

    def generator_for(self, arguments: Arguments) -> str:
        """Return the name of our generator that takes these arguments."""
        return self.larger if self.larger and "side_px" in arguments else self.generator


def layout(name: str) -> Layout:
    """Return a layout by the value of `--as`. Raises OptionsError if there is none of that name."""
    if name not in LAYOUTS:
        do = did_you_mean(name, LAYOUTS, otherwise=f"use {', '.join(LAYOUTS)}")
        raise OptionsError(f"--as {name[:60]}", "there is no such layout", do)
    return LAYOUTS[name]


def _count(shapes: Shapes, pattern: str) -> int:
    """Return how many different numbers the first group of a pattern has among the names."""
    return len({match[1] for name in shapes if (match := re.match(pattern, name))})


def _attended(shapes: Shapes, first: str, block: str) -> Arguments:
    return {"channels": shapes[first][0], "blocks": max(1, _count(shapes, block))}


_CAM: Names = {
    "attend.by_mean": "gap_fc.weight", "attend.by_most": "gmp_fc.weight", "attend.narrow": "conv1x1",
}  # fmt: skip


def _ugatit_arguments(shapes: Shapes) -> Arguments:
    found = _attended(shapes, "DownBlock.1.weight", r"UpBlock1_(\d+)\.")
    deep, seen = shapes["FC.0.weight"]
    return found if deep == seen else {**found, "side_px": 4 * math.isqrt(seen // max(1, deep))}


def _ugatit(arguments: Arguments, _shapes: Shapes) -> Names:
    blocks = int(arguments["blocks"])
    names = {f"encode.{i}.0": f"DownBlock.{4 * i + 1}" for i in range(3)} | _CAM
    for i in range(blocks):
        inner = f"DownBlock.{12 + i}.conv_block"
        names |= {f"encode.{3 + i}.first.0": f"{inner}.1", f"encode.{3 + i}.second.0": f"{inner}.5"}
        ours, theirs = f"decode.{i}", f"UpBlock1_{i + 1}"
        names |= {f"{ours}.first": f"{theirs}.conv1", f"{ours}.second": f"{theirs}.conv2"}
        names |= {f"{ours}.first_norm": f"{theirs}.norm1", f"{ours}.second_norm": f"{theirs}.norm2"}
    names |= {"style.0": "FC.0", "style.2": "FC.2", "gamma": "gamma", "beta": "beta", "out": "UpBlock2.11"}
    for i in range(2):
        names |= {f"enlarge.{i}.1": f"UpBlock2.{5 * i + 2}", f"enlarge.{i}.2": f"UpBlock2.{5 * i + 3}"}
    return names


def _pyramid(ours: str, theirs: str) -> Names:
    names = {f"{ours}.steps.{i}.2": f"{theirs}.ConvBlock{i + 1}.3" for i in range(3)}
    return names | {f"{ours}.unused": f"{theirs}.ConvBlock4.2"}


def _hourglass_stage(ours: str, theirs: str) -> Names:
    names = {f"{ours}.features.2.0": f"{theirs}.HG.2"} | _pyramid(f"{ours}.features.1", f"{theirs}.HG.1")
    level, inside = f"{ours}.features.0", f"{theirs}.HG.0"
    for depth in range(1, 5):
        names |= _pyramid(f"{level}.across", f"{inside}.ConvBlock{depth}_1")
        names |= _pyramid(f"{level}.down", f"{inside}.ConvBlock{depth}_2")
        names |= _pyramid(f"{level}.up", f"{inside}.ConvBlock{10 - depth}")
        level += ".inner"
    names |= _pyramid(level, f"{inside}.ConvBlock5")
    return names | {
        f"{ours}.sketch": f"{theirs}.Conv1",
        f"{ours}.on": f"{theirs}.Conv2",
        f"{ours}.back": f"{theirs}.Conv3",
    }


def _soft_norm(ours: str, theirs: str) -> Names:
    names = {f"{ours}.rho": f"{theirs}.norm.rho"}
    for kind in ("gamma", "beta"):
        names |= {f"{ours}.{kind}.share": f"{theirs}.w_{kind}", f"{ours}.{kind}.by_style": f"{theirs}.s_{kind}"}
        names |= {f"{ours}.{kind}.by_content.{i}": f"{theirs}.c_{kind}.{i}" for i in (0, 2)}
    return names


def _photo2cartoon(_arguments: Arguments, _shapes: Shapes) -> Names:
    names = {"first.0.0": "ConvBlock1.1", "down.0.0": "DownBlock1.1", "down.1.0": "DownBlock2.1"} | _CAM
    stages = ("first.1", "first.2", "finish.0", "finish.1")
    for i, ours in enumerate(stages, 1):
        names |= _hourglass_stage(ours, f"HourGlass{i}")
    for i in range(4):
        inner, theirs = f"EncodeBlock{i + 1}.conv_block", f"DecodeBlock{i + 1}"
        names |= {f"encode.{i}.first.0": f"{inner}.1", f"encode.{i}.second.0": f"{inner}.5"}
        names |= {f"decode.{i}.first": f"{theirs}.conv1", f"decode.{i}.second": f"{theirs}.conv2"}
        names |= _soft_norm(f"decode.{i}.first_norm", f"{theirs}.norm1")
        names |= _soft_norm(f"decode.{i}.second_norm", f"{theirs}.norm2")
    for i in range(2):
        names |= {f"enlarge.{i}.1": f"UpBlock{i + 1}.2", f"enlarge.{i}.2": f"UpBlock{i + 1}.3"}
    return names | {"style.0": "FC.0", "style.2": "FC.2", "finish.2": "ConvBlock2.1"}


def _cyclegan(arguments: Arguments, shapes: Shapes) -> Names:
    blocks = int(arguments["blocks"])
    names = {"first.0": "model.1", "to_half.0": "model.4", "to_quarter.0": "model.7"}
    second = 6 if "model.10.conv_block.6.weight" in shapes else 5  # trained with dropout, which takes a number
    for i in range(blocks):
        inner = f"model.{10 + i}.conv_block"
        names |= {f"body.{i}.first.0": f"{inner}.1", f"body.{i}.second.0": f"{inner}.{second}"}
    end = 10 + blocks
    return names | {"from_quarter.0": f"model.{end}", "from_half.0": f"model.{end + 3}", "out": f"model.{end + 7}"}


def _pix2pix_arguments(shapes: Shapes) -> Arguments:
    depth, inner = 1, "model.model"
    while f"{inner}.1.model.1.weight" in shapes or f"{inner}.3.model.1.weight" in shapes:
        inner += f".{1 if depth == 1 else 3}.model"
        depth += 1
    return {"channels": shapes["model.model.0.weight"][0], "depth": max(2, depth)}


def _pix2pix(arguments: Arguments, _shapes: Shapes) -> Names:
    depth = int(arguments["depth"])
    names = {"down.0": "model.model.0", "out": "model.model.3"}
    inner = "model.model.1.model"
    for i in range(1, depth):
        last, up = i == depth - 1, depth - 1 - i
        names |= {f"down.{i}": f"{inner}.1", f"down_norms.{i}": f"{inner}.2"}
        names |= {f"up.{up}": f"{inner}.{3 if last else 5}", f"up_norms.{up}": f"{inner}.{4 if last else 6}"}
        inner += ".3.model"
    return names


def _normed(ours: str, theirs: str) -> Names:
    """Map a convolution and its normalisation of AnimeGANv2."""
    return {f"{ours}.0": f"{theirs}.1", f"{ours}.1": f"{theirs}.2"}


def _animegan2_arguments(shapes: Shapes) -> Arguments:
    _ = shapes["block_a.0.1.weight"]
    return {}


def _animegan2(_arguments: Arguments, _shapes: Shapes) -> Names:
    names = _normed("to_half.0", "block_a.0") | _normed("to_half.1.conv", "block_a.1")
    names |= _normed("to_half.2", "block_a.2") | _normed("to_quarter.0.conv", "block_b.0")
    names |= _normed("to_quarter.1", "block_b.1") | _normed("body.0", "block_c.0") | _normed("body.5", "block_c.5")
    for i in range(1, 5):
        ours, theirs = f"body.{i}.inner", f"block_c.{i}.layers"
        names |= _normed(f"{ours}.0", f"{theirs}.0") | _normed(f"{ours}.1", f"{theirs}.1")
        names |= {f"{ours}.2.0": f"{theirs}.2", f"{ours}.2.1": f"{theirs}.3"}
    for i in range(2):
        names |= _normed(f"back_to_half.{i}", f"block_d.{i}")
    for i in range(3):
        names |= _normed(f"back_to_full.{i}", f"block_e.{i}")
    return names | {"out": "out_layer.0"}


def _fast_style(arguments: Arguments, _shapes: Shapes) -> Names:
    names: Names = {"out": "deconv3.conv2d"}
    ends = {
        "first": "conv1",
        "to_half": "conv2",
        "to_quarter": "conv3",
        "from_quarter": "deconv1",
        "from_half": "deconv2",
    }
    for i, (ours, theirs) in enumerate(ends.items(), 1):
        names |= {f"{ours}.0": f"{theirs}.conv2d", f"{ours}.1": f"in{i}"}
    for i in range(int(arguments["blocks"])):
        for number, ours in enumerate(("first", "second"), 1):
            theirs = f"res{i + 1}"
            names |= {
                f"body.{i}.{ours}.0": f"{theirs}.conv{number}.conv2d",
                f"body.{i}.{ours}.1": f"{theirs}.in{number}",
            }
    return names


def _cartoongan(arguments: Arguments, _shapes: Shapes) -> Names:
    blocks = int(arguments["blocks"])
    names: Names = {"first.0": "conv01_1", "out": "deconv03_1"}
    scaled = {"first.1": "in01_1"}
    stages = {"to_half": "conv02", "to_quarter": "conv03", "from_quarter": "deconv01", "from_half": "deconv02"}
    for i, (ours, theirs) in enumerate(stages.items()):
        names |= {f"{ours}.0": f"{theirs}_1", f"{ours}.1": f"{theirs}_2"}
        scaled[f"{ours}.2"] = f"in{2 + i if i < 2 else 2 + blocks + i:02}_1"
    for i in range(blocks):
        for number, ours in enumerate(("first", "second"), 1):
            names[f"body.{i}.{ours}.0"] = f"conv{4 + i:02}_{number}"
            scaled[f"body.{i}.{ours}.1"] = f"in{4 + i:02}_{number}"
    for ours, theirs in scaled.items():
        names |= {f"{ours}.weight": f"{theirs}.scale", f"{ours}.bias": f"{theirs}.shift"}
    return names


def _stylegan2_arguments(shapes: Shapes) -> Arguments:
    steps = _count(shapes, r"to_rgbs\.(\d+)\.")
    if not steps:
        raise LookupError("to_rgbs")
    channels = shapes["input.input"][1]
    found: Arguments = {"latent": shapes["style.1.weight"][0], "side_px": 4 << steps, "channels": channels}
    found["mapping"] = max(1, _count(shapes, r"style\.(\d+)\."))
    if steps >= 4:  # from 64 pixels on
        found["multiplier"] = 2 if shapes["to_rgbs.3.conv.weight"][2] == channels else 1
    return found


_COUNTERS = r"running_(mean|var)|num_batches_tracked"  # of normalisations by the picture itself: written, never read
_CAM_SHAPES = ("attend.by_mean", "attend.by_most")

LAYOUTS: dict[str, Layout] = {
    one.name: one
    for one in (
        Layout(
            "photo2cartoon", "photo2cartoon", "https://github.com/minivision-ai/photo2cartoon",
            lambda shapes: _attended(shapes, "ConvBlock1.1.weight", r"EncodeBlock(\d+)\."), _photo2cartoon, ("genA2B",),
            unused=r"g[am]p_fc\.bias", zeros=r"attend\.biases", reshaped=_CAM_SHAPES,
        ),
        Layout(
            "ugatit", "ugatit_light", "https://github.com/znxlwm/UGATIT-pytorch",
            _ugatit_arguments, _ugatit, ("genA2B", "genB2A"), reshaped=_CAM_SHAPES, larger="ugatit",
        ),
        Layout(
            "cyclegan", "cyclegan", "https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix",
            lambda shapes: _attended(shapes, "model.1.weight", r"model\.(\d+)\.conv_block\."), _cyclegan,
            unused=rf"model\..*\.({_COUNTERS})",
        ),
        Layout(
            "pix2pix", "pix2pix_unet", "https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix", _pix2pix_arguments,
            _pix2pix, zeros=r".*\.num_batches_tracked",
        ),
        Layout(
            "animegan2", "animegan2", "https://github.com/bryandlee/animegan2-pytorch",
            _animegan2_arguments, _animegan2,
        ),
        Layout(
            "fast-style", "fast_style", "https://github.com/pytorch/examples/tree/main/fast_neural_style",
            lambda shapes: _attended(shapes, "conv1.conv2d.weight", r"res(\d+)\."), _fast_style,
            unused=rf".*in\d+\.({_COUNTERS})",
            scales={"first.0.weight": 255.0, "out.weight": 1 / 255, "out.bias": 1 / 255},
        ),
        Layout(
            "cartoongan", "cartoongan", "https://github.com/Yijunmaverick/CartoonGAN-Test-Pytorch-Torch",
            lambda shapes: {
                "channels": shapes["conv01_1.weight"][0], "blocks": max(1, _count(shapes, r"conv(\d+)_1\.") - 3),
            },
            _cartoongan, swapped={"first.0.weight": 1, "out.weight": 0, "out.bias": 0},
        ),
        Layout(
            "stylegan2", "stylegan2", "https://github.com/rosinality/stylegan2-pytorch", _stylegan2_arguments,
            lambda _arguments, _shapes: {"average_w": "latent_avg"}, ("g_ema", "g"), unused=r".*\.kernel",
            reshaped=("average_w",), zeros="average_w", outer=("latent_avg",),
        ),
    )
}  # fmt: skip
