"""What `veneer calibrate machine` chose for this machine: how each engine runs, and how large a look's regions are.

The file is written by calibration and read here; one that was measured on another machine, with other libraries or of
other weights says nothing.
"""

from __future__ import annotations

import contextlib
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
from engines.runtime.base import EngineInfo, NotUsableError, usable_cores
from engines.styles import Style

if TYPE_CHECKING:
    from engines.looks import Look

_FORMAT = 2
_MOST_THREADS = 64
_MOST_SHOWN, _LONGEST = 8, 60


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """How a style runs best at one size.

    Attributes:
        runtime: as `open_engine` takes it.
        precision: "int8", "fp16", "bf16" or "fp32".
        threads: of the processor; 0 where that is not asked (GPUs).
        median_ms: of one call with one face, measured beside a running tracker.
        p95_ms: likewise.
        on_gpu: whether it runs on an NVIDIA GPU; PyTorch has FP32 there and on the processor.
        rejected: the other ways and their numbers, the fastest first, as in "openvino bf16 1.47 ms".
    """

    runtime: str
    precision: str
    threads: int
    median_ms: float
    p95_ms: float
    on_gpu: bool = False
    rejected: tuple[str, ...] = ()

    def runs(self, info: EngineInfo) -> bool:
        """Whether that engine runs on what was chosen, in whatever precision."""
        return info.runtime == self.runtime and (self.runtime != "torch" or self.on_gpu == (info.device != "CPU"))

    def __str__(self) -> str:
        """For the report and the doctor: what was chosen and what was not, with the numbers."""
        others = f"; turned down: {', '.join(self.rejected)}" if self.rejected else ""
        return f"chosen by veneer calibrate machine: {self.median_ms:.2f} ms, p95 {self.p95_ms:.2f}{others}"


def choice_file() -> Path:
    """Where the choice lies, whether it is there or not."""
    return paths.cache_dir() / "machine.json"


@remembered
def fingerprint() -> dict[str, Any]:
    """What the measurement holds for: processor, cores, GPU, libraries."""
    from engines.runtime.openvino.int8_graph import cpu_name
    from engines.runtime.torch.cuda_device import driver_device

    processor = gpu_name = ""
    with contextlib.suppress(NotUsableError):
        gpu = driver_device()
        gpu_name = f"{gpu.name}, driver {gpu.driver}"
    with contextlib.suppress(ImportError, OSError, RuntimeError):  # OpenVINO names it, where that is there
        processor = cpu_name()
    versions = dict.fromkeys(("openvino", "torch"), "")
    for name in versions:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {"format": _FORMAT, "processor": processor, "cores": usable_cores(), "gpu": gpu_name, **versions}


def write(engines: Mapping[str, Mapping[str, Any]], looks: Mapping[str, Any]) -> Path:
    """Write a choice; see `engine_entry` and `look_entry` for its parts, by `engine_name` and by the look's name.

    What was measured here before of other engines and looks stays. The file is put in place in one step.

    Raises:
        OSError: the disk does not allow it.
    """
    path, kept = choice_file(), _read()
    whole = {"machine": fingerprint()}
    whole |= {name: {**_part(kept, name), **new} for name, new in (("engines", engines), ("looks", looks))}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except BaseException:  # Ctrl-C too
        part.unlink(missing_ok=True)
        raise
    return path


def _part(kept: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = kept.get(name)
    return part if isinstance(part, dict) else {}


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
        others = tuple(str(one)[:_LONGEST] for one in entry["rejected"][:_MOST_SHOWN])
        way = str(entry["runtime"]), str(entry["precision"]), min(max(threads, 0), _MOST_THREADS)
        return EngineChoice(*way, *times, entry["on_gpu"] is True, others)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, VeneerError):
        return None


def with_chosen_sizes(look: Look) -> Look:
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


def stale_message() -> str:
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
    kept = _load()  # most machines have none: then nothing is asked of them
    return kept if kept and kept.get("machine") == fingerprint() else {}


def _load() -> dict[str, Any] | None:
    try:
        kept = json.loads(choice_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}
