"""Builds the INT8 engine of one style: `python -m calibration.engine_checks.int8_build STYLE`.

It says how far it is in JSON, one object a line: {"step": "set", "quantise", "judge" or "done", "done": 3, "of": 11,
"say": "words for a person"}. It ends with 0 where the engine is there and passed, with 3 where calibration refused it
(the last line says why), and with 2 where it cannot be built here (one line on stderr says why).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace

from calibration.engine_checks.quantize import NotTakenError, make_int8
from calibration.engine_checks.verdicts import reference_of
from calibration.sets.set_builder import BUILT_IN_PICTURES, built_in
from engines.errors import OptionsError, VeneerError
from engines.runtime.base import NotUsableError
from engines.styles import Style, load_style

_REFUSED, _IMPOSSIBLE = 3, 2
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})")


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(
        prog="python -m calibration.engine_checks.int8_build", description=__doc__.split(":")[0]
    )
    parser.add_argument("style")
    parser.add_argument("--size", default="", help="WxH of the region, as the look has it")
    parser.add_argument("--region", default="", help="lips, face, head, frame or person")
    asked = parser.parse_args(arguments)
    try:
        return _build(_style(asked.style, asked.size, asked.region))
    except NotTakenError as error:
        _tell("done", str(error))
        return _REFUSED
    except (VeneerError, NotUsableError) as error:
        sys.stderr.write(f"{error}\n")
        return _IMPOSSIBLE


def _style(name: str, size: str, region: str) -> Style:
    style = load_style(name)
    style = style.on(region or style.region)
    found = _SIZE.fullmatch(size)
    if size and found is None:
        raise OptionsError(f"--size {size}", "that is no size", "write WIDTHxHEIGHT, as in 256x256")
    return replace(style, size_wh=(int(found[1]), int(found[2]))) if found else style


def _build(style: Style) -> int:
    pictures = 0

    def on_picture() -> None:
        nonlocal pictures
        pictures += 1
        _tell("set", "making the built-in calibration set", pictures, BUILT_IN_PICTURES)

    with contextlib.suppress(ImportError):  # the reference is OpenVINO's then
        import torch

        torch.set_num_threads(1)  # the live program runs beside it, and several threads would wait for each other
    built_in(on_picture=on_picture, say=lambda line: _tell("set", line))
    _tell("judge", f"{style.name}: the FP32 reference")
    judged = make_int8(style, reference_of(style), say=lambda line: _tell("quantise", line))
    scores = judged.cases.get("all")
    said = f"mean dE {scores.mean_de:.2f}, PSNR {scores.psnr_db:.1f} dB off FP32" if scores else "not judged"
    _tell("done", f"{style.name} INT8 {'passed' if judged.passed else f'failed: {judged.because}'} ({said})")
    return 0 if judged.passed else _REFUSED


def _tell(step: str, say: str, done: int = 0, of: int = 0) -> None:
    sys.stdout.write(json.dumps({"step": step, "done": done, "of": of, "say": say}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
