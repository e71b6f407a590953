"""`veneer import`: the request, its checks, and the way of each kind of file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engines.errors import OptionsError
from engines.imports.checkpoint_fit import MismatchError
from engines.imports.checkpoint_import import import_checkpoint
from engines.imports.checkpoint_layouts import LAYOUTS
from engines.imports.graph_file import is_graph
from engines.imports.graph_import import GraphOptions, import_graph
from engines.imports.style_files import check_name
from engines.paths import portraits_dir
from engines.regions.upright import FACE_REGIONS, FRAME_REGIONS
from engines.style_lookup import MASKS
from engines.styles import FACE_SIZE_WH, FRAME_SIZE_WH
from engines.untrusted_files import shown

_SIZE = re.compile(r"(\d{1,4})(?:x(\d{1,4}))?")
_MIN_SIDE_PX, _MAX_SIDE_PX = 32, 1024
_MAX_LICENCE = 300


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the user asked for; see the options of `veneer import`."""

    name: str
    file: Path
    program: str = ""
    region: str = "head"
    mask: str = "usual"
    size: str = ""
    part: str = ""
    arguments: tuple[str, ...] = ()
    licence: str = ""
    graph: GraphOptions = field(default_factory=GraphOptions)
    again: bool = False
    replace: bool = False

    @property
    def size_wh(self) -> tuple[int, int] | None:
        """The size that was asked for; None without one. Raises OptionsError if it is not a size."""
        if not self.size:
            return None
        match = _SIZE.fullmatch(self.size.strip().lower())
        sides = [int(side) for side in match.groups(default=match[1])] if match else []
        if len(sides) != 2 or not all(_MIN_SIDE_PX <= side <= _MAX_SIDE_PX for side in sides):
            do = f"use one side or WxH, {_MIN_SIDE_PX} to {_MAX_SIDE_PX} pixels"
            raise OptionsError(f"--size {shown(self.size)}", "not a size for a network", do)
        return sides[0], sides[1]

    @property
    def usual_size_wh(self) -> tuple[int, int]:
        """The size if neither the user nor the file states one."""
        return FRAME_SIZE_WH if self.region in FRAME_REGIONS else FACE_SIZE_WH


def import_as_style(request: ImportRequest, *, say: Callable[[str], None]) -> str:
    """Write a style of the user's own; return one line on what was taken from the file.

    Args:
        request: What to import.
        say: Receives the lines on tensors that do not fit.

    Raises:
        OptionsError: An option is wrong, or the file is not what it should be.
    """
    _check(request)
    if request.program == "stylegan2" and (portraits_dir() / f"{request.name}.json").exists() and not request.again:
        do = "choose another name, or add --again, which overwrites it"
        raise OptionsError(f"network {request.name!r}", "you have a network of this name", do)
    if is_graph(request.file):
        return _import_graph(request)
    try:
        return import_checkpoint(
            request.name,
            request.file,
            program=request.program,
            region=request.region,
            mask=request.mask,
            size_wh=request.size_wh or request.usual_size_wh,
            licence=request.licence,
            part=request.part,
            arguments=request.arguments,
        )
    except MismatchError as error:
        for line in error.lines:
            say(f"  {line}")
        raise


def _import_graph(request: ImportRequest) -> str:
    if request.program or request.part or request.arguments:
        do = "leave out --as, --part and --arg"
        raise OptionsError(f"model {request.file}", "an ONNX or TensorFlow Lite file holds its network", do)
    return import_graph(
        request.name,
        request.file,
        request.graph,
        region=request.region,
        mask=request.mask,
        size_wh=request.size_wh,
        usual_size_wh=request.usual_size_wh,
        licence=request.licence,
    )


def _check(request: ImportRequest) -> None:
    check_name(request.name, again=request.again, replace=request.replace)
    regions = (*FACE_REGIONS, *FRAME_REGIONS)
    if request.region not in regions:
        raise OptionsError(f"--region {shown(request.region)}", "there is no such region", f"use {', '.join(regions)}")
    if request.mask not in MASKS:
        raise OptionsError(f"--mask {shown(request.mask)}", "there is no such mask", f"use {', '.join(MASKS)}")
    if request.mask != "usual" and request.region not in FACE_REGIONS:
        raise OptionsError(f"--mask {request.mask}", f"it is for {' and '.join(FACE_REGIONS)}", "leave it out")
    if len(request.licence) > _MAX_LICENCE or not request.licence.isprintable():
        raise OptionsError("--licence", f"not one line of at most {_MAX_LICENCE} characters", "shorten it")
    if not request.file.exists():
        raise OptionsError(f"file {request.file}", "there is no such file", "check the path")
    request.size_wh  # noqa: B018
    if is_graph(request.file):
        return
    if request.graph != GraphOptions():
        got = "--layout, --colours and the ranges are for ONNX and TensorFlow Lite files"
        raise OptionsError(f"checkpoint {request.file}", got, "leave them out")
    if not request.program:
        do = f"add --as with the program that saved it: {', '.join(LAYOUTS)}"
        raise OptionsError(f"file {request.file}", "a checkpoint does not tell its network", do)
