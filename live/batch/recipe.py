"""What the result of a file depends on besides the file itself; if it changes, the file is done again."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from engines.looks import Look
from engines.runtime.base import library_version
from engines.styles import Style
from live.options import ApplyOptions

_CHARACTERS = 16
_OPTIONS = ("strength", "max_faces", "quality", "encoder", "preset", "size_wh", "runtime")


def recipe(look: Look, options: ApplyOptions) -> dict[str, str]:
    """Return digests of the look with the options, and of its weights, and the versions of the program and OpenVINO."""
    styles = [layer.style for layer in look.layers if isinstance(layer.style, Style)]
    layers = [
        (layer.style.name if isinstance(layer.style, Style) else repr(layer.style), layer.strength, repr(layer.medium))
        for layer in look.layers
    ]
    settings = {name: getattr(options, name) for name in _OPTIONS}
    return {
        "look": _digest([look.name, look.no_face, look.hold_s, look.then, layers, settings]),
        "weights": _digest([(style.weights_digest(), style.source_digest()) for style in styles]),
        "veneer": library_version("veneer"),
        "openvino": library_version("openvino"),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:_CHARACTERS]
