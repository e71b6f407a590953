"""The choices of `veneer calibrate machine`: runtime, precision and threads of each engine, region sizes of each look.

Calibration writes the file. It has no effect if it was measured on another machine, with other library versions or with
other weights.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines import paths
from engines.errors import VeneerError
from engines.files import atomic_write
from engines.runtime.base import EngineInfo, NotUsableError, library_version, usable_cores
from engines.styles import Style
from engines.untrusted_files import json_or_empty

if TYPE_CHECKING:
    from engines.looks import Look

_FORMAT = 3
_MAX_THREADS = 64
_MAX_REJECTED, _MAX_CHARACTERS = 8, 60
_INVALID = (KeyError, TypeError, ValueError, AttributeError, OverflowError, VeneerError)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The fastest way to run a style at one size.

    Attributes:
        runtime: Name for `open_engine`.
        precision: "int8", "fp16", "bf16" or "fp32".
        threads: Number of processor threads; 0 for GPUs.
        median_ms: Time of one call with one face, while a tracker is running.
        p95_ms: Its 95th percentile.
        on_gpu: Whether it runs on an NVIDIA GPU; PyTorch FP32 runs there and on the processor.
        rejected: The other ways with their times, the fastest first, as in "openvino bf16 1.47 ms".
    """

    runtime: str
    precision: str
    threads: int
    median_ms: float
    p95_ms: float
    on_gpu: bool = False
    rejected: tuple[str, ...] = ()

    def runs(self, info: EngineInfo) -> bool:
        """Whether an engine runs on the chosen runtime and device, in any precision."""
        return info.runtime == self.runtime and (self.runtime != "torch" or self.on_gpu == (info.device != "CPU"))

    def __str__(self) -> str:
        """Return the choice and the alternatives with their times, for reports."""
        rejected = f"; slower: {', '.join(self.rejected)}" if self.rejected else ""
        return f"chosen by veneer calibrate machine: {self.median_ms:.2f} ms, p95 {self.p95_ms:.2f}{rejected}"


def choice_file() -> Path:
    """Return the path of the file, which may not exist."""
    return paths.cache_dir() / "machine.json"


@functools.cache
def fingerprint() -> dict[str, Any]:
    """Return what a measurement is valid for: processor, cores, GPU and library versions."""
    from engines.runtime.openvino.int8_graph import cpu_name
    from engines.runtime.torch.cuda_device import driver_device

    processor = gpu_name = ""
    with contextlib.suppress(NotUsableError):
        gpu = driver_device()
        gpu_name = f"{gpu.name}, driver {gpu.driver}"
    with contextlib.suppress(ImportError, OSError, RuntimeError):
        processor = cpu_name()
    versions = {name: library_version(name) for name in ("openvino", "torch")}
    return {"format": _FORMAT, "processor": processor, "cores": usable_cores(), "gpu": gpu_name, **versions}


def write(engines: Mapping[str, Mapping[str, Any]], looks: Mapping[str, Any]) -> Path:
    """Add results of `engine_entry` and `look_entry`, by the name of the engine or look, to the file; others are kept.

    Raises OSError if the file cannot be written.
    """
    path, old = choice_file(), _read()
    content: dict[str, Any] = {"machine": fingerprint()}
    for name, new in (("engines", engines), ("looks", looks)):
        kept = old.get(name)
        content[name] = {**(kept if isinstance(kept, dict) else {}), **new}
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(content, indent=1) + "\n")
    return path


def engine_name(style: Style) -> str:
    """Return the name of an engine in the file, as in "toon 256x256"."""
    return "{} {}x{}".format(style.name, *style.size_wh)


def engine_entry(style: Style, choice: EngineChoice) -> dict[str, Any]:
    """Return an engine's part of the file."""
    return {**asdict(choice), "weights": style.weights_digest()}


def look_entry(look: Look, **about: Any) -> dict[str, Any]:
    """Return a look's part of the file: its regions in the order of the layers, and further values for readers."""
    styles = [layer.style if isinstance(layer.style, Style) else None for layer in look.layers]
    layers = [
        style and {"style": style.name, "region": style.region, "size_wh": list(style.size_wh)} for style in styles
    ]
    return {"layers": layers, **about}


def engine_choice(style: Style) -> EngineChoice | None:
    """Return the choice for a style at its size; None if it was not measured or is out of date."""
    try:
        entry = _read()["engines"][engine_name(style)]
        if entry["weights"] != style.weights_digest():
            return None
        threads, times = int(entry["threads"]), (float(entry["median_ms"]), float(entry["p95_ms"]))
        rejected = tuple(str(text)[:_MAX_CHARACTERS] for text in entry["rejected"][:_MAX_REJECTED])
        setting = str(entry["runtime"]), str(entry["precision"]), min(max(threads, 0), _MAX_THREADS)
        return EngineChoice(*setting, *times, entry["on_gpu"] is True, rejected)
    except _INVALID:
        return None


def with_chosen_sizes(look: Look) -> Look:
    """Return the look with its regions at the chosen sizes; unchanged if there is no valid choice."""
    try:
        chosen = _read()["looks"][look.name]["layers"]
        if len(chosen) != len(look.layers):
            return look
        layers = tuple(
            replace(layer, style=_resized(layer.style, entry)) if isinstance(layer.style, Style) else layer
            for layer, entry in zip(look.layers, chosen, strict=True)
        )
    except _INVALID:
        return look
    return replace(look, layers=layers)


def _resized(style: Style, chosen: Mapping[str, Any]) -> Style:
    """Raises ValueError if the choice belongs to another layer."""
    width, height = (int(side) for side in chosen["size_wh"])
    smaller = 8 <= width <= style.size_wh[0] and 8 <= height <= style.size_wh[1]
    if (chosen["style"], chosen["region"]) != (style.name, style.region) or not smaller:
        raise ValueError(f"chosen for {chosen}")
    return replace(style, size_wh=(width, height))


def stale_message() -> str:
    """Return one line for the user if there is a file that is not valid any more; else ""."""
    content = json_or_empty(choice_file())
    if content is None:
        return ""
    measured, here = content.get("machine"), fingerprint()
    if measured == here:
        return ""
    changed = [name for name in here if not isinstance(measured, dict) or measured.get(name) != here[name]]
    return (
        f"{choice_file()} was measured with another {', '.join(changed)} and is not used: run veneer calibrate machine"
    )


def _read() -> dict[str, Any]:
    """Return the file's content if it is valid for this machine; else an empty one."""
    content = json_or_empty(choice_file())  # first: without a file the fingerprint need not be computed
    return content if content and content.get("machine") == fingerprint() else {}
