"""An ONNX or TensorFlow Lite file becomes a style of the user's own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.errors import OptionsError
from engines.imports.graph_file import checked_graph
from engines.imports.graph_settings import COLOURS, LAYOUTS, RANGES, GraphSettings
from engines.imports.style_files import origin_of, write_style
from engines.runtime.child_process import module_command
from engines.untrusted_files import shown

_LIMIT_S = 60.0
_DO = "use a model with one picture in and one picture out of the same size"


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What the user says of a graph; "" for what is left to the file."""

    layout: str = ""
    colours: str = ""
    input_range: str = ""
    output_range: str = ""

    def check(self) -> None:
        """Raise an OptionsError if a value is unknown."""
        offered = {
            "--layout": (self.layout, LAYOUTS),
            "--colours": (self.colours, COLOURS),
            "--range": (self.input_range, tuple(RANGES)),
            "--output-range": (self.output_range, tuple(RANGES)),
        }
        for option, (value, values) in offered.items():
            if value and value not in values:
                raise OptionsError(f"{option} {shown(value)}", "not a value for it", f"use {', '.join(values)}")


def import_graph(
    name: str,
    source: Path,
    options: GraphOptions,
    *,
    region: str,
    mask: str,
    size_wh: tuple[int, int] | None,
    usual_size_wh: tuple[int, int],
    licence: str = "",
) -> str:
    """Write a style from an ONNX or TensorFlow Lite file; return one line on what was found in it.

    Args:
        name: Of the style.
        source: The file.
        options: What the user says of it.
        region: What the style is applied to.
        mask: Where it paints there, see `Style`.
        size_wh: Size of the input; None for the file's own.
        usual_size_wh: Size of the input if neither states one.
        licence: What the user says of the licence.

    Raises:
        OptionsError: The file cannot be used, or does not say what it needs to and no option does.
    """
    options.check()
    kind, data = checked_graph(source)
    with tempfile.TemporaryDirectory(prefix="veneer-") as folder:
        path = Path(folder, f"model.{kind}")
        path.write_bytes(data)
        found = _described(source, path, size_wh, options.layout)
        if found["layout"] and not found.get("size_wh"):
            found = _described(source, path, usual_size_wh, options.layout)
    settings = _settings(source, found, options)
    card = {
        "name": name, "generator": kind, "region": region, "mask": mask, "size_wh": found["size_wh"],
        "output": "picture", "graph": settings.as_card(), "gmac": found["gmac"], "parameters": found["parameters"],
        **origin_of(source, licence),
    }  # fmt: skip
    write_style(card, f".{kind}", lambda target: target.write_bytes(data))
    size = "{}x{}".format(*found["size_wh"])
    what = f"{settings.layout}, {settings.colours}, {settings.input_range} to {settings.output_range}"
    return f"{source.name} takes {size}, {what}; {found['parameters']} weights, {found['gmac']} GMAC"


def _settings(source: Path, found: dict[str, Any], options: GraphOptions) -> GraphSettings:
    """Return what the user or the file says. Raises OptionsError for what neither says."""
    said = {
        "--layout": (found["layout"], LAYOUTS),
        "--range": (options.input_range or found.get("input_range"), tuple(RANGES)),
        "--output-range": (options.output_range or found.get("output_range"), tuple(RANGES)),
    }
    for option, (value, values) in said.items():
        if not value:
            what = {"--layout": "the order of its axes", "--range": "the range of its input"}.get(option)
            got = f"its graph does not say {what or 'the range of its picture'}"
            raise OptionsError(f"model {source}", got, f"add {option} with {' or '.join(values)}")
    layout, input_range, output_range = (value for value, _ in said.values())
    colours = options.colours or found.get("colours") or "rgb"
    return GraphSettings(layout, colours, input_range, output_range, int(found["output"]), bool(found["one_face"]))


def _described(source: Path, path: Path, size_wh: tuple[int, int] | None, layout: str) -> dict[str, Any]:
    """Return what OpenVINO finds in the file, in a process of its own. Raises OptionsError if it cannot be used."""
    width, height = size_wh or (0, 0)
    module = "engines.imports.graph_description"
    command = [*module_command(module), str(path), str(width), str(height), layout or "-"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        found: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise OptionsError(f"model {source}", f"OpenVINO did not read it in {_LIMIT_S:.0f} s", _DO) from error
    except ValueError as error:
        raise OptionsError(f"model {source}", "OpenVINO crashed when it read it", _DO) from error
    if "error" in found:
        raise OptionsError(f"model {source}", str(found["error"]), _DO)
    return found
