"""GeneratorSpec: the description of a generator, which is read without importing the generator or PyTorch."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor, nn

Value = bool | int | float | str
_MAX_NUMBERS, _MAX_DIGITS = 8, 6  # of an argument that is a list


@dataclass(frozen=True)
class Argument:
    """One argument of a network's constructor: its default, whose type it has, and its bounds or allowed strings.

    A string without `choices` is a list of at most `_MAX_NUMBERS` whole numbers between the bounds, which are required,
    such as "32,64,64". The constructor receives the text.
    """

    default: Value
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()

    def check(self, value: object) -> Value:
        """Return the value in the argument's type. 0 and 1 are accepted for a boolean.

        Raises ValueError if the value has another type or is out of bounds.
        """
        if isinstance(self.default, bool):
            if isinstance(value, int) and value in (0, 1):
                return bool(value)
            raise ValueError("must be true or false")
        if isinstance(self.default, str):
            if not self.choices:
                return self._checked_list(value)
            if isinstance(value, str) and value in self.choices:
                return value
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        whole = isinstance(self.default, int)
        kinds = int if whole else (int, float)
        if isinstance(value, kinds) and not isinstance(value, bool) and self.low <= value <= self.high:
            return value
        raise ValueError(f"must be a {'whole ' if whole else ''}number from {self.low:g} to {self.high:g}")

    def _checked_list(self, value: object) -> str:
        numbers = value.split(",") if isinstance(value, str) else []
        is_short = 0 < len(numbers) <= _MAX_NUMBERS and all(0 < len(one) <= _MAX_DIGITS for one in numbers)
        if is_short and all(one.isdecimal() and self.low <= int(one) <= self.high for one in numbers):
            return ",".join(str(int(one)) for one in numbers)
        span = f"whole numbers from {self.low:g} to {self.high:g} with commas between them"
        raise ValueError(f"must be 1 to {_MAX_NUMBERS} {span}")


@dataclass(frozen=True)
class GeneratorSpec:
    """The description of a generator, assigned to `SPEC` in the generator's module.

    The registry reads it from the source text (see `engines.generators.registry`): write literals only.

    Attributes:
        name: Name in style cards and for `veneer train --generator`.
        network: Name of the `nn.Module` class in the same module.
        paper: Authors, year and address of the publication.
        arguments: Constructor arguments by name. All have a default.
        inputs: Positional inputs of `forward`, in order. Images are (N, 3, H, W) RGB, all others (N, features).
        outputs: What `forward` can return: a finished "picture", a "change" to be added to the input (chosen by the
            argument `change` where both are possible), the "planes" of a drawing (`engines.drawing.plane_set`), or an
            "embedding" (N, features).
        value_range: Range of the input image and the output picture inside the network, (0, 1) or (-1, 1). The program
            always passes and receives 0..1: `adapt_range` converts. A change is never converted.
        output_size: Height and width of the output: the "same" as the input, "half" of it (planes), a "multiple" of
            it, or "fixed".
        step_px: Width and height of the input must be multiples of it. The name of an argument means 2 to the power of
            that argument, for networks that halve the picture a variable number of times.
        region: "lips" for crops of the mouth, "upright" for faces, heads and whole frames.
        method: Default training method.
        optimiser: Default optimiser.
        benchmarked: Whether `benchmarks.engines` and `benchmarks.tensorrt_proof` include the generator with random
            weights while no shipped style uses it.
    """

    name: str
    network: str
    paper: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    inputs: tuple[Literal["image", "latent", "label", "identity"], ...] = ("image",)
    outputs: tuple[Literal["picture", "change", "planes", "embedding"], ...] = ("picture",)
    value_range: tuple[int, int] = (0, 1)
    output_size: Literal["same", "half", "multiple", "fixed"] = "same"
    step_px: int | str = 1
    region: Literal["lips", "upright"] = "upright"
    method: str = "paired"
    optimiser: str = "muon"
    benchmarked: bool = True

    @property
    def unsupported(self) -> str:
        """Why styles and paired training cannot use the generator yet; empty if they can."""
        if self.inputs != ("image",):
            return f"its inputs are {', '.join(self.inputs)}, and only one image is given to a generator"
        return "" if self.output_size in ("same", "half") else "the size of its output differs from that of its input"

    def output_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return channels, height and width of the output for an input of that size, pixels."""
        return (12, height // 2, width // 2) if self.output_size == "half" else (3, height, width)

    def check(self, arguments: object) -> dict[str, Value]:
        """Return constructor arguments in their types.

        Raises ValueError if an argument is unknown, has the wrong type or is out of bounds.
        """
        if not isinstance(arguments, Mapping):
            raise ValueError("the arguments must be a table of names and values")
        checked = {}
        for name, value in arguments.items():
            if name not in self.arguments:
                known = f"one of {', '.join(self.arguments)}" if self.arguments else "none"
                raise ValueError(f"unknown argument {str(name)[:60]!r}, expected {known}")
            try:
                checked[name] = self.arguments[name].check(value)
            except ValueError as error:
                raise ValueError(f"{name} {error}") from error
        return checked

    def parse(self, text: str) -> dict[str, Value]:
        """Return one argument from "NAME=VALUE", as typed on a command line.

        Raises:
            ValueError: As for `check`, or there is no "=".
        """
        name, equals, typed = text.partition("=")
        if not equals:
            raise ValueError("not of the form NAME=VALUE")
        value: object = typed
        if name in self.arguments and not isinstance(self.arguments[name].default, str):
            with contextlib.suppress(ValueError):
                value = json.loads(typed)
        return self.check({name: value})

    def multiple_px(self, arguments: Mapping[str, Any]) -> int:
        """Return the step, in pixels, of the network built with these arguments."""
        if isinstance(self.step_px, int):
            return self.step_px
        return int(2 ** int(arguments.get(self.step_px, self.arguments[self.step_px].default)))

    def adapt_range(self, net: nn.Module, arguments: Mapping[str, Any]) -> nn.Module:
        """Make a network of range -1..1 take and return 0..1, in place.

        Hooks do it instead of a wrapper, so that the weights keep the network's own names.
        """
        if self.value_range == (-1, 1):
            if "image" in self.inputs:
                net.register_forward_pre_hook(_to_signed)
            if not arguments.get("change"):
                net.register_forward_hook(_to_unit)
        return net


def _to_signed(_net: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Map all images among the inputs, (N, 3, H, W), from 0..1 to -1..1; latents and labels have two axes."""
    return tuple(one * 2 - 1 if one.dim() == 4 else one for one in inputs)


def _to_unit(_net: nn.Module, _inputs: tuple[Tensor, ...], output: Any) -> Any:
    """Map the picture, (N, 3, H, W), from -1..1 to 0..1: the output, or the first of several outputs."""
    if isinstance(output, tuple):
        return (output[0] + 1) / 2, *output[1:]
    return (output + 1) / 2
