"""A trained style on disk: NAME.safetensors and its card NAME.json, both written aside and then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from torch import nn

from engines.errors import OptionsError


def ready_folder(out: Path) -> None:
    """Make the folder and prove that it can be written to, before minutes of training depend on it.

    Raises:
        OptionsError: it cannot.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise _not_writable(out, error) from error


def save_style(net: nn.Module, card: dict[str, Any], out: Path) -> Path:
    """Write the weights and the card, to which `weights_sha256` is added; returns the weights file.

    Nothing is half-written: both files are complete under another name before either takes its place.

    Raises:
        OptionsError: the folder cannot be written to, or is full.
    """
    from safetensors.torch import save

    state = {name: tensor.detach().contiguous() for name, tensor in net.state_dict().items()}
    weights = save(state)
    whole_card = {**card, "weights_sha256": hashlib.sha256(weights).hexdigest()}
    text = json.dumps(whole_card, indent=2, ensure_ascii=False) + "\n"
    target = out / f"{card['name']}.safetensors"
    places = {target: weights, target.with_suffix(".json"): text.encode()}
    aside = {place: place.with_name(f"{place.name}.{os.getpid()}.part") for place in places}
    try:
        for place, content in places.items():
            aside[place].write_bytes(content)
        for place, part in aside.items():
            part.replace(place)
    except OSError as error:
        raise _not_writable(out, error) from error
    finally:
        for part in aside.values():
            part.unlink(missing_ok=True)
    return target


def _not_writable(out: Path, error: OSError) -> OptionsError:
    return OptionsError(f"weights in {out}", error.strerror or str(error), "name another folder with --out")
