"""What `veneer calibrate machine` chose for this machine: how each engine runs, and how large a look's regions are.

The file is written by calibration and read here; one that was measured on another machine, with other libraries or of
other weights says nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache as remembered
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines import paths
from engines.errors import VeneerError
from engines.runtime.base import NotUsableError
from engines.styles import Style

if TYPE_CHECKING:
    from engines.looks import Look

_FORMAT = 1
_MOST_THREADS = 64


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """How a style runs best at one size.

    Attributes:
        runtime: as `open_engine` takes it.
        precision: "int8", "fp16", "bf16" or "fp32".
        threads: of the processor; 0 where that is not asked (GPUs).
        median_ms: of one call with one face, measured beside a running tracker.
        p95_ms: likewise.
    """

    runtime: str
    precision: str
    threads: int
    median_ms: float
    p95_ms: float


def choice_file() -> Path:
    """Where the choice lies, whether it is there or not."""
    return paths.cache_dir() / "machine.json"


@remembered
def fingerprint() -> dict[str, Any]:
    """What the measurement holds for: processor, cores, GPU, libraries."""
    from engines.runtime.cuda_device import driver_device
    from engines.runtime.openvino_int8 import device_name

    try:
        gpu = driver_device()
        gpu_name = f"{gpu.name}, driver {gpu.driver}"
    except NotUsableError:
        gpu_name = ""
    versions = {name: metadata.version(name) for name in ("openvino", "torch")}
    return {"format": _FORMAT, "processor": device_name(), "cores": _cores(), "gpu": gpu_name, **versions}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write(engines: Mapping[str, Mapping[str, Any]], looks: Mapping[str, Any], *, fps: float) -> Path:
    """Write a choice; see `engine_entry` and `look_entry` for its parts, by `engine_name` and by the look's name.

    Raises:
        OSError: the disk does not allow it.
    """
    path = choice_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    whole = {"machine": fingerprint(), "fps": fps, "engines": dict(engines), "looks": dict(looks)}
    part.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def engine_name(style: Style) -> str:
    """As the file names an engine: "toon 256x256"."""
    return "{} {}x{}".format(style.name, *style.size_wh)


def engine_entry(style: Style, choice: EngineChoice) -> dict[str, Any]:
    """An engine's part of the file."""
    return {**asdict(choice), "weights": style.weights_digest()}


def look_entry(look: Look, **about: Any) -> dict[str, Any]:
    """A look's part: its regions in the order of the layers, and whatever else a person may want to read there."""
    layers = [_layer_of(layer.style) for layer in look.layers]
    return {"layers": layers, **about}


def _layer_of(style: object) -> dict[str, Any] | None:
    if not isinstance(style, Style):
        return None
    return {"style": style.name, "region": style.region, "size_wh": list(style.size_wh)}


def engine_choice(style: Style) -> EngineChoice | None:
    """How that style runs best here at its size; None where nobody measured it, or something changed since."""
    try:
        entry = _read()["engines"][engine_name(style)]
        if entry["weights"] != style.weights_digest():
            return None
        threads, times = int(entry["threads"]), (float(entry["median_ms"]), float(entry["p95_ms"]))
        return EngineChoice(str(entry["runtime"]), str(entry["precision"]), min(max(threads, 0), _MOST_THREADS), *times)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, VeneerError):
        return None


def fitted(look: Look) -> Look:
    """The look with its regions at the size that was chosen for this machine; as it was where nothing is known."""
    try:
        chosen = _read()["looks"][look.name]["layers"]
        if len(chosen) != len(look.layers):
            return look
        layers = tuple(
            replace(layer, style=_sized(layer.style, one)) if isinstance(layer.style, Style) else layer
            for layer, one in zip(look.layers, chosen, strict=True)
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return look
    return replace(look, layers=layers)


def _sized(style: Style, chosen: Mapping[str, Any]) -> Style:
    """Raises ValueError where the choice is of another layer."""
    width, height = (int(side) for side in chosen["size_wh"])
    smaller = 8 <= width <= style.size_wh[0] and 8 <= height <= style.size_wh[1]
    if (chosen["style"], chosen["region"]) != (style.name, style.region) or not smaller:
        raise ValueError(f"chosen for {chosen}")
    return replace(style, size_wh=(width, height))


def stale() -> str:
    """One line for the user where a choice is there that holds no longer; else nothing."""
    kept = _load()
    if kept is None:
        return ""
    known, here = kept.get("machine"), fingerprint()
    if known == here:
        return ""
    other = [name for name in here if not isinstance(known, dict) or known.get(name) != here[name]]
    what = ", ".join(other)
    return f"{choice_file()} was measured with another {what} and is not used: run veneer calibrate machine"


def _read() -> dict[str, Any]:
    """The file, where it holds for this machine; else an empty one."""
    kept = _load() or {}
    return kept if kept.get("machine") == fingerprint() else {}


def _load() -> dict[str, Any] | None:
    try:
        kept = json.loads(choice_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}
