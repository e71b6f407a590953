"""Compare a checkpoint with the layout of a program, and convert its tensors to those of our generator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engines.errors import OptionsError
from engines.generators import registry
from engines.generators.weights_file import shapes_only
from engines.imports.checkpoint_layouts import LAYOUTS, Arguments, Layout, Names, Shapes
from engines.untrusted_files import shown

if TYPE_CHECKING:
    from torch import Tensor

Groups = Mapping[str, Mapping[str, "Tensor"]]
_MAX_LINES = 10
_USUAL_PREFIXES = ("", "module.", "_orig_mod.", "generator.", "netG.", "G.", "net.")


class MismatchError(OptionsError):
    """The checkpoint does not fit the layout. `lines` name the tensors that do not fit, at most ten."""

    lines: tuple[str, ...] = ()


@dataclass
class Fit:
    """How the tensors of one group fit one layout.

    Attributes:
        group: Name of the group; "" for the outermost dictionary.
        prefix: What stands before the program's names.
        generator: Our generator's name.
        arguments: Of our generator.
        names: Our tensors by their names in the group; those that are zero are left out.
        shapes: Of our tensors.
        problems: One line on each tensor that is missing, has another shape, or belongs to another network.
    """

    group: str
    prefix: str
    generator: str = ""
    arguments: Arguments = field(default_factory=dict)
    names: Names = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def fit_groups(groups: Groups, layout: Layout, *, part: str = "", given: Arguments | None = None) -> Fit:
    """Return the group that fits a layout; of several, the one that the layout prefers.

    Args:
        groups: Tensors by group and name.
        layout: The layout.
        part: Name of the group to take, or its last part; "" for any.
        given: Arguments of the generator that a checkpoint does not tell.

    Raises:
        MismatchError: None fits. The error names a layout that does, if there is one.
        OptionsError: There is no group named `part`.
    """
    chosen = {name: shapes for name, shapes in _shapes(groups).items() if not part or part in (name, _last(name))}
    if not chosen:
        have = ", ".join(shown(name) for name in list(groups)[:8] if name) or "no named parts"
        raise OptionsError(f"--part {part}", "the checkpoint has no such part", f"it has {have}")
    fits = sorted(_fits(chosen, layout, given or {}), key=lambda fit: _rank(fit, layout))
    if fits and not fits[0].problems:
        return fits[0]
    raise _mismatch(fits[0] if fits else None, chosen, layout)


def converted(fit: Fit, tensors: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Return the generator's tensors, FP32 and contiguous. Raises OptionsError if a value is NaN or infinite."""
    import torch

    state = {}
    for name, shape in fit.shapes.items():
        kind = torch.int64 if name.endswith("num_batches_tracked") else torch.float32
        if name not in fit.names:
            state[name] = torch.zeros(shape, dtype=kind)
            continue
        tensor = tensors[fit.names[name]].detach().to(kind).reshape(shape) * layout.scales.get(name, 1)
        axis = layout.swapped.get(name)
        state[name] = (tensor if axis is None else tensor.flip(axis)).clone(memory_format=torch.contiguous_format)
        if not bool(torch.isfinite(state[name]).all()):
            raise OptionsError(f"tensor {shown(fit.names[name])}", "it holds NaN or infinity", "use another checkpoint")
    return state


def _last(group: str) -> str:
    return group.rpartition("/")[2]


def _shapes(groups: Groups) -> dict[str, Shapes]:
    return {group: {name: tuple(one.shape) for name, one in tensors.items()} for group, tensors in groups.items()}


def _fits(groups: Mapping[str, Shapes], layout: Layout, given: Arguments) -> Iterator[Fit]:
    for group, shapes in groups.items():
        found = (f"{name.partition('.')[0]}." for name in shapes if "." in name)
        for prefix in dict.fromkeys((*_USUAL_PREFIXES, *found)):
            inner = {name[len(prefix) :]: shape for name, shape in shapes.items() if name.startswith(prefix)}
            fit = Fit(group, prefix)
            try:
                arguments = layout.arguments(inner) | given
                fit.generator = layout.generator_for(arguments)
                fit.arguments = registry.generator_spec(fit.generator).check(arguments)
            except (LookupError, ValueError):
                continue
            _compare(fit, inner, layout)
            yield fit


def _rank(fit: Fit, layout: Layout) -> tuple[int, int]:
    group = _last(fit.group) or fit.prefix.rstrip(".")
    preferred = layout.groups.index(group) if group in layout.groups else len(layout.groups)
    return len(fit.problems), preferred


def _compare(fit: Fit, shapes: Shapes, layout: Layout) -> None:
    """Fill in the names, shapes and problems of a fit."""
    with shapes_only():
        net = registry.fresh_generator(fit.generator, fit.arguments)
    names, used = layout.names(fit.arguments, shapes), set[str]()
    for ours, tensor in net.state_dict().items():
        expected = fit.shapes[ours] = tuple(tensor.shape)
        layer, _, kind = ours.rpartition(".")
        theirs = names.get(ours) or (f"{names[layer]}.{kind}" if layer in names else ours)
        if theirs in shapes:
            used.add(theirs)
            fit.names[ours] = fit.prefix + theirs
            if not _same(shapes[theirs], expected, loosely=ours in layout.reshaped):
                fit.problems.append(f"{theirs} has the shape {_text(shapes[theirs])}, expected {_text(expected)}")
        elif not re.fullmatch(layout.zeros, ours):
            fit.problems.append(f"{theirs} of shape {_text(expected)} is missing")
    unknown = [name for name in shapes if name not in used and not re.fullmatch(layout.unused, name)]
    fit.problems += [f"{shown(name)[1:-1]} of shape {_text(shapes[name])} is not the generator's" for name in unknown]


def _same(shape: tuple[int, ...], expected: tuple[int, ...], *, loosely: bool) -> bool:
    if loosely:
        return [side for side in shape if side != 1] == [side for side in expected if side != 1]
    return shape == expected


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape[:8])) or "one number"


def _mismatch(best: Fit | None, groups: Mapping[str, Shapes], layout: Layout) -> MismatchError:
    others = (name for name, one in LAYOUTS.items() if name != layout.name)
    fitting = next((name for name in others if _fits_at_all(groups, LAYOUTS[name])), "")
    do = f"import it with --as {fitting}" if fitting else f"--as takes the layouts {', '.join(LAYOUTS)}"
    if best is None:
        names = [name for shapes in groups.values() for name in shapes]
        got = f"it is another network's: it has {len(names)} tensors, {shown(names[0])} among them"
        return MismatchError(f"checkpoint as {layout.name}", got, do)
    lines = best.problems if len(best.problems) <= _MAX_LINES else best.problems[: _MAX_LINES - 1]
    hidden = len(best.problems) - len(lines)
    got = f"{len(best.problems)} of its tensors do not fit, as {lines[0]}"
    error = MismatchError(f"checkpoint as {layout.name}", got, do)
    error.lines = (*lines, *([f"and {hidden} more"] if hidden else []))
    return error


def _fits_at_all(groups: Mapping[str, Shapes], layout: Layout) -> bool:
    return any(not fit.problems for fit in _fits(groups, layout, {}))
