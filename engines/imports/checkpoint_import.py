"""A checkpoint of another program becomes a style of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.errors import OptionsError
from engines.generators.registry import fresh_generator, generator_spec
from engines.generators.spec import Value
from engines.generators.weights_file import shapes_only
from engines.imports.checkpoint_file import read_groups
from engines.imports.checkpoint_fit import Fit, converted, fit_groups
from engines.imports.checkpoint_layouts import Layout, layout
from engines.imports.style_files import origin_of, write_style
from engines.paths import portraits_dir


def import_checkpoint(
    name: str,
    source: Path,
    *,
    program: str,
    region: str,
    mask: str = "usual",
    size_wh: tuple[int, int],
    licence: str = "",
    part: str = "",
    arguments: tuple[str, ...] = (),
) -> str:
    """Write a style from a checkpoint; return one line on what was taken.

    Args:
        name: Of the style.
        source: The checkpoint.
        program: Name of its layout, see `LAYOUTS`.
        region: What the style is applied to.
        mask: Where it paints there, see `Style`.
        size_wh: Size of the generator's input, pixels.
        licence: What the user says of the licence.
        part: Name of the network in the checkpoint, if it holds several.
        arguments: Arguments of the generator as NAME=VALUE, for what a checkpoint does not tell.

    Raises:
        MismatchError: The checkpoint is not of this layout.
        OptionsError: It cannot be read, or an option does not fit.
    """
    found = layout(program)
    given = _parsed(found, arguments)
    groups = read_groups(source)
    beside = {key: tensor for key, tensor in groups.get("", {}).items() if key in found.outer}
    groups = {group: {**tensors, **beside} for group, tensors in groups.items()}
    fit = fit_groups(groups, found, part=part, given=given)
    from_noise = "image" not in generator_spec(fit.generator).inputs
    if from_noise:
        size_wh = (int(fit.arguments["side_px"]),) * 2
    _check_size(found, fit, size_wh)
    state = converted(fit, groups[fit.group], found)
    card = {"name": name, **_card(found, fit, size_wh), "region": region, "mask": mask, **origin_of(source, licence)}

    def write(path: Path) -> None:
        from safetensors.torch import save_file

        save_file(state, path)

    write_style(card, ".safetensors", write, portraits_dir() if from_noise else None)
    others = [group for group in groups if group and fit.group and group != fit.group]
    also = f"; it also holds {', '.join(others[:5])}: --part takes another one" if others else ""
    what = f"{fit.group} of {source.name}" if fit.group else source.name
    return f"{what} is {fit.generator}, {card['parameters']} weights, {card['gmac']} GMAC{also}"


def _parsed(found: Layout, arguments: tuple[str, ...]) -> dict[str, Value]:
    spec, given = generator_spec(found.generator), dict[str, Value]()
    for text in arguments:
        try:
            given |= spec.parse(text)
        except ValueError as error:
            raise OptionsError(f"--arg {text}", str(error), "write NAME=VALUE, as in --arg aligned=true") from error
    return given


def _check_size(found: Layout, fit: Fit, size_wh: tuple[int, int]) -> None:
    step_px = generator_spec(fit.generator).multiple_px(fit.arguments)
    if size_wh[0] % step_px or size_wh[1] % step_px:
        got = f"{found.name} takes multiples of {step_px} pixels"
        raise OptionsError("--size {}x{}".format(*size_wh), got, f"use --size {max(step_px, 256)}")


def _card(found: Layout, fit: Fit, size_wh: tuple[int, int]) -> dict[str, Any]:
    import torch

    from engines.training.metrics.model_cost import gmac, parameters

    with shapes_only():
        net = fresh_generator(fit.generator, fit.arguments)
        inputs = [torch.zeros(1, int(fit.arguments["latent"]))] if "latent" in fit.arguments else []
    return {
        "generator": fit.generator,
        "generator_args": fit.arguments,
        "size_wh": list(size_wh),
        "output": "picture",
        "imported_as": found.name,
        "program": found.program,
        "part": fit.group,
        "gmac": round(gmac(net, size_wh, inputs), 4),
        "parameters": parameters(net),
    }
